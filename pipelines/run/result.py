"""What a campaign came to, for programs: what the flow returns, and what its error carries."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pipelines.core.money import Balance
from pipelines.core.remote_folder import bucket_address
from pipelines.core.status import JobStatus
from pipelines.core.stop_reason import StopReason
from pipelines.run.exit_code import ALL_DONE, BUDGET, SOME_FAILED
from pipelines.run.run import Run


class Money(BaseModel):
    """What a campaign has cost in one currency. Of a rehearsal: what it would have cost."""

    model_config = ConfigDict(frozen=True)

    currency: str
    spent: float
    reserved: float  # for what is at a provider
    uncertain: float  # nobody knows whether it is charged
    assumed: float = 0.0  # so much of all three rests on prices that no provider has published


class CampaignResult(BaseModel):
    """What a campaign came to."""

    model_config = ConfigDict(frozen=True)

    campaign: str
    words: str  # `11 of 12 done, 1 failed`
    occurrence: str | None = None  # of a schedule's tick
    folder: Path  # of one in a bucket the working folder, which may go
    storage_uri: str | None = None  # of the folder, where it is in a bucket
    manifest: Path
    gallery: Path
    counts: dict[str, int]  # jobs by status; only those that there are
    money: tuple[Money, ...] = ()
    rehearsal: bool = False  # nothing was paid
    exit_code: int = 0
    reasons: tuple[str, ...] = ()  # why it did less than everything
    warnings: tuple[str, ...] = ()  # what it has left as it was, for a person to decide
    stopped: StopReason | None = None  # who stopped it before its end
    flow_run_id: str | None = None

    @property
    def end(self) -> str:
        """How it ended, as the name of a state: `Completed`, `Cancelled`, `Budget Reached`, `In Doubt`, `Rows Failed`."""
        if self.stopped is not None:
            return self.stopped.end
        if self.exit_code == ALL_DONE:
            return "Completed"
        if self.counts.get(JobStatus.IN_DOUBT):
            return "In Doubt"
        return {BUDGET: "Budget Reached", SOME_FAILED: "Rows Failed"}.get(self.exit_code, "Unfinished")


def campaign_result(run: Run, words: str, balances: list[Balance], flow_run_id: str | None = None) -> CampaignResult:
    """Say what a run came to.

    Args:
        run: at its end.
        words: how far it came.
        balances: of its ledger.
        flow_run_id: of Prefect, where there is one.
    """
    ended, tick = run.result(), run.options.tick
    return CampaignResult(
        campaign=run.batch.name,
        words=words,
        occurrence=None if tick is None else tick.key,
        folder=run.folder,
        storage_uri=bucket_address(run.folder),
        manifest=run.folder / "manifest.jsonl",
        gallery=run.folder / "gallery.html",
        counts={str(status): count for status, count in run.progress.counts.items() if count},
        money=tuple(
            Money(
                currency=b.currency,
                spent=float(b.spent),
                reserved=float(b.reserved),
                uncertain=float(b.uncertain),
                assumed=float(b.spent_assumed + b.reserved_assumed + b.uncertain_assumed),
            )
            for b in balances
        ),
        rehearsal=run.options.rehearse,
        exit_code=ended.exit_code,
        reasons=ended.reasons,
        warnings=ended.warnings,
        stopped=run.stopped,
        flow_run_id=flow_run_id,
    )
