"""Arguments and options that several commands share, so that they are named and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

BatchFile = Annotated[Path, typer.Argument(metavar="BATCH", help="Batch file: .csv, .yaml or .jsonl.")]
OutputFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Output folder of a run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output on standard output.")]
ProviderName = Annotated[str | None, typer.Option("--provider", help="Provider for rows that name none.")]
