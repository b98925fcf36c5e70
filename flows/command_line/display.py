"""The progress of a run: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipelines.run.progress import Tally

_PLAIN_EVERY_S = 2.0
_STILL_EVERY_S = 60.0  # when nothing changes, so that nobody takes a run that waits for one that hangs
_SETTLE_S = 0.1  # changes that come together make one line: the counts of a run that is resumed


@contextmanager
def display(tally: Tally, *, plain: bool) -> Iterator[Callable[[str], None]]:
    """Show the tally as it changes, from inside an event loop. Yields a function that shows a line of words."""
    if plain or not sys.stderr.isatty():
        yield from _plain(tally)
    else:
        yield from _live(tally)


def _line(tally: Tally) -> str:
    parts = [f"{tally.done}/{tally.total} done", f"{tally.in_flight} in flight"]
    parts += [money] if (money := tally.money()) else []
    left = tally.seconds_left()
    if left is not None and tally.open:
        parts.append(f"about {_clock(left)} left")
    return " · ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _plain(tally: Tally) -> Iterator[Callable[[str], None]]:
    """What has changed, soon and not too often; and now and then that nothing has."""
    last, last_at = "", -_PLAIN_EVERY_S
    soon: asyncio.TimerHandle | None = None
    still: asyncio.TimerHandle | None = None

    def show(words: str) -> None:
        print(words, file=sys.stderr, flush=True)  # noqa: T201 - the plain display is lines on standard error

    def changed(_tally: Tally) -> None:
        nonlocal soon
        if soon is None:
            wait = max(_SETTLE_S, last_at + _PLAIN_EVERY_S - time.monotonic())
            soon = asyncio.get_running_loop().call_later(wait, tell)

    def tell() -> None:
        nonlocal soon
        soon = None
        if _line(tally) != last:
            tell_again()

    def tell_again() -> None:
        nonlocal last, last_at, still
        last, last_at = _line(tally), time.monotonic()
        show(last)
        if still is not None:
            still.cancel()
        still = asyncio.get_running_loop().call_later(_STILL_EVERY_S, tell_again)

    tally.listener, tally.listener_of_words = changed, show
    try:
        yield show
    finally:
        tally.listener = tally.listener_of_words = None
        for timer in (soon, still):
            if timer is not None:
                timer.cancel()


def _live(tally: Tally) -> Iterator[Callable[[str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), BarColumn(bar_width=30), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, refresh_per_second=8) as progress:
        bar = progress.add_task("", total=max(1, tally.total))

        def show(words: str) -> None:
            progress.update(bar, description=words)

        def changed(tally: Tally) -> None:
            progress.update(bar, completed=tally.ended, total=max(1, tally.total), description=_line(tally))

        def say(words: str) -> None:
            console.print(words, style="yellow", markup=False, highlight=False)

        tally.listener, tally.listener_of_words = changed, say
        try:
            yield show
        finally:
            tally.listener = tally.listener_of_words = None
