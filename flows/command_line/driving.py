"""Driving the campaign flow from a terminal: Prefect's settings, the progress display, Ctrl-C, and the last words."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from inspect import isawaitable
from pathlib import Path
from typing import Any

from flows.command_line.display import display
from flows.command_line.prefect_server import temporary_server
from flows.command_line.talk import print_json, say, show_error
from pipelines.batch import Batch
from pipelines.core.errors import ReelbatchError, SetupError
from pipelines.core.text.amounts import buckets_text
from pipelines.ledger.balances import balances
from pipelines.ledger.ledger import LedgerReader
from pipelines.run.exit_code import INTERRUPTED
from pipelines.run.opening import check_setup, ledger_of, output_folder
from pipelines.run.options import RunOptions
from pipelines.run.progress import SAID, Tally, watched_tally
from pipelines.run.run import planned_batch

_DRAIN_S = 10.0

#: What a terminal run needs of Prefect; whatever the user has set already wins.
_PREFECT = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "CRITICAL",  # else each try that fails shows its traceback
    "PREFECT_LOGGING_LOGGERS_PREFECT_FLOW_RUNS_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "reelbatch",  # what a run says on the terminal stands in its logs in the UI, too
}


def drive(batch: Batch, options: RunOptions, *, as_json: bool) -> int:
    """Run the campaign flow to its end and say how it went.

    Returns:
        The exit code.

    Raises:
        ReelbatchError: the run could not begin.
    """
    check_setup(batch, options)
    for name, value in _PREFECT.items():
        os.environ.setdefault(name, value)
    tally = Tally(total=len(batch.jobs))
    try:
        with _terminal_log():
            asyncio.run(_drive(batch, options, tally, as_json=as_json))
    except BaseException as error:
        from prefect.exceptions import TerminationSignal  # loaded by now

        if not isinstance(error, KeyboardInterrupt | asyncio.CancelledError | TerminationSignal):
            raise
        show_error("Interrupted before anything was sent.")
        return INTERRUPTED
    folder = output_folder(batch, options)
    _last_words(tally, folder, ledger_of(folder, options), as_json=as_json, rehearsed=options.rehearse)
    return tally.exit_code if tally.exit_code is not None else 1


@contextmanager
def _terminal_log() -> Iterator[None]:
    """What a run says goes to its logs in Prefect; the terminal has heard it already, so it shows other warnings only."""
    log = logging.getLogger("reelbatch")
    log.setLevel(logging.INFO)
    log.propagate = False
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    terminal.addFilter(lambda record: record.name != SAID)
    log.addHandler(terminal)
    try:
        yield
    finally:
        log.removeHandler(terminal)


async def _drive(batch: Batch, options: RunOptions, tally: Tally, *, as_json: bool) -> None:
    _listen_for_signals(tally)
    watched_tally.set(tally)
    planned_batch.set(batch)
    with display(tally, plain=as_json) as show:
        show("Starting Prefect ...")
        async with _prefect_api(show):
            from flows.campaign import campaign  # takes its time, while the server comes up

            state: Any = await campaign(batch.path, options, return_state=True)
        if tally.exit_code is None:
            outcome = await state.aresult(raise_on_failure=False)
            if isinstance(outcome, Exception):
                raise outcome
            raise SetupError(f"The Prefect flow run ended before the batch began: {state.message}")


@asynccontextmanager
async def _prefect_api(show: Callable[[str], None]) -> AsyncIterator[None]:
    """The Prefect server of this run: the one that the user has set, or one of our own for as long as the run lasts."""
    from prefect.client.orchestration import get_client  # Prefect reads its settings at import
    from prefect.settings import PREFECT_API_URL, temporary_settings

    if url := PREFECT_API_URL.value():
        async with get_client() as client:
            problem = await client.api_healthcheck()
        if problem is not None:
            raise SetupError(
                f"No Prefect server answers at {url}. Start it with `prefect server start`, or unset PREFECT_API_URL."
            )
        yield
        return
    async with temporary_server() as url:
        show(f"Prefect UI, as long as this run lasts: {url}")
        with temporary_settings({PREFECT_API_URL: f"{url}/api"}):
            try:
                yield
            finally:
                await _send_what_is_left()


async def _send_what_is_left() -> None:
    """Task runs are told to the server behind our back; it may only go when it has heard of all of them."""
    from prefect.events.worker import EventsWorker  # loaded by now
    from prefect.logging.handlers import APILogHandler

    logging.getLogger("EventsWorker").setLevel(logging.ERROR)  # it warns that there is something left to send
    for rest in (EventsWorker.drain_all(timeout=_DRAIN_S, at_exit=False), APILogHandler.aflush()):
        if isawaitable(rest):
            await rest


def _listen_for_signals(tally: Tally) -> None:
    """First Ctrl-C: submit nothing more and leave in order. Second: leave at once, which is safe as well."""
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    asked = 0

    def ask() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            os._exit(INTERRUPTED)
        if tally.interrupt is None:
            if main is not None:
                main.cancel()
            return
        tally.say(
            "Stopping: nothing more is submitted; what is at the provider is kept for the next run. "
            "Ctrl-C again leaves at once."
        )
        tally.interrupt()

    def listen() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ask)

    listen()
    tally.begun = (
        listen  # Prefect's flow engine has put its own handler for SIGTERM in our place, which would crash the run
    )


def _last_words(tally: Tally, folder: Path, ledger: Path, *, as_json: bool, rehearsed: bool) -> None:
    spent = {currency: str(amount) for currency, amount in tally.spent.items()}
    if as_json:
        print_json(
            {
                "total": tally.total,
                "counts": {str(status): n for status, n in tally.counts.items() if n},
                "spent": spent,
                "exit_code": tally.exit_code,
                "reasons": list(tally.reasons),
                "status_requests": tally.status_requests,
                "generating_cpu_s": round(tally.generating_cpu_s, 3),  # of this process, from first to last job
                "cpu_s": round(time.process_time(), 3),
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                "folder": str(folder),
                "manifest": str(folder / "manifest.jsonl"),
                "gallery": str(folder / "gallery.html"),
            }
        )
        return
    for reason in tally.unheard_reasons():
        show_error(reason)
    say(" ".join(filter(None, (f"{tally.words()}.", _money(tally, ledger, rehearsed=rehearsed)))))
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    for name, file in (("Manifest:", "manifest.csv"), ("Gallery: ", "gallery.html")):
        if (folder / file).exists():
            say(f"{name} {shown / file}")


def _money(tally: Tally, ledger: Path, *, rehearsed: bool) -> str:
    """What the run has cost, by the pots of its ledger; a rehearsal says first that it was one."""
    try:
        money, told_apart = buckets_text(LedgerReader(ledger).read(balances)), True
    except ReelbatchError:  # it may have gone with its disk; then the sum that was counted here must do
        money, told_apart = tally.money(), False
    if rehearsed:
        return "Rehearsed, nothing was paid" + (f"; it would have cost {money}." if money else ".")
    if not money:
        return ""
    return f"Spent {money}." if told_apart else f"Spent, reserved or uncertain: {money}."
