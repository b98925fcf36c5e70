"""Driving the campaign flow from a terminal: Prefect's settings, the progress display, Ctrl-C, and the last words."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from inspect import isawaitable
from itertools import takewhile
from pathlib import Path
from typing import Any

from flows.command_line.display import display
from flows.command_line.prefect_server import temporary_server
from flows.command_line.talk import print_json, say, show_error
from pipelines.actions.refresh import refresh
from pipelines.batch import Batch
from pipelines.core.errors import ReelbatchError, SetupError
from pipelines.core.events import Event, RunStopping
from pipelines.core.text.amounts import buckets_text
from pipelines.core.text.sentences import sentence
from pipelines.ledger.balances import balances
from pipelines.ledger.ledger import LedgerReader
from pipelines.run.exit_code import INTERRUPTED
from pipelines.run.observers import SAID
from pipelines.run.opening import check_setup, open_ledger
from pipelines.run.options import RunOptions
from pipelines.run.output_folder import ledger_of, output_folder
from pipelines.run.progress import RunProgress
from pipelines.run.run import RunContext, RunResult, run_context

_DRAIN_S = 10.0
_LAST_HEARD = 16  # more than a run has reasons

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
    context = RunContext(batch=batch)
    context.progress.total = len(batch.jobs)
    heard: deque[str] = deque(maxlen=_LAST_HEARD)
    try:
        with _terminal_log():
            asyncio.run(_drive(options, context, heard, as_json=as_json))
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt | asyncio.CancelledError) and not _is_termination(error):
            raise
        show_error("Interrupted before anything was sent.")
        return INTERRUPTED
    folder = output_folder(batch, options)
    if context.result is None:  # a bug ended it; what it was has been said
        return 1
    if as_json:
        _print_result(context.progress, context.result, folder)
    else:
        for reason in _unheard(context.result.reasons, heard):
            show_error(reason)
        _last_words(context.progress, folder, ledger_of(folder, options), rehearsed=options.rehearse)
    return context.result.exit_code


def _is_termination(error: BaseException) -> bool:
    """Tell whether Prefect's flow engine was asked to end; it is not loaded for the sake of the question."""
    prefect = sys.modules.get("prefect.exceptions")
    return prefect is not None and isinstance(error, prefect.TerminationSignal)


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


async def _drive(options: RunOptions, context: RunContext, heard: deque[str], *, as_json: bool) -> None:
    batch = context.batch
    assert batch is not None
    _listen_for_signals(context)
    run_context.set(context)
    async with open_ledger(batch, options) as ledger:  # before Prefect, which takes its time
        if "PREFECT_API_URL" not in os.environ and await refresh(batch, options, ledger, context):
            return
        context.ledger = ledger
        with display(context.progress, plain=as_json) as (show, observe):
            context.observers = (observe, partial(_remember, heard))
            show("Starting Prefect ...")
            async with _prefect_api(show):
                from flows.campaign import campaign  # takes its time, while the server comes up

                state: Any = await campaign(batch.path, options, return_state=True)
    if context.result is None:
        outcome = await state.aresult(raise_on_failure=False)
        if isinstance(outcome, Exception):
            raise outcome
        raise SetupError(f"The Prefect flow run ended before the batch began: {state.message}")


def _remember(heard: deque[str], event: Event) -> None:
    if (said := sentence(event)) is not None:
        heard.append(said.words)


def _unheard(reasons: Sequence[str], heard: Iterable[str]) -> list[str]:
    """Leave out the reasons that were the last words of the run: they need not be said again."""
    last = set(takewhile(lambda words: words in reasons, reversed(list(heard))))
    return [reason for reason in reasons if reason not in last]


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


def _listen_for_signals(context: RunContext) -> None:
    """First Ctrl-C: submit nothing more and leave in order. Second: leave at once, which is safe as well."""
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    asked = 0

    def ask() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            os._exit(INTERRUPTED)
        if context.run is None:
            if main is not None:
                main.cancel()
            return
        context.run.emit(RunStopping())
        context.run.interrupt()

    def listen() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ask)

    listen()
    context.begun = listen  # Prefect's flow engine has put its own handler for SIGTERM there, which would crash the run


def _print_result(progress: RunProgress, result: RunResult, folder: Path) -> None:
    print_json(
        {
            "total": progress.total,
            "counts": {str(status): n for status, n in progress.counts.items() if n},
            "spent": {currency: str(amount) for currency, amount in progress.committed.items()},
            "exit_code": result.exit_code,
            "reasons": list(result.reasons),
            "status_requests": result.status_requests,
            "generating_cpu_s": round(result.generating_cpu_s, 3),  # of this process, from first to last job
            "cpu_s": round(time.process_time(), 3),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "folder": str(folder),
            "manifest": str(folder / "manifest.jsonl"),
            "gallery": str(folder / "gallery.html"),
        }
    )


def _last_words(progress: RunProgress, folder: Path, ledger: Path, *, rehearsed: bool) -> None:
    say(" ".join(filter(None, (f"{progress.words()}.", _money(progress, ledger, rehearsed=rehearsed)))))
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    for name, file in (("Manifest:", "manifest.csv"), ("Gallery: ", "gallery.html")):
        if (folder / file).exists():
            say(f"{name} {shown / file}")


def _money(progress: RunProgress, ledger: Path, *, rehearsed: bool) -> str:
    """Say what the run has cost, by the buckets of its ledger; a rehearsal says first that it was one."""
    try:
        money, told_apart = buckets_text(LedgerReader(ledger).read(balances)), True
    except ReelbatchError:  # it may have gone with its disk; then the sum that was counted here must do
        money, told_apart = progress.money(), False
    if rehearsed:
        return "Rehearsed, nothing was paid" + (f"; it would have cost {money}." if money else ".")
    if not money:
        return ""
    return f"Spent {money}." if told_apart else f"Spent, reserved or uncertain: {money}."
