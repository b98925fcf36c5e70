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
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipelines.errors import BudgetReached
from pipelines.job import FINAL_STATUSES, Billed, Job, JobStatus, Order
from pipelines.ledger import attempts, endings, enrolment
from pipelines.ledger.attempts import Budget, Claim
from pipelines.ledger.database import open_engine
from pipelines.ledger.schema import LIVE_STATES, metadata
from pipelines.ledger.takeover import take_over

_STATES_OF = {  # by the job's status: the states that its newest attempt may be in
    JobStatus.PLANNED: {None, "not_sent", "rejected"},
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
_MOST = Decimal("1.60")


def _job(name: str) -> Job:
    order = Order(provider="qiniu", mode="video", model="sora-2", prompt=name, seconds=4, size="1280x720")
    cost = _COSTS[name]
    price = {"cost_estimated": Decimal(cost), "currency": "USD"} if cost else {}
    return Job(id=name, row=1, campaign="x", order=order, filename=f"{name}.mp4", **price)


class Money(RuleBasedStateMachine):
    """Everything that a run may do with four jobs and a budget, and the crashes between."""

    jobs: ClassVar = {name: _job(name) for name in _NAMES}

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="walk-"))
        self.connection = open_engine(self.folder / "x").connect()
        for pragma in ("synchronous=OFF", "journal_mode=MEMORY"):
            self.connection.connection.driver_connection.execute(f"PRAGMA {pragma}")
        self.claims: list[Claim] = []
        self.ended: dict[str, str] = {}
        self.sent: Counter[str] = Counter()

    def teardown(self):
        self.connection.close()
        shutil.rmtree(self.folder)

    def do(self, work, *args, **kwargs):
        self.connection.rollback()
        with self.connection.begin():
            return work(self.connection, *args, **kwargs)

    @initialize()
    def begin(self):
        def prepare(connection):
            metadata.create_all(connection)
            take_over(connection)
            enrolment.enrol(connection, list(self.jobs.values()), campaign="x", path=Path("x"), source_sha256="s")

        self.do(prepare)

    @rule(name=_NAME, capped=st.booleans())
    def claim(self, name, capped):
        budget = Budget(_MOST, "USD") if capped or name != "d" else None
        with contextlib.suppress(BudgetReached):
            claimed = self.do(attempts.claim, self.jobs[name], "account", budget)
            if isinstance(claimed, Claim):
                self.claims.append(claimed)

    @rule(data=st.data())
    def send(self, data):
        claimed = self.any_claim(data)
        if claimed and self.do(attempts.mark_sending, claimed):
            self.sent[claimed.attempt_id] += 1

    @rule(data=st.data(), provider_job_id=_ID)
    def accept(self, data, provider_job_id):
        if (claimed := self.any_claim(data)) and self.sent[claimed.attempt_id]:
            self.do(attempts.accepted, claimed, provider_job_id, None)

    @rule(data=st.data(), again=st.booleans())
    def reject(self, data, again):
        if (claimed := self.any_claim(data)) and self.sent[claimed.attempt_id]:
            self.do(attempts.rejected, claimed, code="c", message="m", http_status=400, again=again)

    @rule(data=st.data())
    def doubt(self, data):
        if claimed := self.any_claim(data):
            self.do(attempts.in_doubt, claimed, reason="reset")

    @rule(data=st.data())
    def not_sent(self, data):
        if claimed := self.any_claim(data):
            self.do(attempts.not_sent, claimed, "no route")

    @rule(name=_NAME)
    def ready(self, name):
        self.do(endings.ready, name, completed_at=datetime.now(UTC), url_expires_at=None)

    @rule(name=_NAME)
    def done(self, name):
        self.do(endings.done, name, output={"path": name}, flags=[], completed_at=None, url_expires_at=None)

    @rule(
        name=_NAME,
        status=st.sampled_from([JobStatus.FAILED, JobStatus.EXPIRED, JobStatus.CANCELLED]),
        billed=st.sampled_from(Billed),
    )
    def fail(self, name, status, billed):
        self.do(endings.failed, name, status=status, stage="generate", code="c", message="m", billed=billed)

    @rule(name=_NAME)
    def park(self, name):
        self.do(endings.parked, name, stage="generate", code="deadline", message="m")

    @rule()
    def crash_and_take_over(self):
        before = {row.id: row.state for row in self.rows("SELECT id, state FROM attempt")}
        self.do(take_over)
        after = {row.id: row.state for row in self.rows("SELECT id, state FROM attempt")}
        expected = {"claimed": "not_sent", "sending": "in_doubt"}
        assert after == {name: expected.get(state, state) for name, state in before.items()}

    @rule()
    def enrol_again(self):
        before = [tuple(row) for row in self.rows("SELECT * FROM job ORDER BY id")]
        jobs = list(self.jobs.values())
        self.do(enrolment.enrol, jobs, campaign="x", path=Path("x"), source_sha256="s")
        assert [tuple(row) for row in self.rows("SELECT * FROM job ORDER BY id")] == before

    def any_claim(self, data):
        return data.draw(st.sampled_from(self.claims)) if self.claims else None

    def rows(self, statement):
        self.connection.rollback()
        return self.connection.exec_driver_sql(statement).all()

    @invariant()
    def the_account_is_the_sum_of_the_attempts(self):
        pots = Counter()
        for row in self.rows("SELECT pot, sum(cost_micros) AS micros FROM attempt WHERE pot IS NOT NULL GROUP BY pot"):
            pots[row.pot] = row.micros or 0
        for row in self.rows("SELECT * FROM account"):
            assert (row.reserved_micros, row.spent_micros, row.uncertain_micros) == (
                pots["reserved"],
                pots["spent"],
                pots["uncertain"],
            )
            assert sum(pots.values()) <= _MOST * 1_000_000

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
        for row in self.rows("SELECT state, pot FROM attempt"):
            assert row.pot in _POTS_OF[row.state], row

    @invariant()
    def what_has_ended_stays_ended(self):
        now = {row.id: row.status for row in self.rows("SELECT id, status FROM job")}
        for name, status in self.ended.items():
            assert now[name] == status
        self.ended = {name: status for name, status in now.items() if status in FINAL_STATUSES}

    @invariant()
    def nobody_is_told_to_send_twice(self):
        assert all(times == 1 for times in self.sent.values())


TestMoney = Money.TestCase
TestMoney.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
