"""Rows with the same prompt: allowed, as somebody may want several, and said, as somebody may not."""

from __future__ import annotations

from decimal import Decimal

from pipelines.batch.files.document import Document, rows_named
from pipelines.batch.findings import Report
from pipelines.core.job import Job
from pipelines.core.text.excerpt import quoted


def warn_of_duplicate_prompts(jobs: tuple[Job, ...], document: Document, report: Report, most: int = 20) -> None:
    """Warn of rows that buy the same prompt more than once, with what they cost together."""
    first: dict[tuple[str, str | None], int] = {}  # remixes of different clips are different, whatever their prompt
    again: dict[tuple[str, str | None], list[int]] = {}
    for place, job in enumerate(jobs):
        if job.enabled and job.take == 1 and job.order.prompt:
            key = job.order.prompt, job.order.remix_of
            before = first.setdefault(key, place)
            if jobs[before].row != job.row:
                again.setdefault(key, [before]).append(place)
    for (prompt, _), places in list(again.items())[:most]:
        rows = rows_named(document, list(dict.fromkeys(jobs[place].row - 1 for place in places)))
        costs: dict[str, Decimal] = {}
        for place in places:
            cost, currency = jobs[place].cost_estimated, jobs[place].currency
            if cost is not None and currency is not None:
                costs[currency] = costs.get(currency, Decimal(0)) + cost
        together = " and ".join(f"{amount} {currency}" for currency, amount in costs.items()) or "an unknown sum"
        what = f"has the same prompt as others, {quoted(prompt, 40)}: {rows} cost {together} together."
        report.warn(document.where(jobs[places[1]].row - 1, "prompt"), what, "Use takes to ask for several on purpose.")
    if len(again) > most:
        report.warn(document.file, f"{len(again) - most} more prompts are used by several rows.")
