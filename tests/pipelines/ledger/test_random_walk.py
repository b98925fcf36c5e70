"""The money state machine: whatever order things happen in, the laws of the ledger hold after every step."""
# ruff: noqa: D102 - a rule and a law are named for what they say

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipelines.core.errors import BudgetReached
from pipelines.core.job import Choice, Job, Order, RemoteJob
from pipelines.core.outcome import Accepted, Done, Failed, FellBack, InDoubt, Parked, Ready, Rejected, Skipped, Unsent
from pipelines.core.status import FINAL, Billed, JobStatus
from pipelines.ledger import attempts, outcomes, registration, views
from pipelines.ledger.attempts import Budget, Claim
from pipelines.ledger.job_state import state_of
from pipelines.ledger.recovery import recover
from pipelines.ledger.storage.schema import LIVE_STATES, metadata
from pipelines.ledger.storage.sqlite import open_engine
from tests.pipelines.ledger.conftest import fell_back

_STATES_OF = {  # by the job's status: the states that its newest attempt may be in
    JobStatus.PLANNED: {None, "not_sent", "rejected"},
    JobStatus.SKIPPED: {None, "not_sent", "rejected"},
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
_POTS_OF = {
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
_ID = st.sampled_from(["p-1", "p-2", "p-3", "p-4", "p-5"])
_VERDICT = st.sampled_from(["accepted", "refused", "in doubt", "again"])
_ENDINGS = (JobStatus.READY, JobStatus.PARKED, JobStatus.DONE, JobStatus.FAILED, JobStatus.EXPIRED, JobStatus.CANCELLED)
_MOST = Decimal("1.60")


_NO = {"code": "c", "message": "m", "http_status": 400}
_UNSENT = (JobStatus.PLANNED, JobStatus.SKIPPED)


def _choice(name: str, provider: str, factor: int, currency: str) -> Choice:
    order = Order(provider=provider, mode="video", model="sora-2", prompt=name, seconds=4, size="1280x720")
    cost = _COSTS[name]
    return (
        Choice(order=order, cost_estimated=factor * Decimal(cost), currency=currency) if cost else Choice(order=order)
    )


def _job(name: str) -> Job:
    first = _choice(name, "qiniu", 1, "USD")
    others = (_choice(name, "acedata", 2, "USD"), _choice(name, "openai", 3, "CNY"))
    return Job(id=name, row=1, campaign="x", filename=f"{name}.mp4", fallbacks=others, **dict(first))


class Money(RuleBasedStateMachine):
    """Everything that a run may do with four jobs, their fallbacks and a budget, and the crashes between."""

    jobs: ClassVar = {name: _job(name) for name in _NAMES}

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="walk-"))
        self.connection = open_engine(self.folder / "x").connect()
        for pragma in ("synchronous=OFF", "journal_mode=MEMORY"):
            self.connection.connection.driver_connection.execute(f"PRAGMA {pragma}")
        self.claims: list[Claim] = []
        self.made_as = dict(self.jobs)  # as they are made now
        self.ended: dict[str, str] = {}
        self.sent: Counter[str] = Counter()
        self.committed: Counter[str] = Counter()  # as the changes said

    def teardown(self):
        self.connection.close()
        shutil.rmtree(self.folder)

    def do(self, work, *args, **kwargs):
        self.connection.rollback()
        with self.connection.begin():
            return work(self.connection, *args, **kwargs)

    def tell(self, about, outcome):
        claimed = about if isinstance(about, Claim) else None
        name = claimed.job_id if claimed else about
        before = self.status_of(name)
        change = self.do(outcomes.record, name, outcome, claimed)
        self.agree(name, change)
        assert change.changed or change.state.status is before
        assert (change.outcome is not None) == change.changed
        return change

    def agree(self, name, change):
        """What a change says of the job and of the money is what the ledger has."""
        with self.connection.begin():
            assert change.state == state_of(self.connection, name)
        if change.money is not None:
            self.committed[change.money.currency] += change.money.committed

    @initialize()
    def begin(self):
        def prepare(connection):
            metadata.create_all(connection)
            recover(connection)
            registration.register(connection, list(self.jobs.values()), campaign="x", path=Path("x"), source_sha256="s")

        self.do(prepare)

    @rule(name=_NAME, capped=st.booleans())
    def claim(self, name, capped):
        job = self.made_as[name]
        budget = Budget(_MOST, "USD") if capped or job.currency == "USD" else None
        with contextlib.suppress(BudgetReached):
            change = self.do(outcomes.reserve, job, "account", budget)
            self.agree(name, change)
            if change.claim is not None:
                self.claims.append(change.claim)

    @rule(name=_NAME, turns=st.integers(0, 2))
    def claim_in_another_way(self, name, turns):
        job = self.jobs[name]
        for _ in range(turns):
            job = job.fall_back()
        if job != self.made_as[name]:
            assert self.do(outcomes.reserve, job, "account", None).claim is None

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), sent=st.booleans())
    def send(self, data, sent):
        claimed = data.draw(st.sampled_from(self.claims[::-1]))
        if not sent:
            self.tell(claimed, Unsent("no route"))
        elif self.do(attempts.mark_sending, claimed):
            self.sent[claimed.attempt_id] += 1

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), verdict=_VERDICT, provider_job_id=_ID)
    def answer(self, data, verdict, provider_job_id):
        sent = [claimed for claimed in self.claims[::-1] if self.sent[claimed.attempt_id]]
        self.record(data.draw(st.sampled_from(sent)), verdict, provider_job_id)

    @rule(name=_NAME, verdict=_VERDICT, provider_job_id=_ID)
    def submit(self, name, verdict, provider_job_id):
        before = len(self.claims)
        self.claim(name, capped=False)
        if len(self.claims) > before:
            claimed = self.claims[-1]
            assert self.do(attempts.mark_sending, claimed)
            self.sent[claimed.attempt_id] += 1
            self.record(claimed, verdict, provider_job_id)

    def record(self, claimed, verdict, provider_job_id):
        turned = self.made_as[claimed.job_id].fall_back()
        if verdict == "accepted":
            self.tell(claimed, Accepted(RemoteJob(provider_job_id)))
        elif verdict == "in doubt":
            self.tell(claimed, InDoubt(reason="reset"))
        elif verdict == "again" or turned is None:
            self.tell(claimed, Rejected("slow_down" if verdict == "again" else "row", **_NO))
        elif self.tell(claimed, fell_back(turned, **_NO)).changed:
            self.made_as[turned.id] = turned

    @rule(name=_NAME)
    def turn(self, name):
        turned = self.made_as[name].fall_back()
        unsent = self.status_of(name) is not JobStatus.REJECTED  # a refused job turns when it is refused, or never
        if turned and unsent and self.tell(name, FellBack(turned, code="closed", reason="no balance")).changed:
            self.made_as[name] = turned

    @rule(name=_NAME)
    def skip(self, name):
        self.tell(name, Skipped(code="parent_failed", message="m"))

    @rule(name=_NAME, how=st.sampled_from(_ENDINGS), billed=st.sampled_from(Billed))
    def end(self, name, how, billed):
        if how is JobStatus.READY:
            self.tell(name, Ready(completed_at=datetime.now(UTC), url_expires_at=None))
        elif how is JobStatus.DONE:
            self.tell(name, Done(output={"path": name}, flags=()))
        elif how is JobStatus.PARKED:
            self.tell(name, Parked(stage="generate", code="deadline", message="m"))
        else:
            self.tell(name, Failed(status=how, stage="generate", code="c", message="m", billed=billed))

    @rule()
    def crash_and_recover(self):
        before = {row.id: row.state for row in self.rows("SELECT id, state FROM attempt")}
        self.do(recover)
        after = {row.id: row.state for row in self.rows("SELECT id, state FROM attempt")}
        expected = {"claimed": "not_sent", "sending": "in_doubt"}
        assert after == {name: expected.get(state, state) for name, state in before.items()}
        for row in self.rows("SELECT * FROM account"):  # what the crash moved, nobody was told
            self.committed[row.currency] = (
                Decimal(row.reserved_micros + row.spent_micros + row.uncertain_micros) / 1_000_000
            )

    @rule()
    def enrol_again(self):
        bought = "SELECT * FROM job WHERE status NOT IN ('planned', 'skipped') ORDER BY id"
        before = [tuple(row) for row in self.rows(bought)]
        anew = {name for name in _NAMES if self.status_of(name) in _UNSENT}
        jobs = list(self.jobs.values())
        self.do(registration.register, jobs, campaign="x", path=Path("x"), source_sha256="s")
        self.made_as |= {name: self.jobs[name] for name in anew}
        assert [tuple(row) for row in self.rows(bought)] == before
        assert all(self.status_of(name) is JobStatus.PLANNED for name in anew)
        self.ended = {name: status for name, status in self.ended.items() if name not in anew}

    def status_of(self, name):
        return JobStatus(self.rows(f"SELECT status FROM job WHERE id = '{name}'")[0].status)

    def rows(self, statement):
        self.connection.rollback()
        return self.connection.exec_driver_sql(statement).all()

    @invariant()
    def the_account_is_the_sum_of_the_attempts(self):
        buckets = Counter()
        for row in self.rows("SELECT currency, bucket, cost_micros FROM attempt WHERE bucket IS NOT NULL"):
            buckets[row.currency, row.bucket] += row.cost_micros or 0
        for row in self.rows("SELECT * FROM account"):
            found = (row.reserved_micros, row.spent_micros, row.uncertain_micros)
            assert found == tuple(buckets[row.currency, bucket] for bucket in ("reserved", "spent", "uncertain"))
            assert self.committed[row.currency] * 1_000_000 == sum(found)
        assert sum(micros for (currency, _), micros in buckets.items() if currency == "USD") <= _MOST * 1_000_000

    @invariant()
    def no_job_is_paid_for_twice(self):
        paid = "SELECT job_id FROM attempt WHERE state IN ('in_doubt', 'accepted', 'closed')"
        assert self.rows(f"{paid} GROUP BY job_id HAVING count(*) > 1") == []

    @invariant()
    def what_is_sent_is_what_the_ledger_says(self):
        self.connection.rollback()
        made_as = {record.job.id: record.job for record in views.records(self.connection)}
        assert made_as == self.made_as
        live = ", ".join(f"'{state}'" for state in LIVE_STATES)
        for row in self.rows(f"SELECT * FROM attempt WHERE state IN ({live})"):
            order = made_as[row.job_id].order
            assert (row.provider, row.fingerprint) == (order.provider, order.fingerprint())

    @invariant()
    def one_live_attempt_a_job_and_one_owner_an_id(self):
        live = ", ".join(f"'{state}'" for state in LIVE_STATES)
        most = f"SELECT job_id FROM attempt WHERE state IN ({live}) GROUP BY job_id HAVING count(*) > 1"
        assert self.rows(most) == []
        owners = "SELECT provider_job_id FROM attempt WHERE provider_job_id IS NOT NULL"
        assert self.rows(f"{owners} GROUP BY provider_job_id HAVING count(*) > 1") == []
        assert self.rows("SELECT 1 FROM job WHERE provider_job_id IS NULL AND status IN ('waiting', 'done')") == []

    @invariant()
    def job_and_attempt_agree(self):
        newest = "SELECT state FROM attempt WHERE job_id = job.id ORDER BY n DESC LIMIT 1"
        for row in self.rows(f"SELECT id, status, ({newest}) AS state FROM job"):
            assert row.state in _STATES_OF[JobStatus(row.status)], row
        for row in self.rows("SELECT state, bucket FROM attempt"):
            assert row.bucket in _POTS_OF[row.state], row

    @invariant()
    def what_has_ended_stays_ended(self):
        now = {row.id: row.status for row in self.rows("SELECT id, status FROM job")}
        for name, status in self.ended.items():
            assert now[name] == status
        self.ended = {name: status for name, status in now.items() if status in FINAL}

    @invariant()
    def nobody_is_told_to_send_twice(self):
        assert all(times == 1 for times in self.sent.values())


TestMoney = Money.TestCase
TestMoney.settings = settings(
    max_examples=30, stateful_step_count=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
