"""Arguments and options that several commands share, so that they are named and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

BatchFile = Annotated[Path, typer.Argument(metavar="BATCH", help="Batch file: .csv, .xlsx, .yaml or .jsonl.")]
OutputFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Output folder of a run.")]
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
Occurrence = Annotated[
    str | None,
    typer.Option("--occurrence", help="For when it is made, in a folder of its own: 2026-11-21 or 2026-11-21T02:00."),
]
ProviderName = Annotated[str | None, typer.Option("--provider", help="Provider for rows that name none.")]
