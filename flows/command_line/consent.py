"""Asking before money is spent: on a terminal by a question, elsewhere by the options that say yes."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import typer

from flows.command_line.talk import say
from pipelines.actions.prospect import consent_missing, prospect
from pipelines.batch import Batch
from pipelines.core.errors import SetupError
from pipelines.run.buying import refusal_of
from pipelines.run.exit_code import BAD_INPUT
from pipelines.run.options import RunOptions


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
    if not _is_terminal():
        raise SetupError(f"There is no terminal to ask at. Add {instead}. Nothing was changed.")
    if not _says_yes(question):
        say("Nothing was sent, and nothing was changed.")
        raise typer.Exit(BAD_INPUT)


def ask_before_run(
    batch: Batch,
    options: RunOptions,
    heard: deque[str],
    *,
    agreed: bool,
    kept: Mapping[str, str] | None = None,
) -> RunOptions:
    """Say what a run would do, and ask. Nothing is asked where nothing would be bought.

    Args:
        batch: the batch.
        options: of the run.
        heard: what the person has heard is put there.
        agreed: a person has agreed to the price: `--yes`, or the hash of this very plan.
        kept: keys and addresses that count where the environment has no key.

    Returns:
        The options to run with: a consent to buy again is among them.

    Raises:
        BoughtBefore: rows were bought before, and nobody is there to ask; or the file is what a campaign has written of them.
        SetupError: the run would spend money, and nobody has agreed to that.
        Exit: the answer is no.
    """
    if options.rehearse:
        return options
    found = prospect(batch, options, kept)
    if found.running:  # whoever opens the ledger says so
        return options
    if found.refusal is not None:
        raise found.refusal
    if not _is_terminal():
        if found.repeats:
            raise refusal_of(found.repeats)
        if found.new and not agreed and found.cap is None:
            raise consent_missing(found)
    for line in found.lines():
        say(line)
        heard.append(line)
    if found.repeats:
        ask_first("Buy these again?", yes=False)
        return options.model_copy(update={"again": True})
    question = f"Buy {len(found.new):,} for at most {found.price}?"
    ask_first(question, yes=agreed or not found.new or not _is_terminal())
    return options


def _is_terminal() -> bool:
    """Tell whether a person can be asked: the answer is read from standard input."""
    return sys.stdin is not None and sys.stdin.isatty()


def _says_yes(question: str) -> bool:
    """Ask on standard error, and at the terminal itself if that goes elsewhere; anything but a yes is a no."""
    words = f"{question} [y/N] "
    if not sys.stderr.isatty():
        with suppress(OSError, ValueError):
            Path(os.ttyname(sys.stdin.fileno())).write_text(words, "utf-8")
    sys.stderr.write(words)
    sys.stderr.flush()
    return sys.stdin.readline().strip().casefold() in {"y", "yes"}
