"""A Prefect server of this run's own, UI included, for whoever has set none.

Prefect would start one itself, but without its UI, in our process group (Ctrl-C would end it before the run has
ended), and it outlives a killed run. This one listens for the end of its standard input and goes with its parent.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
import tempfile
import threading
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from pipelines.core.errors import SetupError, TransportError
from pipelines.net.http import Http
from tasks.server_garbage import collect_garbage_apart

SERVER_PORTS = range(8000, 9000)  # where a free one is looked for
_HOST = "127.0.0.1"
_HOUSE = Path(__file__).parents[2]  # the server's process must find this package wherever it is started
_BACKLOG = 2_048
_PATIENCE_S = 90.0
_HEAD_START_S = 0.3  # in which providers are asked about what they have: a request is on its way by then
_HEARING_S = 20.0  # of a server that ends: what it was told reaches those who write it down
_STOP_PATIENCE_S = 60.0  # then it goes into its database; where it gives way to others, that takes long
_NICE = 10  # what it shows may come late; what the run sends, asks and fetches may not

#: Services that only deployments, schedules and automations need; a run of the command line has none of them.
_IDLE_SERVICES = (
    "SCHEDULER",
    "LATE_RUNS",
    "PAUSE_EXPIRATIONS",
    "CANCELLATION_CLEANUP",
    "FOREMAN",
    "REPOSSESSOR",
    "TRIGGERS",
)

#: By default every event of a task run is a transaction of its own, which cost more than twice what all our own work
#: does (docs/architecture.md, "Speed"). Written together, the UI sees them at most a second later.
_TOGETHER = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "64",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}


@asynccontextmanager
async def temporary_server(meanwhile: Callable[[], None] = lambda: None) -> AsyncIterator[str]:
    """Start a server on a free port of this machine, and stop it at the end. Yields its address.

    Args:
        meanwhile: called while it comes up, which takes seconds. It may block; what waits already goes first.

    Raises:
        SetupError: no port is free, or the server does not come up.
    """
    listener = free_listener()
    if listener is None:
        raise SetupError("No port from 8000 to 8999 is free for Prefect's server. Set PREFECT_API_URL to one of yours.")
    idle = {f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _IDLE_SERVICES}
    url = f"http://{_HOST}:{listener.getsockname()[1]}"
    path = os.pathsep.join(filter(None, (str(_HOUSE), os.environ.get("PYTHONPATH"))))
    with (
        listener,
        tempfile.TemporaryFile() as words,
    ):  # not a pipe: nobody reads along, and a full pipe stops the server
        process = await asyncio.create_subprocess_exec(
            # -P: a package in the working directory may have the name of ours.
            *(sys.executable, "-P", "-m", "flows.command_line.prefect_server", str(listener.fileno())),
            pass_fds=(listener.fileno(),),
            env={**idle, **_TOGETHER, "PREFECT_UI_API_URL": f"{url}/api", **os.environ, "PYTHONPATH": path},
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=words,
            start_new_session=True,
        )
        try:
            await asyncio.sleep(_HEAD_START_S)
            meanwhile()
            if not await _answers(process, f"{url}/api/health"):
                words.seek(0)
                last = (words.read().decode("utf-8", "replace").strip().splitlines() or ["it does not answer"])[-1]
                raise SetupError(f"Prefect's own server does not start ({last}). Look at `reelbatch doctor`.")
            yield url
        finally:
            await _end(process)


def free_listener() -> socket.socket | None:
    """The first port of the range, held from here on: two runs that start at once must not both believe it theirs."""
    for port in SERVER_PORTS:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, port))
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
        else:
            return listener
    return None


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):  # in order, so that it writes down what it has heard
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_PATIENCE_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _answers(process: asyncio.subprocess.Process, url: str) -> bool:
    """Wait until the server is healthy. False: it ended, or patience did."""
    async with Http() as http:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while process.returncode is None:
                    with suppress(TransportError):
                        if (await http.ask("GET", url, headers={}, deadline_s=2)).status == 200:  # noqa: PLR2004 - HTTP
                            return True
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pass
    return False


def _serve(descriptor: int) -> None:
    import uvicorn  # only in the server's own process

    gc.disable()  # also for the start: it would look through all that is loaded, again and again, 0.5 s of 4

    def leave_with_parent() -> None:
        while os.read(0, 4096):  # not sys.stdin: its lock would hold up the interpreter's end
            pass
        os._exit(0)

    threading.Thread(target=leave_with_parent, daemon=True).start()
    config = uvicorn.Config(_gives_way, factory=True, log_level="error", lifespan="on", backlog=_BACKLOG)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def _gives_way() -> Any:
    """Prefect's server, which gives way to other processes once it has started; the run waits for its start."""
    from prefect.server.api.server import create_app

    server = create_app()

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        async def hear() -> Any:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await _until_heard()
            return message

        async def tell(message: Any) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                collect_garbage_apart()
                os.nice(_NICE)

        if scope["type"] == "lifespan":
            await server(scope, hear, tell)
        else:
            await server(scope, receive, send)

    return serve


async def _until_heard() -> None:
    """Wait until the services of a server that is to end have heard of every event: they forget what waits for them in memory."""
    from prefect.server.utilities.messaging import memory

    topics = getattr(memory.Topic, "_topics", {}).values()  # nothing public tells what waits
    waiting = [
        queue
        for topic in topics
        for subscription in getattr(topic, "_subscriptions", ())
        for queue in (getattr(subscription, "_queue", None), getattr(subscription, "_retry", None))
        if queue is not None
    ]
    with suppress(TimeoutError):
        async with asyncio.timeout(_HEARING_S):
            while any(queue.qsize() for queue in waiting):  # noqa: ASYNC110 - queues of Prefect, which tell nobody
                await asyncio.sleep(0.02)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
