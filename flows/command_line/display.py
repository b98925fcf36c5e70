"""The progress of a run: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipelines.core.events import Event, Observer
from pipelines.core.text.sentences import sentence
from pipelines.core.text.times import clock_text
from pipelines.run.progress import RunProgress

_PLAIN_EVERY_S = 2.0
_STILL_EVERY_S = 60.0  # when nothing changes, so that nobody takes a run that waits for one that hangs
_SETTLE_S = 0.1  # changes that come together make one line: the counts of a run that is resumed

Show = Callable[[str], None]  # a line of words


@contextmanager
def display(progress: RunProgress, *, plain: bool) -> Iterator[tuple[Show, Observer]]:
    """Show a run as it changes, from inside an event loop.

    Yields:
        A function that shows a line of words, and the observer that the run is to tell.
    """
    if plain or not sys.stderr.isatty():
        yield from _plain(progress)
    else:
        yield from _live(progress)


def _line(progress: RunProgress) -> str:
    parts = [f"{progress.done}/{progress.total} done", f"{progress.in_flight} in flight"]
    parts += [money] if (money := progress.money()) else []
    left = progress.seconds_left()
    if left is not None and progress.open:
        parts.append(f"about {clock_text(left)} left")
    return " · ".join(parts)


def _plain(progress: RunProgress) -> Iterator[tuple[Show, Observer]]:
    """Show what has changed, soon and not too often; and now and then that nothing has."""
    last, last_at = "", -_PLAIN_EVERY_S
    soon: asyncio.TimerHandle | None = None
    still: asyncio.TimerHandle | None = None
    over = False

    def show(words: str) -> None:
        print(words, file=sys.stderr, flush=True)  # noqa: T201 - the plain display is lines on standard error

    def observe(event: Event) -> None:
        nonlocal soon
        if over:
            return
        if (said := sentence(event)) is not None:
            show(said.words)
        if soon is None:
            wait = max(_SETTLE_S, last_at + _PLAIN_EVERY_S - time.monotonic())
            soon = asyncio.get_running_loop().call_later(wait, tell)

    def tell() -> None:
        nonlocal soon
        soon = None
        if _line(progress) != last:
            tell_again()

    def tell_again() -> None:
        nonlocal last, last_at, still
        last, last_at = _line(progress), time.monotonic()
        show(last)
        if still is not None:
            still.cancel()
        still = asyncio.get_running_loop().call_later(_STILL_EVERY_S, tell_again)

    try:
        yield show, observe
    finally:
        over = True
        for timer in (soon, still):
            if timer is not None:
                timer.cancel()


def _live(progress: RunProgress) -> Iterator[tuple[Show, Observer]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), BarColumn(bar_width=30), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, refresh_per_second=8) as bars:
        bar = bars.add_task("", total=max(1, progress.total))

        def show(words: str) -> None:
            bars.update(bar, description=words)

        def observe(event: Event) -> None:
            bars.update(bar, completed=progress.ended, total=max(1, progress.total), description=_line(progress))
            if (said := sentence(event)) is not None:
                console.print(said.words, style="yellow", markup=False, highlight=False)

        yield show, observe
