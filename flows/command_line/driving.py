"""Driving the campaign flow from a terminal: Prefect's settings, the progress display, and Ctrl-C."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from flows.command_line.consent import ask_before_run
from flows.command_line.display import display
from flows.command_line.last_words import print_result, remember, say_last_words, tell_news, unheard
from flows.command_line.prefect_api import check_prefect, forget_what_is_left, is_server_set, prefect_api
from flows.command_line.talk import show_error, show_warnings
from pipelines.actions.refresh import refresh
from pipelines.batch import Batch
from pipelines.core.errors import KeyMissing, SetupError
from pipelines.core.remote_folder import shown_place
from pipelines.ledger.storage.place import as_shown
from pipelines.net.addresses import Origin
from pipelines.net.proxies import ProxyRules
from pipelines.run.exit_code import INTERRUPTED
from pipelines.run.job.ahead import asked_ahead
from pipelines.run.observers import SAID
from pipelines.run.opening import check_setup, open_ledger, ready_run
from pipelines.run.options import RunOptions
from pipelines.run.output_folder import FLOW_RUN_NOTE, ledger_of, output_folder
from pipelines.run.run import RunContext, run_context

_LAST_HEARD = 16  # more than a run has reasons

#: What a terminal run needs of Prefect; whatever the user has set already wins.
_PREFECT = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "CRITICAL",  # else each try that fails shows its traceback
    "PREFECT_LOGGING_LOGGERS_PREFECT_FLOW_RUNS_LEVEL": "CRITICAL",
    "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",  # else each event that cannot be sent is shown whole
    "PREFECT_CLIENT_MAX_RETRIES": "3",  # fourteen seconds; a run waits for its last word longer, and knows for what
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "reelbatch",  # what a run says on the terminal stands in its logs in the UI, too
}


def drive(batch: Batch, options: RunOptions, *, as_json: bool, agreed: bool = False) -> int:
    """Ask first, run the campaign flow to its end, and say how it went.

    Args:
        batch: the batch.
        options: of the run.
        as_json: what it came to, for machines.
        agreed: a person has agreed to what it costs.

    Returns:
        The exit code.

    Raises:
        ReelbatchError: the run could not begin.
    """
    context = RunContext(batch=batch, options=options)
    context.progress.total, context.progress.rehearsed = len(batch.jobs), options.rehearse
    heard: deque[str] = deque(maxlen=_LAST_HEARD)
    try:
        with quiet_prefect():
            kept = _check(batch, options)
            context.options = options = ask_before_run(batch, options, heard, agreed=agreed, kept=kept)
            asyncio.run(_drive(options, context, heard, kept, as_json=as_json))
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt | asyncio.CancelledError) and not _is_termination(error):
            raise
        show_error("Interrupted before anything was sent.")
        return INTERRUPTED
    folder = output_folder(batch, options)
    if context.result is None:  # a bug ended it; what it was has been said
        return 1
    if as_json:
        print_result(context.progress, context.result, folder, ledger_of(folder, options, batch.name))
    else:
        for reason in unheard(context.result.reasons, heard):
            show_error(reason)
        show_warnings(tuple(words for words in context.result.warnings if words not in heard))
        say_last_words(context.progress, folder, ledger_of(folder, options, batch.name))
    return context.result.exit_code


def _check(batch: Batch, options: RunOptions) -> Mapping[str, str]:
    """Find what is missing before anything is started; a key may be kept in a block of the user's Prefect server.

    Returns:
        What is kept there, as far as it was needed.

    Raises:
        SetupError: what `check_setup` finds.
    """
    try:
        check_setup(batch, options)
    except KeyMissing:
        if "PREFECT_API_URL" not in os.environ:
            raise
        from tasks.account_block import accounts_in_blocks

        kept = asyncio.run(accounts_in_blocks())
        check_setup(batch, options, kept)
        return kept
    return {}


def shown_parameters(batch: Path, options: RunOptions) -> dict[str, Any]:
    """What Prefect shows of the choices of a run: all but what is secret, as a callback's address may be."""
    advanced = options.advanced()
    if advanced.callback_url is not None:
        advanced = advanced.model_copy(update={"callback_url": str(Origin.of(advanced.callback_url))})
    if advanced.ledger is not None:
        advanced = advanced.model_copy(update={"ledger": as_shown(advanced.ledger)})
    flat = options.model_dump(exclude={*type(advanced).model_fields, "root", "needs_cap"})
    flat["budget"] = None if options.budget is None else float(options.budget)
    flat["out"] = None if options.out is None else shown_place(options.out)
    return {"batch": str(batch), **flat, "only": list(options.only), "advanced": advanced}


def _is_termination(error: BaseException) -> bool:
    """Tell whether Prefect's flow engine was asked to end; it is not loaded for the sake of the question."""
    prefect = sys.modules.get("prefect.exceptions")
    return prefect is not None and isinstance(error, prefect.TerminationSignal)


