"""The word of a person in Prefect, of `reelbatch cancel`, or of whoever ends its process, reaches a campaign that runs.

Prefect ends a flow by an exception wherever it stands. A campaign that pays stops in order instead: nothing more is
ordered, what is on its way is answered and written down, the catalogue is made, and the state says how far it came.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from typing import Any, NoReturn

import anyio
import prefect.runtime
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.exceptions import Pause, TerminationSignal
from prefect.states import Cancelled, Crashed, Running, Suspended

from flows.deployed_run import is_deployed
from flows.lost_runs import LOST
from flows.words_after_cancel import outlive_runner
from pipelines.core.errors import AttentionNeeded
from pipelines.core.stop_reason import StopReason
from pipelines.run.requests import LOOK_EVERY_S, heed_requests
from pipelines.run.result import CampaignResult
from pipelines.run.run import Run, by_command_line
from tasks.report import if_prefect_answers

log = logging.getLogger("reelbatch")

_GRACE_S = 60.0  # for orders and downloads that are on their way
_RUNNERS_GRACE_S = (
    12.0  # a runner kills its process 30 s after it has asked it to end, and the catalogue takes its time
)


@asynccontextmanager
async def stop_requests(run: Run) -> AsyncIterator[None]:
    """Listen, for the length of the block, to whoever may stop the run. Nothing that goes wrong here stops it.

    Nor does Prefect cut it off, as it does where the slot of a deployment is lost while its server is away.
    """
    watchers = [asyncio.create_task(heed_requests(run)), asyncio.create_task(_watch_prefect(run, _suspension()))]
    with anyio.CancelScope(shield=True):
        try:
            with _signals(run), _tasks_go_on():
                yield
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)


async def within_grace(run: Run, work: Coroutine[Any, Any, None]) -> None:
    """Await the work of a run; once somebody stops the run, at most for a while. What is cut off goes on in the next run.

    Ctrl-C has no such bound: whoever has pressed it may press it again.
    """
    task, stopped_at, loop = asyncio.create_task(work), None, asyncio.get_running_loop()
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=1.0)
            if run.stopped in (None, StopReason.INTERRUPTED):
                continue
            stopped_at = stopped_at or loop.time()
            by_a_runner = run.stopped is not StopReason.ASKED and is_deployed()
            if loop.time() - stopped_at > (_RUNNERS_GRACE_S if by_a_runner else _GRACE_S):
                break
    finally:
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.result()


async def stopped_state(result: CampaignResult) -> State[Any]:
    """The last state of a flow run that was stopped before its end. It carries the error that carries the result.

    Raises:
        Pause: it was suspended; Prefect starts it again when a person resumes it.
        TerminationSignal: whoever ended the process decides how its flow run goes on.
    """
    assert result.stopped is not None
    why = await _known_in_prefect() or result.stopped if result.stopped is StopReason.TERMINATED else result.stopped
    words = f"{result.words}. {why.sentence}"
    if why is StopReason.SUSPENDED:
        await _suspend(words)
    if why is StopReason.TERMINATED:
        if _intent() is not None:
            raise TerminationSignal(signal.SIGTERM)
        return Crashed(message=words, data=AttentionNeeded(words, result))
    if why is StopReason.CANCELLED and is_deployed():
        with suppress(OSError):  # the machine has no room for another process
            outlive_runner(prefect.runtime.flow_run.id, words)
    return Cancelled(message=words, data=AttentionNeeded(words, result))


async def _known_in_prefect() -> StopReason | None:
    """Why a run was stopped, as its state says: a runner ends the process of a run that a person has cancelled."""
    async with if_prefect_answers("why it is stopped"), get_client() as client:
        return _reason((await client.read_flow_run(prefect.runtime.flow_run.id)).state)
    return StopReason.CANCELLED if _intent() == "cancel" else None


async def _suspend(words: str) -> NoReturn:
    """Leave, so that the flow run is suspended; its state says how far it came."""
    state: State[Any] = Suspended(message=words)
    async with if_prefect_answers("how far the suspended run came"), get_client() as client:
        run_id = prefect.runtime.flow_run.id
        known = (await client.read_flow_run(run_id)).state
        if known is not None:
            state.state_details.pause_timeout = known.state_details.pause_timeout
        await client.set_flow_run_state(run_id, state, force=True)
    raise Pause(state=state)


async def _watch_prefect(run: Run, suspension: Any) -> None:
    """Read the state of the own flow run, and of those that it is part of. An absent server is no stop."""
    while True:
        if suspension is not None and suspension.is_requested():
            run.interrupt(StopReason.SUSPENDED)
        with suppress(Exception):
            async with if_prefect_answers("whether it is to stop", quiet=True), get_client() as client:
                for own, state in await _states(client):
                    if own and state is not None and state.is_crashed() and state.message == LOST:
                        await _revive(client)
                    elif (why := _reason(state)) is not None:
                        run.interrupt(why)
        await asyncio.sleep(LOOK_EVERY_S)


async def _states(client: PrefectClient) -> list[tuple[bool, State[Any] | None]]:
    """The states of the own flow run (which is told apart), and of those above it."""
    flow_run: FlowRun | None = await client.read_flow_run(prefect.runtime.flow_run.id)
    found: list[tuple[bool, State[Any] | None]] = []
    while flow_run is not None:
        found.append((not found, flow_run.state))
        flow_run = await _parent(client, flow_run)
    return found


async def _parent(client: PrefectClient, flow_run: FlowRun) -> FlowRun | None:
    if flow_run.parent_task_run_id is None:
        return None
    with suppress(Exception):  # records of task runs come late
        above = (await client.read_task_run(flow_run.parent_task_run_id)).flow_run_id
        return None if above is None else await client.read_flow_run(above)
    return None


def _reason(state: State[Any] | None) -> StopReason | None:
    """Why a run is to stop whose flow run is in a state. Pure."""
    if state is None:
        return None
    if state.is_cancelling() or state.is_cancelled():
        return StopReason.CANCELLED
    return StopReason.SUSPENDED if state.is_paused() else None


async def _revive(client: PrefectClient) -> None:
    """Correct an automation that took the run for lost: after an outage of the server, its heartbeats come too late."""
    log.warning("Prefect took this run for lost. It goes on, and says so there.")
    alive: State[Any] = Running(message="Its heartbeats came late. It goes on.")
    await client.set_flow_run_state(prefect.runtime.flow_run.id, alive, force=True)


def _tasks_go_on() -> Any:
    """A context in which the tasks of a run that is suspended come to their end.

    Prefect would raise `Pause` out of the first task that begins or ends, which cuts all others off, and the catalogue too.
    The engine, which looks again when the flow has ended, keeps its own request.
    """
    context, request = FlowRunContext.get(), _suspension()
    if context is None or request is None:
        return nullcontext()
    return context.model_copy(update={"flow_run_suspension_request": type(request)()})


def _suspension() -> Any:
    """What Prefect's engine hears of a person who suspends its flow run."""
    return getattr(FlowRunContext.get(), "flow_run_suspension_request", None)


def _signals(run: Run) -> Any:
    """Who listens to signals: the command line does for itself, and only a main thread can."""
    if by_command_line() or threading.current_thread() is not threading.main_thread():
        return nullcontext()
    return _signals_of_engine(run)


@contextmanager
def _signals_of_engine(run: Run) -> Iterator[None]:
    """Stop the run in order when its process is asked to end. Prefect's own handler would raise wherever it stands."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT) if is_deployed() else (signal.SIGTERM,)
    before = {number: signal.getsignal(number) for number in numbers}

    def end() -> None:
        run.interrupt(StopReason.CANCELLED if _intent() == "cancel" else StopReason.TERMINATED)

    for number in numbers:
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


def _intent() -> str | None:
    """What a runner of Prefect wants of the process that it ends: `cancel`, or one of those that decide by themselves."""
    try:
        from prefect._internal.control_listener import get_intent  # nothing public tells it

        return get_intent()
    except ImportError:
        return None
