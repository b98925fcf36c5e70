"""How plans, jobs and providers look on a terminal."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from shlex import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.actions.overview import CampaignOverview
from pipelines.actions.prospect import Prospect
from pipelines.batch import Batch, own_columns_words
from pipelines.catalogue.manifest_row import ManifestRow
from pipelines.catalogue.report import Case
from pipelines.catalogue.sums import GroupSum
from pipelines.core.money import BUCKETS
from pipelines.core.remote_folder import shown_place
from pipelines.core.status import JobStatus, Tone
from pipelines.core.text.amounts import amount_text, assumed_text, price_text
from pipelines.core.text.counts import counted, first_of
from pipelines.core.text.sentences import changed_words, missing_words
from pipelines.ledger.set_aside import held_words
from pipelines.pricing.estimate import Estimate, jobs_to_make
from pipelines.pricing.plan_hash import plan_hash
from pipelines.run.doctor import DoctorFinding, Health

_MOST_ROWS = 40
_MOST_CASES = 10  # of a status; `ls` has them all
_NO_EDGE = 10_000
_LEAST_PROMPT = 12  # columns of a terminal; a plan with less room goes without the prompts
_COLOURS = {Tone.GOOD: "green", Tone.BUSY: "cyan", Tone.IDLE: None, Tone.WARN: "bold yellow", Tone.BAD: "red"}


def console() -> Console:
    """The terminal, or whatever standard output is: nothing in a text is markup, and a file or a pipe has no edge."""
    edge = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _NO_EDGE
    return Console(width=edge, highlight=False, markup=False, emoji=False)


def plain_table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """A table without lines, so that it can be read, copied and searched."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def _short(words: str, most: int = 60) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def plan_table(batch: Batch, estimated: Estimate, found: Prospect) -> None:
    """The first rows of a plan, what each would cost, and the whole."""
    terminal, rows = console(), []
    for job in batch.jobs[:_MOST_ROWS]:
        order, cost = job.order, price_text(job.cost_estimated, job.currency) or "unknown"
        size = " ".join(filter(None, (order.size, order.orientation)))
        model, cost = _short(order.model, 30), cost if job.enabled else "disabled"
        rows.append((job.id, order.provider, model, str(order.seconds or ""), size, cost))
    names = ("id", "provider", "model", "s", "size", "cost")
    room = terminal.width - sum(max(map(len, column)) + 2 for column in zip(names, *rows, strict=True))
    table = plain_table(*names, *(("prompt",) if room >= _LEAST_PROMPT else ()), right=("s", "cost"))
    for job, row in zip(batch.jobs, rows, strict=False):
        table.add_row(*row, *((_short(job.order.prompt, min(room, 60)),) if room >= _LEAST_PROMPT else ()))
    terminal.print(table)
    if len(batch.jobs) > _MOST_ROWS:
        terminal.print(f"... and {len(batch.jobs) - _MOST_ROWS} more")
    terminal.print()
    known = (
        found.repeats
        or found.refusal
        or found.events
        or found.room()
        or any(status is not JobStatus.PLANNED for status in found.counts)
    )
    there = ("A run is going on in that folder.",) if found.running else found.lines() if known else ()
    for line in (*_plan_lines(batch, estimated), *there):
        terminal.print(line, soft_wrap=True)
    terminal.print(f"plan {plan_hash(batch.jobs)[:12]}  (run exactly this with --plan)", soft_wrap=True)


def _plan_lines(batch: Batch, estimated: Estimate) -> Iterator[str]:
    """What a plan comes to, and what the table has no column for: fallbacks, and which clips are made of which."""
    for group in estimated.groups:
        assumed = " (assumed: the provider publishes none)" if group.assumed else ""
        yield f"{group.count} x {group.provider} {group.model}: {_money(group.totals)}{assumed}"
    unknown = f", and {len(estimated.unknown)} of unknown price" if estimated.unknown and estimated.totals else ""
    verb = "is" if estimated.skipped == 1 else "are"
    skipped = f"; {estimated.skipped:,} {verb} not made: disabled, or made of such a clip" if estimated.skipped else ""
    yield f"{batch.name}: {counted(estimated.count, 'video')}, {_money(estimated.totals)}{unknown}{skipped}"
    if estimated.most != estimated.totals:
        yield f"at most {_money(estimated.most)}, if every row turns to its dearest fallback"
    jobs = jobs_to_make(batch.jobs)
    ways = Counter(f"{way.order.provider} {way.order.model}" for job in jobs for way in job.fallbacks)
    if ways:
        named = [f"{way} for {counted(count, 'video')}" for way, count in ways.items()]
        yield f"fallbacks: {', '.join(named)}"
    if remixes := [f"{job.id} of {_short(job.order.remix_of, 40)}" for job in jobs if job.order.remix_of]:
        yield f"remixes: {first_of(remixes)}"
    if batch.kept:
        yield own_columns_words(batch.kept)


