"""`reelbatch init`: a commented sample batch to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.command_line.talk import say

NAME = "init"


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it: .yaml or .csv.")] = Path(
        "batch.yaml"
    ),
) -> None:
    """Write a commented sample batch."""
    from pipelines.batch import sample_text
    from pipelines.core.errors import SetupError

    text = sample_text(file.suffix, str(file))
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        raise SetupError(f"{file} exists already and was left alone. Give another name.") from None
    except OSError as error:
        raise SetupError(f"{file} cannot be written ({error.strerror}).") from None
    say(f"Wrote {file}. Look at the price with `reelbatch plan {file}`, try it with `reelbatch run {file} --rehearse`.")
