from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines.catalogue.card import TONES, card, money_text, seconds_text, visible
from pipelines.job import JobStatus


def test_every_status_has_a_tone():
    """A new status cannot be forgotten here."""
    assert set(TONES) == set(JobStatus)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4, "4 s"), (4.017, "4 s"), (4.5, "4.5 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (125.7, "2 min 05 s")],
)
def test_lengths_are_said_as_people_say_them(seconds, text):
    """Neither "4.017 s" nor "125.7 s" helps anybody."""
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0.4", "USD 0.40"),
        ("0.400000", "USD 0.40"),
        ("0.045", "USD 0.045"),
        ("12", "USD 12.00"),
        ("1E+2", "USD 100.00"),
    ],
)
def test_amounts_are_said_as_people_say_them(amount, text):
    """Two digits, or as many as matter."""
    assert money_text(Decimal(amount), "USD") == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"cost_actual": Decimal("0.4"), "cost_estimated": Decimal(1)}, "USD 0.40"),
        ({"cost_estimated": Decimal(1)}, "about USD 1.00"),
        ({"cost_estimated": Decimal(1), "billed": "no"}, "not billed"),
        ({}, ""),
    ],
)
def test_a_cost_says_how_sure_it_is(make_row, values, text):
    """What was paid, what may be, and what was not, are told apart."""
    assert card(make_row(currency="USD", **values), set(), poster_at_once=True).cost == text


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.mp4", "videos/../../x.mp4"])
def test_k07_no_link_leaves_the_folder(make_row, path):
    """Paths are relative and stay below."""
    assert card(make_row(path=path), set(), poster_at_once=True).video is None


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
    assert card(make_row(path=path), set(), poster_at_once=True).video == link


def test_k05_controls_are_made_visible():
    """Neither terminals nor the reading order can be played with."""
    assert visible("a\x1b[31m\u202eb\x00\ud800\nc") == "a\ufffd[31m\ufffdb\ufffd\ufffd\nc"