@contextmanager
def quiet_prefect() -> Iterator[None]:
    """Set up Prefect and the log for a terminal.

    What a run says goes to its logs in Prefect; the terminal has heard it already, so it shows other
    warnings only.

    Raises:
        ProxyUnusable: a proxy of the environment is none.
    """
    ProxyRules.of(os.environ).check()  # Prefect's client reads them too, and would fall over
    for name, value in _PREFECT.items():
        os.environ.setdefault(name, value)
    gc.disable()  # it would look through all that is loaded, again and again: 0.3 s of 2
    log = logging.getLogger("reelbatch")
    log.setLevel(logging.INFO)
    log.propagate = False
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    terminal.addFilter(lambda record: record.name != SAID)
    log.addHandler(terminal)
    aloud, logging.raiseExceptions = logging.raiseExceptions, False  # of lines that cannot be sent to Prefect
    try:
        yield
    finally:
        gc.enable()
        log.removeHandler(terminal)
        logging.raiseExceptions = aloud


def all_is_loaded() -> None:
    """From here on garbage is collected, without a look at what has been loaded."""
    gc.freeze()
    gc.enable()


async def _drive(
    options: RunOptions, context: RunContext, heard: deque[str], kept: Mapping[str, str], *, as_json: bool
) -> None:
    batch = context.batch
    assert batch is not None
    run_context.set(context)
    main, asked = asyncio.current_task(), 0

    def ask() -> None:
        nonlocal asked  # the first Ctrl-C submits nothing more and leaves in order; the second leaves at once, safely
        asked += 1
        if asked > 1:
            os._exit(INTERRUPTED)
        if context.run is not None:
            context.run.interrupt()
        elif main is not None:
            main.cancel()

    listen_for_signals(context, ask)
    async with open_ledger(batch, options, kept) as ledger:  # before Prefect, which takes its time
        # With a server of the user's own, and behind a run that was killed, the flow has something to write down there.
        told = "PREFECT_API_URL" in os.environ or (ledger.beside / FLOW_RUN_NOTE).exists()
        if not told and await refresh(batch, options, ledger, context):
            return
        context.ledger = ledger
        with display(context.progress, plain=as_json) as (show, observe):
            context.observers = (partial(tell_news, observe, frozenset(heard)), partial(remember, heard))
            show("Starting Prefect ...")
            async with _begun_ahead(batch, options, kept, context), prefect_api(show) as context.own_server:
                state = await _flow_run(shown_parameters(batch.path, options), context)
    if context.result is None:
        outcome = await state.aresult(raise_on_failure=False)
        if isinstance(outcome, Exception):
            raise outcome
        raise SetupError(f"The Prefect flow run ended before the batch began: {state.message}")


@asynccontextmanager
async def _begun_ahead(
    batch: Batch, options: RunOptions, kept: Mapping[str, str], context: RunContext
) -> AsyncIterator[None]:
    """Ask providers about what they have while a server of our own starts; one that others use keeps limits that come first."""
    if is_server_set():
        yield
        return
    async with ready_run(batch, options, kept) as run, asked_ahead(run):
        context.ready = run
        yield


async def _flow_run(parameters: dict[str, Any], context: RunContext) -> Any:
    """Run the campaign flow. What Prefect cannot be told at its end changes nothing of what the run came to.

    Returns:
        The last state; None where there is none, as for a run that was suspended.

    Raises:
        SetupError: Prefect's server went away before the run began.
    """
    from prefect.exceptions import Pause

    from flows.campaign import campaign

    all_is_loaded()
    try:
        return await campaign(**parameters, return_state=True)
    except Pause:
        return None
    except Exception as error:
        if context.result is None:
            await check_prefect()
            raise
        told = f"Prefect could not be told how this run has ended ({type(error).__name__}); all else is done."
        show_warnings((told,))
        forget_what_is_left()
        return None


def listen_for_signals(context: RunContext, ask: Callable[[], None]) -> None:
    """Let Ctrl-C, SIGTERM, and a terminal that is closed ask, for as long as the event loop lasts."""
    loop, terminals = asyncio.get_running_loop(), [number for number in (1, 2) if os.isatty(number)]
    heeds_hangup = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN  # else `nohup` has started it, to outlive that

    def hang_up() -> None:
        loop.add_signal_handler(signal.SIGHUP, lambda: None)  # it comes from the shell and from the system
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for terminal in terminals:  # to write there would fail
            os.dup2(nowhere, terminal)
        os.close(nowhere)
        ask()

    def listen() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ask)
        if heeds_hangup:
            loop.add_signal_handler(signal.SIGHUP, hang_up)

    listen()
    context.begun = listen  # Prefect's flow engine has put its own handler for SIGTERM there, which would crash the run
