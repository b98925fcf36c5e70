from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pipelines.core.errors import SetupError
from pipelines.core.occurrence import Occurrence, occurrence_at, occurrence_named

LATE = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)


def test_the_day_is_that_of_the_time_zone_and_the_key_that_of_utc():
    """A tick at half past midnight in Berlin is of the day that begins there; its folder is named by the moment in UTC."""
    berlin, utc = occurrence_at(LATE, "Europe/Berlin"), occurrence_at(LATE)
    assert (berlin.date, utc.date) == (date(2026, 11, 21), date(2026, 11, 20))
    assert berlin.variables == {"date": "2026-11-21", "occurrence": "2026-11-21 00:30"}
    assert berlin.key == utc.key == "2026-11-20T23-30-00Z"


def test_a_clock_that_is_put_back_makes_no_two_ticks_one():
    """Half past two comes twice on that night in Berlin, and each is an occurrence of its own."""
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))
    ticks = [occurrence_at(moment, "Europe/Berlin") for moment in (first, second)]
    assert [tick.words for tick in ticks] == ["2026-10-25 02:30+02:00", "2026-10-25 02:30+01:00"]
    assert ticks[0].key != ticks[1].key


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Berlin", "Europe/London", "Asia/Kathmandu", "America/St_Johns", "Asia/Tokyo"]
)
@pytest.mark.parametrize("year", [1890, 2026])  # before there were zones offsets had seconds
def test_the_words_of_an_occurrence_lead_back_to_it(zone, year):
    """For any moment and zone they have the same key, the same day and the same templates, without naming the zone."""
    for hours in range(0, 366 * 24, 7):
        tick = occurrence_at(datetime(year, 1, 1, 0, 30, hours % 3, tzinfo=UTC) + timedelta(hours=hours), zone)
        for words in (tick.words, tick.words.replace(" ", "T")):
            again = occurrence_named(words)
            assert (again.key, again.variables) == (tick.key, tick.variables)
            assert occurrence_named(words, zone) == tick


def test_what_templates_insert_is_part_of_what_was_paid_for():
    """`{{ occurrence }}` has no offset: with one, each prompt that names it would be another, and be bought again."""
    assert occurrence_at(LATE, "Europe/Berlin").variables["occurrence"] == "2026-11-21 00:30"


def test_a_named_zone_decides_the_day_whatever_the_offset():
    """Half past midnight in Berlin is of the day before for a campaign in New York, and of the day there for one in Berlin."""
    words = "2026-11-21 00:30+01:00"
    days = [occurrence_named(words, zone).date.day for zone in ("America/New_York", "Europe/Berlin", "UTC")]
    assert days == [20, 21, 21]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("2026-11-21", "2026-11-21"),
        (" 2026-11-21T02:00 ", "2026-11-21T01-00-00Z"),  # of the time zone
        ("2026-11-21 02:00:05", "2026-11-21T01-00-05Z"),
        ("2026-11-21T02:00:00+00:00", "2026-11-21T02-00-00Z"),
        ("2026-11-20T23-30-00Z", "2026-11-20T23-30-00Z"),
    ],
)
def test_an_occurrence_is_named_by_hand(text, key):
    """A day, a moment with and without an offset, or the name of its folder."""
    assert occurrence_named(text, "Europe/Berlin").key == key


def test_a_folders_name_gives_the_same_occurrence():
    """What a tick has made is gone on with by the name that its folder has."""
    tick = occurrence_at(LATE, "Asia/Tokyo")
    assert occurrence_named(tick.key, "Asia/Tokyo") == tick
    assert occurrence_named("2026-11-21") == Occurrence(date(2026, 11, 21))


@pytest.mark.parametrize(
    "text",
    ["", "today", "2026-13-01", "2026-11-21T25:00", "0001-01-01T00:00+14:00", "x y/../z", "../../etc", "21.11.2026"],
)
def test_what_is_no_day_and_no_moment_is_refused(text):
    """The message shows how to write one; nothing becomes a path that is none."""
    with pytest.raises(SetupError, match="Write a day or a moment: 2026-11-21"):
        occurrence_named(text)


@pytest.mark.parametrize("zone", ["Nowhere/Land", "", "../etc/passwd"])
def test_a_time_zone_that_is_none_is_refused(zone):
    """The message shows one that is."""
    with pytest.raises(SetupError, match="Europe/Berlin"):
        occurrence_at(LATE, zone)
