"""Asking before money is spent: on a terminal by a question, elsewhere by the options that say yes."""

from __future__ import annotations

import sys

import typer

from flows.command_line.talk import say
from pipelines.core.errors import SetupError


def ask_first(question: str, *, yes: bool, instead: str = "--yes") -> None:
    """Go on if the person says yes.

    Args:
        question: of the terminal.
        yes: it was said already.
        instead: the options that say it where there is no terminal.

    Raises:
        SetupError: there is nobody to ask. Nothing was changed.
        Exit: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise SetupError(f"There is no terminal to ask at. Add {instead}. Nothing was changed.")
    if not typer.confirm(question, default=False, err=True):
        say("Nothing was changed.")
        raise typer.Exit(2)
