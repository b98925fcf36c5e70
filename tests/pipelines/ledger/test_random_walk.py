"""The money state machine: whatever order things happen in, the laws of the ledger hold after every step.

A real ledger and a provider with a bill of its own, which no step can change afterwards; the clock is a number. What may
happen: orders with every fate on their way, answers late or lost, ends, links that are refused, deadlines, crashes, a second
owner while the first one stands still, clocks that jump, edits of the batch, budgets, and all that a person can say.
`make torture` draws more: REELBATCH_WALKS=2000x100.
"""
# ruff: noqa: D101, D102 - a rule and a law are named for what they say

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipelines.core.errors import BudgetReached, LedgerOwned, LinkExpired, SettlementRefused
from pipelines.core.job import Choice, Job, Order, RemoteJob
from pipelines.core.outcome import (
    Accepted,
    Adopted,
    Archived,
    Charged,
    ClipGone,
    Done,
    Failed,
    FellBack,
    InDoubt,
    NotCharged,
    Parked,
    Ready,
    Rejected,
    Replaced,
    Resubmitted,
    Retried,
    Skipped,
    Unsent,
)
from pipelines.core.status import ACCEPTED, FINAL, Billed, JobStatus
from pipelines.ledger import attempts, outcomes, registration, requests, settlement
from pipelines.ledger.attempts import Budget, Claim
from pipelines.ledger.fallbacks import made_as
from pipelines.ledger.job_state import state_of
from pipelines.ledger.ledger import Ledger
from pipelines.ledger.recovery import reopen_expired
from pipelines.ledger.storage.schema import LIVE_STATES, metadata
from pipelines.ledger.storage.sqlite import SqliteStorage, open_engine
from pipelines.run.job.collect import outcome_of_refused_link
from tests.pipelines.ledger.conftest import fell_back

EXAMPLES, STEPS = map(int, os.environ.get("REELBATCH_WALKS", "14x40").split("x"))
NO_ATTEMPT = {None, "not_sent", "rejected"}
_STATES_OF = {  # by the job's status: the states that its newest attempt may be in
    JobStatus.PLANNED: {*NO_ATTEMPT, "closed"},  # closed: a person wants it bought once more
    JobStatus.SKIPPED: {*NO_ATTEMPT, "closed"},
    JobStatus.SUBMITTING: {"claimed", "sending"},
    JobStatus.IN_DOUBT: {"in_doubt"},
    JobStatus.WAITING: {"accepted"},
    JobStatus.READY: {"accepted"},
    JobStatus.PARKED: {"accepted"},
    JobStatus.DONE: {"accepted"},
    JobStatus.REJECTED: {"rejected"},
    JobStatus.FAILED: {"closed"},
    JobStatus.EXPIRED: {"closed"},
    JobStatus.CANCELLED: {"closed"},
}
_BUCKETS_OF = {
    "claimed": {"reserved"},
    "sending": {"reserved"},
    "accepted": {"reserved", "spent"},
    "in_doubt": {"uncertain"},
    "not_sent": {None},
    "rejected": {None},
    "closed": {None, "spent", "uncertain"},
}
_NAMES = ("a", "b", "c", "d")
_COSTS = {"a": "0.40", "b": "0.10", "c": "1.25", "d": None}
_NAME = st.sampled_from(_NAMES)
_CAPS = {cap: Budget(Decimal(cap), "USD") for cap in ("0.80", "1.60", "2.40")}
_FATES = ("accepted", "accepted, and the answer is lost", "refused", "slow down", "never arrives", "replayed")
_WORDS = (NotCharged, Charged, Resubmitted, Retried, Archived, ClipGone)
_NO = {"code": "c", "message": "m", "http_status": 400}
_UNSENT = (JobStatus.PLANNED, JobStatus.SKIPPED)
_LINK_LIVES = timedelta(days=7)
_LIVE = {str(state) for state in LIVE_STATES}


