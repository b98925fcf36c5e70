from __future__ import annotations

import time
from decimal import Decimal

import pytest

from pipelines.job import JobStatus as S
from pipelines.tally import Tally, first_of


def test_jobs_move_between_counts():
    """A job is counted once, wherever it stands."""
    tally = Tally(total=2)
    tally.move(None, S.PLANNED)
    tally.move(None, S.PLANNED)
    tally.move(S.PLANNED, S.SUBMITTING)
    assert (tally.in_flight, tally.open, tally.ended, tally.done) == (0, 2, 0, 0)
    for before, after in ((S.SUBMITTING, S.WAITING), (S.WAITING, S.READY), (S.READY, S.DONE), (S.PLANNED, S.REJECTED)):
        tally.move(before, after)
    assert (tally.in_flight, tally.open, tally.ended, tally.done) == (0, 0, 2, 1)
    assert sum(tally.counts.values()) == 2


def test_words_say_what_is_not_nought():
    """`11 of 12 done, 1 failed`: what is there, in the order of a job's life."""
    tally = Tally(total=12)
    for status, number in ((S.DONE, 9), (S.IN_DOUBT, 1), (S.FAILED, 2)):
        tally.counts[status] = number
    assert tally.words() == "9 of 12 done, 1 in doubt, 2 failed"
    assert Tally().words() == "0 of 0 done"


def test_money_is_added_by_currency():
    """Reserved and released amounts balance exactly, and what has no price changes nothing."""
    tally = Tally()
    for _ in range(10):
        tally.price("USD", Decimal("0.1"))
    tally.price("CNY", Decimal(2))
    tally.price("USD", -Decimal("0.3"))
    tally.price(None, Decimal(5))
    tally.price("EUR", None)
    assert tally.spent == {"USD": Decimal("0.7"), "CNY": Decimal(2)}


def test_the_guess_of_the_time_left_comes_from_this_run():
    """What was done before this run began says nothing of its pace."""
    tally = Tally(total=10, done_before=4, started_at=time.monotonic() - 60)
    tally.counts[S.DONE] = 4
    tally.counts[S.WAITING] = 6
    assert tally.seconds_left() is None
    tally.move(S.WAITING, S.DONE)
    tally.move(S.WAITING, S.DONE)
    assert 115 < tally.seconds_left() < 130


def test_whoever_watches_is_told():
    """Every move, price and word reaches the listeners, and nobody needs to listen."""
    told, heard = [], []
    tally = Tally(listener=told.append, listener_of_words=heard.append)
    tally.move(None, S.PLANNED)
    tally.price("USD", Decimal(1))
    tally.say("hello")
    assert (told, heard) == ([tally, tally], ["hello"])
    Tally().say("to nobody")


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (["a"], "a"),
        (["a", "b", "c"], "a, b, c"),
        (["a", "b", "c", "d"], "a, b, c and 1 more"),
        (list("abcdefg"), "a, b, c and 4 more"),
    ],
)
def test_a_long_list_is_cut(ids, words):
    """A sentence names the first few jobs and counts the others."""
    assert first_of(ids) == words
