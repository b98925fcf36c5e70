"""`reelbatch demo`: the bundled batch, rehearsed, from a prompt to the gallery."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.command_line.arguments import AsJson

NAME = "demo"


def command(
    out: Annotated[Path, typer.Option("--out", help="Output folder.")] = Path("outputs/demo"),
    speed: Annotated[float, typer.Option("--speed", help="How much faster than life.")] = 120.0,
    as_json: AsJson = False,
) -> None:
    """Rehearse the bundled example batch: real files, real HTTP, nothing paid. No key is needed."""
    from importlib.resources import as_file, files

    from flows.command_line.driving import drive
    from pipelines.batch import read_batch
    from pipelines.run.options import RunOptions

    with as_file(files("pipelines.batch.files").joinpath("samples", "demo.csv")) as path:
        code = drive(read_batch(path), RunOptions(out=out, rehearse=True, speed=speed), as_json=as_json)
    raise typer.Exit(code)
