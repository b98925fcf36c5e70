from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from pipelines.catalogue.gallery.card import Card, bytes_text, seconds_text, time_text, visible


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4, "4 s"), (4.017, "4 s"), (4.5, "4.5 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (125.7, "2 min 05 s")],
)
def test_lengths_are_said_as_people_say_them(seconds, text):
    """Neither "4.017 s" nor "125.7 s" helps anybody."""
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"cost_actual": Decimal("0.4"), "cost_estimated": Decimal(1)}, "0.40 USD"),
        ({"cost_actual": Decimal("0.400000")}, "0.40 USD"),
        ({"cost_actual": Decimal("0.045")}, "0.045 USD"),
        ({"cost_actual": Decimal("1E+2")}, "100.00 USD"),
        ({"cost_actual": Decimal("0.4"), "cost_basis": "assumed"}, "0.40 USD (assumed)"),
        ({"cost_actual": Decimal("0.4"), "cost_basis": "rehearsed"}, "0.40 USD (rehearsed)"),
        ({"cost_actual": Decimal("0.4"), "cost_uncertain": Decimal("0.8")}, "0.40 USD, uncertain 0.80 USD"),
        ({"cost_estimated": Decimal(1), "cost_reserved": Decimal(1), "status": "waiting"}, "reserved 1.00 USD"),
        ({"cost_uncertain": Decimal("0.8"), "status": "in_doubt"}, "uncertain 0.80 USD"),
        ({"status": "in_doubt"}, "uncertain: price not known"),
        ({"cost_estimated": Decimal(1), "billed": "no", "status": "planned"}, "about 1.00 USD"),
        ({"cost_estimated": Decimal(1), "status": "skipped"}, ""),
        ({"cost_estimated": Decimal(1), "billed": "no"}, "not billed"),
        ({}, ""),
    ],
)
def test_a_cost_says_how_sure_it_is(make_row, values, text):
    """What was paid, what may be, and what was not, are told apart."""
    assert Card(make_row(currency="USD", **values), set(), poster_at_once=True).cost == text


@pytest.mark.parametrize(
    ("size", "text"), [(812, "812 bytes"), (40_200, "40 KB"), (1_000_000, "1.0 MB"), (12_345_678, "12.3 MB")]
)
def test_sizes_are_said_as_people_say_them(size, text):
    """A small clip has a size too."""
    assert bytes_text(size) == text


def test_times_are_said_as_people_say_them():
    """To the minute, in UTC, and saying so."""
    moment = datetime(2026, 11, 21, 13, 46, 59, tzinfo=timezone(timedelta(hours=2)))
    assert (time_text(moment), time_text(None)) == ("2026-11-21 11:46 UTC", "")
    assert time_text(moment.astimezone(UTC)) == time_text(moment)


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("fallback_from:qiniu", "fallback from qiniu"),
        ("also:videos/fox_2.mp4", "also videos/fox_2.mp4"),
        ("no_audio", "no audio"),
    ],
)
def test_flags_are_said_in_words_and_names_are_kept(make_row, flag, text):
    """What a flag says is a sentence; what it names stays as it is."""
    assert Card(make_row(flags=(flag,)), set(), poster_at_once=True).flags == (text,)


def test_a_row_that_was_refused_and_goes_on_says_so(make_row):
    """It was sent, though nothing of it is under way now."""
    refused = Card(make_row(status="planned", billed="no", attempts=2), set(), poster_at_once=True)
    assert refused.reason == "Tried 2 times, and not taken by a provider yet."
    assert Card(make_row(status="planned"), set(), poster_at_once=True).reason == "Not sent yet."


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.mp4", "videos/../../x.mp4"])
def test_k07_no_link_leaves_the_folder(make_row, path):
    """Paths are relative and stay below."""
    assert Card(make_row(path=path), set(), poster_at_once=True).video is None


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("videos/a b#1?.mp4", "videos/a%20b%231%3F.mp4"),
        ("javascript:x", "javascript%3Ax"),
        ("videos/é.mp4", "videos/%C3%A9.mp4"),
    ],
)
def test_k07_links_are_quoted(make_row, path, link):
    """Every character of a file name that means something in a link is escaped."""
    assert Card(make_row(path=path), set(), poster_at_once=True).video == link


def test_k05_controls_are_made_visible():
    """Neither terminals nor the reading order can be played with."""
    assert visible("a\x1b[31m\u202eb\x00\ud800\nc") == "a\ufffd[31m\ufffdb\ufffd\ufffd\nc"
