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
from pipelines.job import JobStatus
from pipelines.ledger.views import Overview
from pipelines.money.estimate import Estimate
from pipelines.money.plan_hash import plan_hash
from pipelines.providers.profile import Price, Profile
from pipelines.tally import shown

_MOST_ROWS = 40
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


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False)


def _table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def _short(words: str, most: int = 60) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def plan_table(batch: Batch, estimated: Estimate) -> None:
    """The first rows of a plan, what each would cost, and the whole."""
    console = _console()
    table = _table("id", "provider", "model", "s", "size", "cost", "prompt", right=("s", "cost"))
    for job in batch.jobs[:_MOST_ROWS]:
        order = job.order
        size = " ".join(filter(None, (order.size, order.orientation)))
        cost = f"{job.cost_estimated} {job.currency}" if job.cost_estimated is not None else "unknown"
        if not job.enabled:
            cost = "disabled"
        table.add_row(job.id, order.provider, order.model, str(order.seconds or ""), size, cost, _short(order.prompt))
    console.print(table)
    if len(batch.jobs) > _MOST_ROWS:
        console.print(f"... and {len(batch.jobs) - _MOST_ROWS} more")
    console.print()
    for group in estimated.groups:
        assumed = " (assumed: the provider publishes none)" if group.assumed else ""
        console.print(f"{group.count} x {group.provider} {group.model}: {_money(group.totals)}{assumed}")
    unknown = f", and {len(estimated.unknown)} of unknown price" if estimated.unknown else ""
    console.print(f"{batch.name}: {estimated.count} videos, {_money(estimated.totals)}{unknown}")
    console.print(f"plan {plan_hash(batch.jobs)[:12]}  (run exactly this with --plan)")


def _money(totals: object) -> str:
    amounts = dict(totals) if isinstance(totals, dict) else {}
    return ", ".join(f"{amount} {currency}" for currency, amount in amounts.items()) or "no known price"


def status_table(folder: Path, overview: Overview) -> None:
    """Counts and money."""
    console = _console()
    total = sum(overview.counts.values())
    console.print(f"{overview.campaign} in {folder}: {overview.counts.get(JobStatus.DONE, 0)} of {total} done")
    table = _table("status", "jobs", right=("jobs",))
    for status, count in overview.counts.items():
        table.add_row(status.replace("_", " "), str(count), style=_COLOURS.get(status))
    console.print(table)
    for money in overview.money:
        console.print(
            f"{money.currency}: {shown(money.spent)} spent, {shown(money.reserved)} reserved, {shown(money.uncertain)} uncertain"
        )
    if overview.running:
        console.print(f"A run is going on: process {overview.run_pid} since {overview.run_since}.")


def job_table(rows: Sequence[ManifestRow]) -> None:
    """One line a job."""
    table = _table("id", "status", "provider", "s", "cost", "file or reason", right=("s", "cost"))
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
    _console().print(table)


def finding_table(found: Sequence[Finding]) -> None:
    """One line a check."""
    table = _table("check", "", "")
    colours = {Health.OK: "green", Health.NOTE: "yellow", Health.BAD: "bold red"}
    for finding in found:
        table.add_row(finding.name, Text(finding.health, style=colours[finding.health]), finding.words)
    _console().print(table)


def provider_table(profiles: Sequence[Profile]) -> None:
    """One line a provider."""
    table = _table("name", "models", "seconds", "sizes", "price from", "state")
    for profile in profiles:
        models = ", ".join(dict.fromkeys(model for mode in profile.modes for model in mode.models))
        seconds = ", ".join(str(s) for s in sorted({s for mode in profile.modes for s in mode.seconds.allowed}))
        sizes = ", ".join(dict.fromkeys(size for mode in profile.modes for size in mode.size.allowed))
        table.add_row(profile.name, models, seconds, sizes, _cheapest(profile.prices), _state(profile))
    _console().print(table)


def profile_card(profile: Profile) -> None:
    """Everything about one provider."""
    console = _console()
    console.print(f"{profile.name}: {profile.title}")
    console.print(f"  address    {profile.base_url}  (another one: {' or '.join(profile.base_url_env)})")
    console.print(f"  key        {' or '.join(profile.key_env)}")
    console.print(f"  state      {_state(profile)}")
    console.print(f"  prompt     at most {profile.prompt_most} characters")
    for mode in profile.modes:
        console.print(
            f"  mode {mode.name}: models {', '.join(mode.models)}; seconds {list(mode.seconds.allowed)}, "
            f"default {mode.seconds.default}; sizes {', '.join(mode.size.allowed)}, default {mode.size.default}; "
            f"images up to {mode.images.most}"
        )
    for price in profile.prices:
        console.print(
            f"  price      {_price(price)} for {price.model}{f' {price.size}' if price.size else ''}, "
            f"as of {price.as_of}: {price.source}"
        )
    limits = profile.limits
    console.print(f"  limits     {limits.in_flight} in flight, {limits.submit_per_minute:g} submissions a minute")
    for note in profile.notes:
        console.print(f"  note       {note}")


def _price(price: Price) -> str:
    return f"{price.amount} {price.currency} a {price.per}" + (" (assumed)" if price.assumed else "")


def _cheapest(prices: Sequence[Price]) -> str:
    return _price(min(prices, key=lambda price: price.amount)) if prices else "unknown"


def _state(profile: Profile) -> str:
    return f"retired on {profile.retired_on}" if profile.retired_on else "in service, as far as known"
