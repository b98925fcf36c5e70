"""Arguments and options that several commands share, so that they are named and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

BatchFile = Annotated[Path, typer.Argument(metavar="BATCH", help="Batch file: .csv, .xlsx, .yaml or .jsonl.")]


def _folder(text: str) -> Path:
    from pipelines.core.remote_folder import folder_named

    return folder_named(text)


def opened_folder(text: str) -> Path:
    """The output folder that a person names. Of one in a bucket the working folder, which knows where its ledger is."""
    from pipelines.core.remote_folder import is_bucket_address

    folder = _folder(text)
    if is_bucket_address(str(text)):
        from pipelines.ledger.storage.place import PLACE_NOTE
        from pipelines.outputs.storage.object_store import brought_down

        brought_down(folder, PLACE_NOTE)
    return folder


OutputFolder = Annotated[
    Path,
    typer.Argument(metavar="DIR", parser=opened_folder, help="Output folder of a run, or its address in a bucket."),
]
JobId = Annotated[str, typer.Argument(metavar="ID", help="A job, by its id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output on standard output.")]
Fallback = Annotated[
    list[str] | None,
    typer.Option(
        "--fallback", help="Where rows turn to that were surely refused: NAME or NAME:MODEL. May be given again."
    ),
]
ProfileFiles = Annotated[
    list[Path] | None, typer.Option("--profile", help="A profile of a provider, as a YAML file. May be given again.")
]
TrustHost = Annotated[
    list[str] | None,
    typer.Option("--trust-host", help="HOST[:PORT] that files may come from though it is private. May be given again."),
]
Occurrence = Annotated[
    str | None,
    typer.Option(
        "--occurrence", help="For when it is made, in a folder of its own: 2026-11-21, '2026-11-21 02:00+01:00'."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        parser=_folder,
        help="Output folder, or s3://bucket/folder. Default: outputs/<name> beside the batch.",
    ),
]
LedgerAt = Annotated[
    str | None,
    typer.Option("--ledger", help="Where the ledger is: a path, or postgresql://host/database to share it."),
]
Again = Annotated[bool, typer.Option("--again", help="Buy also what an earlier run has bought, anywhere.")]
ProviderName = Annotated[str | None, typer.Option("--provider", help="Provider for rows that name none.")]
Budget = Annotated[str | None, typer.Option("--budget", help="The most that may be spent, such as 25.")]
BudgetPerDay = Annotated[
    float | None,
    typer.Option("--budget-per-day", help="The most that all campaigns together may spend in a day (UTC)."),
]
BudgetPerMonth = Annotated[
    float | None, typer.Option("--budget-per-month", help="The same for a month. Default: REELBATCH_BUDGET_PER_MONTH.")
]
InFlight = Annotated[int | None, typer.Option("--in-flight", help="Jobs at each provider at once.")]
PerMinute = Annotated[float | None, typer.Option("--per-minute", help="Submissions a minute.")]
Only = Annotated[list[str] | None, typer.Option("--only", help="Only this job. May be given again.")]
Limit = Annotated[int | None, typer.Option("--limit", help="Only the first so many unfinished jobs.")]
PollEvery = Annotated[
    float | None, typer.Option("--poll-every", help="Seconds between status queries of a job. Default: learned.")
]
WaitForProvider = Annotated[
    float, typer.Option("--wait-for-provider", help="Seconds to wait for a provider that cannot be reached.")
]
Rehearse = Annotated[bool, typer.Option("--rehearse", help="Use the embedded sandbox; nothing is paid.")]
Faults = Annotated[str | None, typer.Option("--faults", help="Rehearsal: a fault script. Default: none.")]
Speed = Annotated[float | None, typer.Option("--speed", help="Rehearsal: how much faster than life. Default: 60.")]
Latency = Annotated[str | None, typer.Option("--latency", help="Rehearsal: seconds that a job takes.")]

InsecureCallbacks = Annotated[
    bool, typer.Option("--insecure-callbacks", help="Receive callbacks where others can reach it, without TLS.")
]

# Of deployments.

Yes = Annotated[bool, typer.Option("--yes", help="Spend without a cap.")]
Cron = Annotated[str | None, typer.Option("--cron", help="When it runs, such as '0 2 * * *'.")]
Interval = Annotated[float | None, typer.Option("--interval", help="It runs every so many seconds.")]
Timezone = Annotated[
    str, typer.Option("--timezone", help="Of the schedule, its days and --occurrence, such as Europe/Berlin.")
]
