"""A short table of a run for people: what needs them first."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from pipelines.core.text.amounts import price_text
from pipelines.ledger.views import JobRecord

_TURNED = "fallback_from:"  # the flag names the provider that was asked first


def summary_table(records: Sequence[JobRecord], *, most: int) -> list[dict[str, str]]:
    """At most `most` jobs, the ones that need a person first. Prompts stay out: they may be confidential."""
    chosen = sorted(records, key=lambda record: record.status.rank)[:most]
    return [
        {
            "id": record.job.id,
            "status": record.status.label,
            "provider": _via(record),
            "model": record.job.order.model,
            "seconds": str(record.job.order.seconds or ""),
            "size": record.job.order.size or "",
            "cost": price_text(_amount(record), record.job.currency),
            "file or reason": (record.output or {}).get("path") or record.error_message or "",
        }
        for record in chosen
    ]


def _via(record: JobRecord) -> str:
    """Who makes it; a fallback says whose place it took."""
    first = next((flag.removeprefix(_TURNED) for flag in record.flags if flag.startswith(_TURNED)), None)
    provider = record.job.order.provider
    return provider if first is None else f"via {provider}, fallback of {first}"


def _amount(record: JobRecord) -> Decimal | None:
    return record.job.cost_estimated if record.cost_actual is None else record.cost_actual