def _money(totals: Mapping[str, Decimal]) -> str:
    return ", ".join(price_text(amount, currency) for currency, amount in totals.items()) or "no known price"


def status_table(found: CampaignOverview) -> None:
    """Counts and money; of a rehearsal, what it would have cost."""
    terminal, counts = console(), found.counts
    total = sum(counts.counts.values())
    terminal.print(
        f"{counts.campaign} in {shown_place(found.folder)}: {counts.counts.get(JobStatus.DONE, 0)} of {total} done"
    )
    table = plain_table("status", "jobs", right=("jobs",))
    for status, count in counts.counts.items():
        table.add_row(status.label, str(count), style=_COLOURS[status.meaning.tone])
    terminal.print(table)
    aside = {
        "archived": counts.archived,
        "replaced by new takes": counts.replaced,
        "removed from the batch file": counts.removed,
    }
    if any(aside.values()):
        words = ", ".join(f"{count} {what}" for what, count in aside.items() if count)
        held = f"; of the sums below {theirs} is theirs" if (theirs := held_words(found.aside.money)) else ""
        terminal.print(f"not counted: {words} (ls --all shows them){held}", soft_wrap=True)
    if found.aside.open:
        named = first_of([each.words for each in found.aside.open])
        terminal.print(f"not counted, and money is open: {named}", soft_wrap=True)
    if counts.changed:
        terminal.print(changed_words(counts.changed, found.folder), soft_wrap=True)
    if found.missing:
        terminal.print(missing_words(found.missing, found.folder), soft_wrap=True)
    if found.rehearsal:
        terminal.print("This is a rehearsal: nothing was paid." + (" It would have cost:" if counts.money else ""))
    for money in counts.money:
        terminal.print(
            f"{money.currency}: "
            + ", ".join(f"{amount_text(money.of(b)[0])} {b}{assumed_text(*money.of(b))}" for b in BUCKETS),
            soft_wrap=True,
        )
    if counts.running:
        words = "manifest and gallery are as they were before it, and are written at its end"
        terminal.print(
            f"A run is going on: process {counts.run_pid} since {counts.run_since}; {words}.", soft_wrap=True
        )


def sums_table(column: str, groups: Sequence[GroupSum]) -> None:
    """What the jobs come to for each value of a column; of the money, only the kinds that there are."""
    kinds = [
        kind
        for kind in BUCKETS
        if kind == "spent" or any(money.of(kind)[0] for group in groups for money in group.money)
    ]
    table = plain_table(column, "jobs", "done", *kinds, "video", right=("jobs", "done", *kinds, "video"))
    for group in groups:
        table.add_row(
            "(none)" if group.value is None else _short(str(group.value)),
            f"{group.jobs:,}",
            f"{group.done:,}",
            *(
                ", ".join(
                    f"{price_text(money.of(kind)[0], money.currency)}{assumed_text(*money.of(kind))}"
                    for money in group.money
                    if money.of(kind)[0]
                )
                for kind in kinds
            ),
            f"{group.video_s:,.1f} s",
        )
    console().print()
    console().print(table)


def case_table(folder: Path, cases: Sequence[Case]) -> None:
    """What needs a person: of each status the first jobs, why, and what to do."""
    terminal = console()
    for (status, advice), group in groupby(cases, key=lambda case: (case.status, case.advice)):
        same = list(group)
        terminal.print(f"\n{status.label}: {advice}", style=_COLOURS[status.meaning.tone], soft_wrap=True)
        for case in same[:_MOST_CASES]:
            words = (case.id, case.cost, _short(case.reason, 160))
            terminal.print(f"  {'  '.join(filter(None, words))}", soft_wrap=True)
        if len(same) > _MOST_CASES:
            rest = f"{len(same) - _MOST_CASES} more: reelbatch ls {quote(shown_place(folder))} --status {status}"
            terminal.print(f"  ... and {rest}", soft_wrap=True)


def job_table(rows: Sequence[ManifestRow]) -> None:
    """One line a job."""
    table = plain_table("id", "status", "provider", "s", "cost", "file or reason", right=("s", "cost"))
    for row in rows:
        flags = f" [{', '.join(row.flags)}]" if row.flags else ""
        table.add_row(
            row.id,
            row.status.label,
            row.provider,
            str(row.params.get("seconds", "")),
            row.cost_words,
            _short(row.path or row.error_message or "", 90) + flags,
            style=_COLOURS[row.status.meaning.tone],
        )
    console().print(table)


def finding_table(found: Sequence[DoctorFinding]) -> None:
    """One line a check."""
    table = plain_table("check", "", "")
    colours = {Health.OK: "green", Health.NOTE: "yellow", Health.BAD: "bold red"}
    for finding in found:
        table.add_row(finding.name, Text(finding.health, style=colours[finding.health]), finding.words)
    console().print(table)
