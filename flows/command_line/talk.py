"""Where words go: data to standard output, talk to standard error."""

from __future__ import annotations

import json
import sys
from contextvars import ContextVar
from typing import Any

import typer

debug_wanted: ContextVar[bool] = ContextVar("debug_wanted", default=False)


def say(words: str) -> None:
    """Talk to the person."""
    typer.echo(words, err=True)


def show_error(words: str) -> None:
    """Say what is wrong, in one block that starts with `error:`."""
    label = typer.style("error:", fg="red", bold=True) if sys.stderr.isatty() else "error:"
    typer.echo(f"{label} {words}", err=True)


def show_warnings(warnings: tuple[Any, ...]) -> None:
    """Say what looks odd but is allowed."""
    label = typer.style("warning:", fg="yellow") if sys.stderr.isatty() else "warning:"
    for warning in warnings:
        typer.echo(f"{label} {warning}", err=True)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def errors_as_json(error: Exception) -> list[dict[str, str]]:
    """Every problem that an error speaks of, for machines: where, what, and how to mend it, as far as they are known."""
    problems = getattr(error, "problems", None)
    if problems is None:
        return [{"what": str(error)}]
    return [{"where": one.where, "what": one.what, "fix": one.fix} for one in problems]


def say_taken_up(told: dict[str, Any], run: Any, *, as_json: bool) -> None:
    """Say which run makes what was asked for, where one goes on.

    Args:
        told: what was asked for, for machines.
        run: that goes on: its `host` and its `pid`.
        as_json: for machines.
    """
    if as_json:
        print_json(told | {"taken_up_by": {"host": run.host, "pid": run.pid}})
    say(
        f"The run that goes on ({run}) makes it, within its own caps. `reelbatch status {told['folder']}` shows how far it is."
    )
