from __future__ import annotations

import logging
import time
from decimal import Decimal

import pytest

from pipelines.core.errors import BudgetReached, FundsExhausted, KeyRefused, ProviderUnavailable, ReelbatchError
from pipelines.core.status import JobStatus as S
from pipelines.run.progress import SAID, Tally, level_of


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


def test_the_log_knows_what_is_serious(caplog):
    """Each line has the level that its speaker gave, INFO by default, in a logger of its own below `reelbatch`."""
    caplog.set_level(logging.INFO, logger="reelbatch")
    tally = Tally()
    tally.say("answers again")
    tally.say("in doubt", logging.ERROR)
    tally.say_rarely("qiniu", "slow down", logging.WARNING)
    assert caplog.record_tuples == [
        (SAID, logging.INFO, "answers again"),
        (SAID, logging.ERROR, "in doubt"),
        (SAID, logging.WARNING, "slow down"),
    ]
    assert SAID.startswith("reelbatch.")


@pytest.mark.parametrize(
    ("reason", "level"),
    [
        (BudgetReached(), logging.WARNING),
        (ProviderUnavailable(), logging.WARNING),
        (FundsExhausted(), logging.ERROR),
        (KeyRefused(), logging.ERROR),
        (ReelbatchError("a bug"), logging.ERROR),
    ],
)
def test_a_cap_is_no_error(reason, level):
    """What the user's own cap or a passing outage ends is a warning; what somebody must mend is an error."""
    assert level_of(reason) == level


def test_what_was_just_said_is_not_said_again():
    """A reason that nothing was said after is heard; one before other words, or never said, is still to be told."""
    tally = Tally(reasons=("no key", "no balance", "no space"))
    for words in ("no key", "a: done", "no balance"):
        tally.say(words)
    tally.move(None, S.DONE)
    assert tally.unheard_reasons() == ("no key", "no space")
    tally.say("a: failed")
    assert tally.unheard_reasons() == tally.reasons


def test_what_comes_again_and_again_is_said_rarely(monkeypatch):
    """At most once a minute of each topic."""
    heard, now = [], 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    tally = Tally(listener_of_words=heard.append)
    for later, topic in ((0, "qiniu"), (1, "qiniu"), (1, "acedata"), (57, "qiniu"), (2, "qiniu")):
        now += later
        tally.say_rarely(topic, f"{topic} at {now:.0f}")
    assert heard == ["qiniu at 1000", "acedata at 1002", "qiniu at 1061"]
