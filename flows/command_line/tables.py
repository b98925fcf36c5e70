"""How plans, jobs and providers look on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.batch import Batch
from pipelines.catalogue.row import ManifestRow
from pipelines.checkup import Finding, Health
from pipelines.job import Job, JobStatus
from pipelines.ledger.views import Overview
from pipelines.money.estimate import Estimate
from pipelines.money.plan_hash import plan_hash
from pipelines.tally import shown

_MOST_ROWS = 40
_LEAST_PROMPT = 12  # columns of a terminal; a plan with less room goes without the prompts
_COLOURS = {
    JobStatus.DONE: "green",
    JobStatus.WAITING: "cyan",
    JobStatus.READY: "cyan",
    JobStatus.SUBMITTING: "cyan",
    JobStatus.IN_DOUBT: "bold red",
    JobStatus.EXPIRED: "bold red",
    JobStatus.FAILED: "red",
    JobStatus.REJECTED: "red",
    JobStatus.PARKED: "yellow",
}


def console() -> Console:
    """The terminal, or whatever standard output is: nothing in a text is markup."""
    return Console(highlight=False, markup=False, emoji=False)


def plain_table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """A table without lines, so that it can be read, copied and searched."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def _short(words: str, most: int = 60) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def plan_table(batch: Batch, estimated: Estimate) -> None:
    """The first rows of a plan, what each would cost, and the whole."""
    terminal = console()
    names = ("id", "provider", "model", "s", "size", "cost")
    jobs = batch.jobs[:_MOST_ROWS]
    rows = [_planned(job) for job in jobs]
    room = terminal.width - sum(max(map(len, column)) + 2 for column in zip(names, *rows, strict=True))
    table = plain_table(*names, *(("prompt",) if room >= _LEAST_PROMPT else ()), right=("s", "cost"))
    for job, row in zip(jobs, rows, strict=True):
        table.add_row(*row, *((_short(job.order.prompt, min(room, 60)),) if room >= _LEAST_PROMPT else ()))
    terminal.print(table)
    if len(batch.jobs) > _MOST_ROWS:
        terminal.print(f"... and {len(batch.jobs) - _MOST_ROWS} more")
    terminal.print()
    for group in estimated.groups:
        assumed = " (assumed: the provider publishes none)" if group.assumed else ""
        terminal.print(f"{group.count} x {group.provider} {group.model}: {_money(group.totals)}{assumed}")
    unknown = f", and {len(estimated.unknown)} of unknown price" if estimated.unknown else ""
    terminal.print(f"{batch.name}: {estimated.count} videos, {_money(estimated.totals)}{unknown}")
    if estimated.most != estimated.totals:
        terminal.print(f"at most {_money(estimated.most)}, if every row turns to its dearest fallback")
    terminal.print(f"plan {plan_hash(batch.jobs)[:12]}  (run exactly this with --plan)")


def _planned(job: Job) -> tuple[str, ...]:
    order = job.order
    size = " ".join(filter(None, (order.size, order.orientation)))
    cost = f"{job.cost_estimated} {job.currency}" if job.cost_estimated is not None else "unknown"
    cost = cost if job.enabled else "disabled"
    return job.id, order.provider, _short(order.model, 30), str(order.seconds or ""), size, cost


def _money(totals: object) -> str:
    amounts = dict(totals) if isinstance(totals, dict) else {}
    return ", ".join(f"{amount} {currency}" for currency, amount in amounts.items()) or "no known price"


def status_table(folder: Path, overview: Overview) -> None:
    """Counts and money."""
    terminal = console()
    total = sum(overview.counts.values())
    terminal.print(f"{overview.campaign} in {folder}: {overview.counts.get(JobStatus.DONE, 0)} of {total} done")
    table = plain_table("status", "jobs", right=("jobs",))
    for status, count in overview.counts.items():
        table.add_row(status.replace("_", " "), str(count), style=_COLOURS.get(status))
    terminal.print(table)
    for money in overview.money:
        terminal.print(
            f"{money.currency}: {shown(money.spent)} spent, {shown(money.reserved)} reserved, {shown(money.uncertain)} uncertain"
        )
    if overview.running:
        terminal.print(f"A run is going on: process {overview.run_pid} since {overview.run_since}.")


def job_table(rows: Sequence[ManifestRow]) -> None:
    """One line a job."""
    table = plain_table("id", "status", "provider", "s", "cost", "file or reason", right=("s", "cost"))
    for row in rows:
        cost = row.cost_actual if row.cost_actual is not None else row.cost_estimated
        flags = f" [{', '.join(row.flags)}]" if row.flags else ""
        table.add_row(
            row.id,
            row.status.replace("_", " "),
            row.provider,
            str(row.params.get("seconds", "")),
            f"{shown(cost)} {row.currency}" if cost is not None else "",
            _short(row.path or row.error_message or "", 90) + flags,
            style=_COLOURS.get(row.status),
        )
    console().print(table)


def finding_table(found: Sequence[Finding]) -> None:
    """One line a check."""
    table = plain_table("check", "", "")
    colours = {Health.OK: "green", Health.NOTE: "yellow", Health.BAD: "bold red"}
    for finding in found:
        table.add_row(finding.name, Text(finding.health, style=colours[finding.health]), finding.words)
    console().print(table)