def _choice(prompt: str, cost: str | None, provider: str, factor: int, currency: str) -> Choice:
    order = Order(provider=provider, mode="video", model="sora-2", prompt=prompt, seconds=4, size="1280x720")
    price = {"cost_estimated": factor * Decimal(cost), "currency": currency} if cost else {}
    return Choice(order=order, **price)


def _job(name: str, edition: int) -> Job:
    ways = (("qiniu", 1, "USD"), ("acedata", 2, "USD"), ("openai", 3, "CNY"))
    first, *others = (_choice(f"{name} {edition}", _COSTS[name], *way) for way in ways)
    filename = f"{name}.mp4"
    return Job(id=name, row=1, campaign="x", filename=filename, fallbacks=tuple(others), **dict(first))


#: All examples have one file after the other at one place, so that statements are compiled once.
_FOLDER = Path(tempfile.mkdtemp(prefix="walk-"))
atexit.register(shutil.rmtree, _FOLDER)
_open_engine = cache(open_engine)


@cache
def _made_as(plan: str, changed: str | None) -> Job:
    return made_as(Job.model_validate_json(plan), changed)


@dataclass
class Ordered:
    """One order that came to the provider, and its line of the bill."""

    attempt_id: str
    job_id: str
    remote_id: str
    fails: bool
    told: bool = True  # the id was ever said to anybody but the bill
    finished_at: datetime | None = None


class FakeDatetime(datetime):
    shown = datetime(2026, 1, 1, tzinfo=UTC)

    @classmethod
    def now(cls, _zone=None):
        return cls.shown


