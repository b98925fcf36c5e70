"""The server: every contract on one port of the loopback interface."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from pipelines.providers.sandbox.acedata import AceData
from pipelines.providers.sandbox.admin import Admin
from pipelines.providers.sandbox.desk import Desk
from pipelines.providers.sandbox.door import Door, Handler, SeveredProtocol
from pipelines.providers.sandbox.files import linked_file
from pipelines.providers.sandbox.openai_orders import EITHER, OPENAI, QINIU
from pipelines.providers.sandbox.openai_videos import OpenAIVideos
from pipelines.providers.sandbox.options import SandboxOptions

LOOPBACK = "127.0.0.1"
BACKLOG = 2_048  # every order comes on a connection of its own


@dataclass(frozen=True, slots=True)
class SandboxAddress:
    """Where a running sandbox is."""

    url: str  # without a trailing slash
    pid: int

    def base_url(self, provider: str) -> str:
        """What to set as the provider's base URL."""
        return f"{self.url}/acedata" if provider == "acedata" else f"{self.url}/{provider}/v1"


def application(desk: Desk) -> Starlette:
    """All routes, the most asked first."""
    routes: list[Route] = []

    def door(method: str, path: str, contract: str, route: str, handler: Handler, *, keyed: bool = True) -> None:
        endpoint = Door(desk, f"{method} {path}", contract, route, handler, keyed)
        routes.append(Route(path, endpoint, methods=[method]))

    for dialect in (EITHER, OPENAI, QINIU):
        for method, path, route, handler in OpenAIVideos(desk, dialect).rows():
            door(method, dialect.prefix + path, dialect.contract, route, handler)
    for prefix in ("", "/acedata"):
        for method, path, route, handler in AceData(desk).rows():
            door(method, prefix + path, "acedata", route, handler)
    linked = partial(linked_file, desk)
    door("GET", "/files/qiniu/{account}/{id}/1.mp4", "qiniu", "download", linked, keyed=False)
    door("GET", "/files/acedata/sora/{id}.mp4", "acedata", "download", linked, keyed=False)
    admin = Admin(desk)
    door("GET", "/_sandbox/bill", "sandbox", "admin", admin.bill, keyed=False)
    door("GET", "/_sandbox/requests", "sandbox", "admin", admin.requests, keyed=False)
    door("GET", "/_sandbox/faults", "sandbox", "admin", admin.faults, keyed=False)
    door("POST", "/_sandbox/faults", "sandbox", "admin", admin.faults, keyed=False)
    for prefix, contract in (("/v1", "openai"), ("/openai", "openai"), ("/qiniu", "qiniu"), ("", "acedata")):
        elsewhere = Door(desk, f"* {prefix}/...", contract, "elsewhere", admin.nothing_here, keyed=False)
        routes.append(Route(f"{prefix}/{{rest:path}}", elsewhere))
    return Starlette(routes=routes)


def serve(
    options: SandboxOptions, ready: Callable[[SandboxAddress], None], *, until_stdin_closes: bool = False
) -> None:
    """Serves until SIGTERM, SIGINT or, if asked to, until standard input ends. Calls `ready` once it listens."""
    asyncio.run(_serve(options, ready, until_stdin_closes=until_stdin_closes))


async def _serve(options: SandboxOptions, ready: Callable[[SandboxAddress], None], *, until_stdin_closes: bool) -> None:
    desk = Desk(options)
    listener = _listener(options.port)
    address = SandboxAddress(f"http://{LOOPBACK}:{listener.getsockname()[1]}", os.getpid())
    server = _Server(_config(application(desk)), partial(ready, address))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.leave)
    if until_stdin_closes:
        threading.Thread(target=_watch_stdin, args=(loop, server.leave), daemon=True).start()
    try:
        await server.serve(sockets=[listener])
    finally:
        desk.close()
        listener.close()


def _listener(port: int) -> socket.socket:
    """A socket that names its protocol: otherwise asyncio leaves Nagle's delay on, 40 ms for every answer."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


class _Server(uvicorn.Server):
    """Uvicorn, but ending by a signal is a clean end."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # ours are installed on the loop

    def leave(self) -> None:
        self.should_exit = True


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=SeveredProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )


def _watch_stdin(loop: asyncio.AbstractEventLoop, leave: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):  # not sys.stdin: its lock would hold up the interpreter's end
            pass
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(leave)
