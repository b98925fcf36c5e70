"""Asked first: what a run would buy is said, and on a terminal a person says yes; elsewhere an option must have said so."""

from __future__ import annotations

import sys

from flows.command_line.talk import say
from pipelines.actions.prospect import Prospect, consent_missing, prospect
from pipelines.batch import Batch
from pipelines.run.buying import refusal_of
from pipelines.run.options import RunOptions


def ask_first(batch: Batch, options: RunOptions, *, agreed: bool) -> RunOptions | None:
    """Say what a run would do, and ask. Nothing is asked where nothing would be bought.

    Args:
        batch: the batch.
        options: of the run.
        agreed: `--yes`, or the hash of this very plan.

    Returns:
        The options to run with, a consent to buy again among them; None where a person says no.

    Raises:
        BoughtBefore: rows were bought before, and nobody is there to ask.
        SetupError: the run would spend money, and nobody has agreed to that.
    """
    if options.rehearse:
        return options
    found = prospect(batch, options)
    if found.running:  # whoever opens the ledger says so
        return options
    if found.repeats and not is_terminal():
        raise refusal_of(found.repeats)
    if found.new and not is_terminal() and not agreed and found.cap is None:
        raise consent_missing(found)
    for line in found.lines():
        say(line)
    return _asked(found, options, agreed=agreed)


def is_terminal() -> bool:
    """Tell whether a person can be asked: what is typed is read from standard input, the question is on standard error."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _asked(found: Prospect, options: RunOptions, *, agreed: bool) -> RunOptions | None:
    if found.repeats:
        return options.model_copy(update={"again": True}) if _yes("Buy these again?") else None
    if not found.new or agreed or not is_terminal():
        return options
    return options if _yes(f"Buy {len(found.new):,} for at most {found.price}?") else None


def _yes(question: str) -> bool:
    """Ask on standard error; anything but a yes is a no."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    try:
        return sys.stdin.readline().strip().casefold() in {"y", "yes"}
    finally:
        sys.stderr.flush()