class Campaign(RuleBasedStateMachine):
    """Four rows, each of two editions, with fallbacks; owners that die or stand still; a provider; a person."""

    def __init__(self):
        super().__init__()
        self.file_of_ledger = _FOLDER / "ledger.sqlite3"
        self.time = datetime(2026, 1, 1, tzinfo=UTC)  # the provider's
        FakeDatetime.shown = self.time
        places = ("pipelines.core.text.times", "pipelines.run.job.collect", "pipelines.ledger.storage.lock")
        self.patches = [mock.patch(f"{place}.datetime", FakeDatetime) for place in places]
        self.patches.append(mock.patch("pipelines.ledger.storage.sqlite.open_engine", _open_engine))
        for patch in self.patches:
            patch.start()
        self.stopped: SqliteStorage | None = None  # an owner that stands still, and was taken over
        self.owner = self.opened()
        self.file = {name: _job(name, 1) for name in _NAMES}  # the batch file, as it is now
        self.claims: list[Claim] = []
        self.sent: Counter[str] = Counter()  # by attempt
        self.bill: list[Ordered] = []
        self.verdicts: dict[str, tuple[Claim, str, str]] = {}  # answers on their way: what they say, and an id
        self.consents: Counter[str] = Counter()  # purchases beyond the first that a person has asked for
        self.denied: set[str] = set()  # orders that a person has declared not to be
        self.given: dict[str, str] = {}  # ids that a person has given to jobs
        self.taken_back: list[tuple[str, str]] = []  # and those that are not theirs any more
        self.ended: dict[str, str] = {}
        self.committed: Counter[str] = Counter()

    def teardown(self):
        for storage in (self.owner, self.stopped):
            if storage is not None:
                storage.close()
        for patch in self.patches:
            patch.stop()
        self.file_of_ledger.unlink()

    def opened(self):
        """A real owner of the real file; locks of the kernel cannot be had twice by one process, the epoch fences."""
        ledger = Ledger(self.file_of_ledger)
        storage = ledger._storage
        storage._locks = []
        storage._reserved = mock.Mock()
        storage.take_over(ledger._prepare)
        driver = storage.connection.connection.driver_connection
        for pragma in ("synchronous=OFF", "journal_mode=MEMORY"):
            driver.execute(f"PRAGMA {pragma}")
        return storage

    def do(self, work, *args, **kwargs):
        """One transaction of the owner, behind its fence."""
        transaction = self.owner.begin()
        try:
            result = work(self.owner.connection, *args, **kwargs)
        except BaseException:
            transaction.close()
            raise
        transaction.commit()
        return result

    def rows(self, statement):
        driver = self.owner.connection.connection.driver_connection
        return driver.execute(statement).fetchall()

    def status_of(self, name):
        return JobStatus(self.rows(f"SELECT status FROM job WHERE id = '{name}'")[0][0])

    def tell(self, about, outcome):
        claimed = about if isinstance(about, Claim) else None
        name = claimed.job_id if claimed else about
        before = self.status_of(name)
        change = self.do(outcomes.record, name, outcome, claimed)
        self.learn(name, change)
        assert change.changed or change.state.status is before
        assert (change.outcome is not None) == change.changed
        return change

    def learn(self, name, change):
        """What a change says of the job and of the money is what the ledger has."""
        assert change.state == self.do(state_of, name)
        if change.money is not None:
            self.committed[change.money.currency] += change.money.committed

    def made_as(self):
        return {name: _made_as(plan, changed) for name, plan, changed in self.rows("SELECT id, plan, made_as FROM job")}

    @initialize()
    def begin(self):
        self.do(self.register)

    def register(self, connection):
        jobs = list(self.file.values())
        registration.register(connection, jobs, campaign="x", path=Path("x"), source_sha256="s")

    # ------------------------------------------------------------------------------------------------ a run

    @rule(name=_NAME, cap=st.sampled_from(list(_CAPS)))
    def reserve(self, name, cap):
        job = self.made_as()[name]
        budget = _CAPS[cap] if job.currency == "USD" else None
        with contextlib.suppress(BudgetReached):
            change = self.do(outcomes.reserve, job, "account", budget)
            self.learn(name, change)
            if change.claim is not None:
                self.claims.append(change.claim)
                assert budget is None or self.in_dollars() <= budget.most

    def in_dollars(self):
        sums = "SELECT sum(cost_micros) FROM attempt WHERE bucket IS NOT NULL AND currency = 'USD'"
        return Decimal(self.rows(sums)[0][0] or 0) / 1_000_000

    @rule(name=_NAME, turns=st.integers(0, 2))
    def reserve_in_another_way(self, name, turns):
        now = self.made_as()[name]
        plan = self.file.get(name, now)
        for _ in range(turns):
            plan = plan.fall_back() or plan
        if plan.fallback_index != now.fallback_index:
            assert self.do(outcomes.reserve, plan, "account", None).claim is None

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), fate=st.sampled_from(_FATES), fails=st.booleans())
    def send(self, data, fate, fails):
        """The last commit before the first byte, and what becomes of the bytes."""
        claimed = data.draw(st.sampled_from(self.claims[::-1]))
        if not self.do(attempts.mark_sending, claimed):
            return
        self.sent[claimed.attempt_id] += 1
        remote_id = f"p-{len(self.bill)}"
        if fate.startswith("accepted"):
            told = fate == "accepted"
            self.bill.append(Ordered(claimed.attempt_id, claimed.job_id, remote_id, fails, told))
        elif fate == "replayed":
            remote_id = self.bill[0].remote_id if self.bill else "p-0"
            fate = "replayed" if self.bill else "never arrives"
        self.verdicts[claimed.attempt_id] = (claimed, fate, remote_id)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def not_sent(self, data):
        self.tell(data.draw(st.sampled_from(self.claims[::-1])), Unsent("no route"))

    @precondition(lambda self: self.verdicts)
    @rule(data=st.data(), lost=st.booleans())
    def answer(self, data, lost):
        """The answer comes, however late, or the connection ends."""
        key = data.draw(st.sampled_from(list(self.verdicts)))
        claimed, fate, remote_id = self.verdicts.pop(key)
        if fate == "replayed" and remote_id not in self.taken(claimed.job_id):  # who replays it is not known to
            lost = True
        if lost or fate in ("never arrives", "accepted, and the answer is lost"):
            self.tell(claimed, InDoubt(reason="reset"))
        elif fate in ("accepted", "replayed"):
            change = self.tell(claimed, Accepted(RemoteJob(remote_id, "video")))
            if fate == "replayed" and change.changed:
                assert isinstance(change.outcome, InDoubt)
        elif fate == "slow down":
            self.tell(claimed, Rejected("slow_down", **_NO))
        else:
            other = self.made_as()[claimed.job_id].fall_back()
            self.tell(claimed, Rejected("row", **_NO) if other is None else fell_back(other, **_NO))

    @rule(name=_NAME, fate=st.sampled_from(_FATES), fails=st.booleans(), cap=st.sampled_from(list(_CAPS)))
    def submit(self, name, fate, fails, cap):
        before = len(self.claims)
        self.reserve(name, cap)
        if len(self.claims) > before:
            one = mock.Mock(draw=lambda _: self.claims[-1])
            self.send(one, fate, fails)
            self.answer(mock.Mock(draw=lambda _: self.claims[-1].attempt_id), lost=False)

    @rule(name=_NAME)
    def turn(self, name):
        other = self.made_as()[name].fall_back()
        if other and self.status_of(name) is not JobStatus.REJECTED:
            self.tell(name, FellBack(other, code="closed", reason="no balance"))

    @rule(name=_NAME)
    def skip(self, name):
        self.tell(name, Skipped(code="parent_failed", message="m"))

    # --------------------------------------------------------------------------------------- the provider's side

    @rule(days=st.sampled_from([0, 1, 8, 30]))
    def time_passes(self, days):
        self.time += timedelta(days=days, minutes=5)
        FakeDatetime.shown += timedelta(days=days, minutes=5)
        for order in self.bill:
            order.finished_at = order.finished_at or self.time

    @rule(days=st.sampled_from([-8, -1, 1, 8]))
    def our_clock_jumps(self, days):
        FakeDatetime.shown += timedelta(days=days)

    def asked(self, name):
        """The order that the ledger asks the provider about, and what the ledger calls its job."""
        state = self.do(state_of, name)
        if state.status not in ACCEPTED or state.remote is None:
            return None
        return next((order for order in self.bill if order.remote_id == state.remote.id), None)

    @rule(name=_NAME, passing=st.booleans(), noted=st.booleans())
    def poll_and_fetch(self, name, passing, noted):
        order = self.asked(name)
        if order is None or order.finished_at is None:
            return
        if order.fails:
            self.tell(name, Failed(stage="generate", code="c", message="m", billed=Billed.NO))
            return
        expires_at = order.finished_at + _LINK_LIVES
        if noted:
            self.tell(name, Ready(completed_at=order.finished_at, url_expires_at=expires_at))
        if self.time > expires_at or passing:
            error = LinkExpired("refused")
            error.said_at = self.time
            outcome = outcome_of_refused_link(error, expires_at)
            self.tell(name, outcome)
            gone = isinstance(outcome, Failed)
            assert not gone or self.time > expires_at, "given up while the provider still has it"
        else:
            self.tell(name, Done(output={"path": name}, flags=(), completed_at=order.finished_at))

    @rule(name=_NAME, cancelled=st.booleans(), billed=st.sampled_from(Billed))
    def end_without_a_clip(self, name, cancelled, billed):
        order = self.asked(name)
        if order is not None and order.fails:
            how = JobStatus.CANCELLED if cancelled else JobStatus.FAILED
            self.tell(name, Failed(status=how, stage="generate", code="c", message="m", billed=billed))

    @rule(name=_NAME)
    def deadline(self, name):
        self.tell(name, Parked(stage="generate", code="deadline", message="m"))

    # ------------------------------------------------------------------------------------- crashes and owners

    @rule(stands_still=st.booleans())
    def another_run_takes_over(self, stands_still):
        """After a crash, or while the owner stands still, which is the same to whoever comes."""
        before = dict(self.rows("SELECT id, state FROM attempt"))
        old, self.owner = self.owner, self.opened()
        if stands_still and self.stopped is None:
            self.stopped = old
        else:
            old.close()
        after = dict(self.rows("SELECT id, state FROM attempt"))
        expected = {"claimed": "not_sent", "sending": "in_doubt"}
        assert after == {name: expected.get(state, state) for name, state in before.items()}
        accounts = "SELECT currency, reserved_micros + spent_micros + uncertain_micros FROM account"
        for currency, micros in self.rows(accounts):  # what the crash moved, nobody was told
            self.committed[currency] = Decimal(micros) / 1_000_000

    @precondition(lambda self: self.stopped is not None and self.claims)
    @rule(data=st.data())
    def the_stopped_owner_goes_on(self, data):
        """It is fenced: it sends nothing, and writes nothing."""
        claimed = data.draw(st.sampled_from(self.claims[::-1]))
        before, (owner, self.owner) = self.everything(), (self.owner, self.stopped)
        try:
            for work, about in ((attempts.mark_sending, (claimed,)), (outcomes.record, (claimed.job_id, Unsent("x")))):
                with contextlib.suppress(LedgerOwned):
                    self.do(work, *about)
                    raise AssertionError("a run that was taken over has written something")
        finally:
            self.owner = owner
        assert self.everything() == before

    @precondition(lambda self: self.stopped is not None)
    @rule()
    def the_stopped_owner_dies(self):
        self.stopped.close()
        self.stopped = None

    def everything(self):
        return [self.rows(f"SELECT * FROM {table.name} ORDER BY 1, 2") for table in metadata.sorted_tables]

    # ------------------------------------------------------------------------------------------- the batch file

    @rule(name=_NAME, edition=st.sampled_from([0, 1, 2]))
    def edit_the_file_and_run_it(self, name, edition):
        """Edition 0 is no row at all."""
        self.file = {key: job for key, job in self.file.items() if key != name} | (
            {name: _job(name, edition)} if edition else {}
        )
        bought = "SELECT id, status, provider_job_id FROM job WHERE status NOT IN ('planned', 'skipped', 'failed', "
        bought += "'cancelled', 'rejected') ORDER BY id"
        before = self.rows(bought)
        self.do(self.register)
        now = {row[0]: row for row in self.rows(bought)}
        assert [now[row[0]] for row in before] == before
        planned = {row[0] for row in self.rows("SELECT id FROM job WHERE status IN ('planned', 'skipped')")}
        self.ended = {key: status for key, status in self.ended.items() if key not in planned}

    # ------------------------------------------------------------------------------------------------ a person

    @rule(name=_NAME, word=st.sampled_from(_WORDS), asks_the_owner=st.booleans())
    def say(self, name, word, asks_the_owner):
        if word is ClipGone:
            outcome, asks_the_owner = ClipGone("file_missing", "m", {}), False
        else:
            outcome = word("ann")
        self.person(name, outcome, asks_the_owner=asks_the_owner)

    @rule(name=_NAME, data=st.data(), asks_the_owner=st.booleans())
    def adopt(self, name, data, asks_the_owner):
        """The id of this job's own order, of another job's, or one that nobody knows."""
        taken = self.taken(name)
        open_to_a_person = self.status_of(name) is JobStatus.IN_DOUBT or self.goes_by_a_given_id(name)
        known = [order.remote_id for order in self.bill if order.job_id == name and order.remote_id not in taken]
        wrong = [order.remote_id for order in self.bill if order.remote_id in taken]
        remote_id = data.draw(st.sampled_from([*known, *wrong, f"nobody-{len(self.claims)}"]))
        change = self.person(name, Adopted(RemoteJob(remote_id, "video"), "ann"), asks_the_owner=asks_the_owner)
        assert change is None or remote_id not in wrong
        is_known = remote_id in taken  # also one that a person has made up, for another job
        assert change is not None or not open_to_a_person or is_known, "in doubt has no exit"
        if change is not None:
            self.given[name] = remote_id

    def taken(self, name):
        """The ids that the provider of a job's newest attempt has given, as far as the ledger knows."""
        mine = f"SELECT provider FROM attempt WHERE job_id = '{name}' ORDER BY n DESC LIMIT 1"
        return {row[0] for row in self.rows(f"SELECT provider_job_id FROM attempt WHERE provider = ({mine})")}

    @rule(name=_NAME, word=st.sampled_from(_WORDS[:3]), asks_the_owner=st.booleans(), parked=st.booleans())
    def guess_an_id_and_say_something_else(self, name, word, asks_the_owner, parked):
        """An id that nobody knows is no last word: the job has an exit while it waits, and when it is parked."""
        self.submit(name, "accepted, and the answer is lost", fails=False, cap="2.40")
        guess = f"guess-{name}-{len(self.claims)}-{len(self.taken_back)}"
        self.adopt(name, mock.Mock(draw=lambda _: guess), asks_the_owner)
        if parked:
            self.deadline(name)
        if self.goes_by_a_given_id(name):
            self.say(name, word, asks_the_owner)

    def goes_by_a_given_id(self, name):
        """A person has said what the provider calls it, and neither the provider nor we have ended it since."""
        sought = (
            f"SELECT job.status, job.provider_job_id FROM job JOIN attempt ON job_id = job.id AND job.id = '{name}'"
        )
        rows = self.rows(f"{sought} WHERE attempt.state = 'accepted' AND bucket = 'reserved'")
        return any(status in ("waiting", "parked") and remote == self.given.get(name) for status, remote in rows)

    @precondition(lambda self: self.taken_back)
    @rule(data=st.data(), ended=st.sampled_from([Done({}), Ready(), Parked("generate", "c", "m")]))
    def an_answer_comes_about_an_id_that_was_taken_back(self, data, ended):
        """It is no news of the job, whatever that goes by now."""
        name, remote_id = data.draw(st.sampled_from(self.taken_back[::-1]))
        if self.do(state_of, name).provider_job_id == remote_id:
            return
        before = self.everything()
        assert not self.do(outcomes.record, name, ended, None, remote_id).changed
        assert self.everything() == before

    def person(self, name, outcome, *, asks_the_owner=False):
        before, status, given = self.everything(), self.status_of(name), self.goes_by_a_given_id(name)
        remote = self.do(state_of, name).provider_job_id
        if given and isinstance(
            outcome, Adopted | NotCharged | Charged | Resubmitted
        ):  # an id is not taken back unsaid
            with pytest.raises(SettlementRefused):
                self.do(settlement.write_word, name, outcome)
            assert self.everything() == before
            outcome = dataclasses.replace(outcome, takes_back=remote)
        number = None
        if asks_the_owner:
            argument = settlement.as_argument(name, outcome)
            [number] = self.do(requests.ask, requests.RequestKind.SETTLE, [argument])
            [*_, asked] = self.do(requests.unanswered)
            name, outcome = settlement.from_argument(asked.argument)
            before = self.everything()
        try:
            if number is None:
                change = self.do(settlement.write_word, name, outcome)
            else:
                change = self.do(settlement.settle_as_asked, name, outcome, number)
        except SettlementRefused:
            assert self.everything() == before
            ends_a_doubt = isinstance(outcome, NotCharged | Charged | Resubmitted)
            assert not (ends_a_doubt and (given or status is JobStatus.IN_DOUBT)), "in doubt has no exit"
            if number is not None:
                self.do(requests.answer, number, {"refused": "m"})
            return None
        self.learn(name, change)
        if isinstance(outcome, Resubmitted | Retried):
            self.consents[name] += 1
        if isinstance(outcome, NotCharged):  # perhaps it was: then it is the person who buys it twice
            self.consents[name] += 1
            self.denied |= {order.attempt_id for order in self.bill if order.job_id == name}
        if not isinstance(outcome, Archived):
            assert given or status in (JobStatus.IN_DOUBT, JobStatus.DONE, *FINAL)
            if given:
                self.taken_back.append((name, remote))
            self.ended.pop(name, None)
        return change

    @rule(name=_NAME, asks_the_owner=st.booleans())
    def redo(self, name, asks_the_owner):
        """A new take is a job of its own; it is left alone here, and the old one stays as it is."""
        new_id = f"{name}-r{len(self.rows('SELECT 1 FROM job'))}"
        new = self.made_as()[name].model_copy(update={"id": new_id, "take": 2})
        before = self.everything()
        try:
            if asks_the_owner:
                argument = settlement.as_argument(name, Replaced(new, "ann"))
                assert settlement.from_argument(json.loads(json.dumps(argument))) == (name, Replaced(new, "ann"))
            self.do(settlement.write_word, name, Replaced(new, "ann"))
        except SettlementRefused:
            assert self.everything() == before

    @rule(sure=st.booleans())
    def collect(self, sure):
        for name in self.do(reopen_expired, sure_as_well=sure):
            self.ended.pop(name, None)

    # ------------------------------------------------------------------------------------------------ the laws

    @invariant()
    def what_is_on_the_bill_was_asked_for_and_is_known(self):
        """At most one charged order a job beyond what a person has asked for; and none that the ledger has forgotten."""
        states = {row[0]: row[1:] for row in self.rows("SELECT id, state, bucket, cost_micros FROM attempt")}
        charged = Counter(order.job_id for order in self.bill if not order.fails)
        assert all(times <= 1 + self.consents[name] for name, times in charged.items()), charged
        for order in self.bill:
            state, bucket, micros = states[order.attempt_id]
            if order.attempt_id not in self.denied:
                assert state in {"sending", "in_doubt", "accepted", "closed"}
                assert bucket is not None or micros is None or order.fails, "what it costs counts nowhere"

    @invariant()
    def the_account_is_the_sum_of_the_attempts(self):
        sums = Counter()
        for currency, bucket, micros in self.rows(
            "SELECT currency, bucket, cost_micros FROM attempt WHERE bucket <> ''"
        ):
            sums[currency, bucket] += micros or 0
        for currency, *found in self.rows(
            "SELECT currency, reserved_micros, spent_micros, uncertain_micros FROM account"
        ):
            assert found == [sums[currency, bucket] for bucket in ("reserved", "spent", "uncertain")]
            assert self.committed[currency] * 1_000_000 == sum(found)

    @invariant()
    def job_and_attempt_agree(self):
        jobs = {row[0]: row[1:] for row in self.rows("SELECT id, status, provider_job_id, replaced_by FROM job")}
        newest, live, owners = {}, Counter(), Counter()
        for name, state, bucket, provider, remote in self.rows(
            "SELECT job_id, state, bucket, provider, provider_job_id FROM attempt ORDER BY job_id, n"
        ):
            newest[name] = state
            live[name] += state in _LIVE
            owners[provider, remote] += remote is not None  # two providers may give the same one
            assert bucket in _BUCKETS_OF[state], (state, bucket)
        assert max(live.values(), default=0) <= 1
        assert max(owners.values(), default=0) <= 1
        for name, (status, remote, _) in jobs.items():
            assert newest.get(name) in _STATES_OF[JobStatus(status)], (name, status, newest.get(name))
            assert remote is not None or status not in ("waiting", "ready", "parked", "done")
        for name, status in self.ended.items():
            assert jobs[name][0] == status
        self.ended = {name: status for name, (status, *_) in jobs.items() if status in FINAL}

    @invariant()
    def what_is_sent_is_what_the_ledger_says(self):
        live = ", ".join(f"'{state}'" for state in LIVE_STATES)
        rows = self.rows(f"SELECT job_id, provider, fingerprint FROM attempt WHERE state IN ({live})")
        made_as = self.made_as() if rows else {}
        for name, provider, fingerprint in rows:
            order = made_as[name].order
            assert (provider, fingerprint) == (order.provider, order.fingerprint())

    @invariant()
    def nobody_is_told_to_send_twice(self):
        assert all(times == 1 for times in self.sent.values())


TestCampaign = Campaign.TestCase
TestCampaign.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize=EXAMPLES < 1000,
    suppress_health_check=list(HealthCheck),
)
