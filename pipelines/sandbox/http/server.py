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
from starlette.types import ASGIApp

from pipelines.sandbox.http.admin import Admin
from pipelines.sandbox.http.endpoint import Door, SeveredProtocol, keeping_slashes
from pipelines.sandbox.http.wire import Handler, Row
from pipelines.sandbox.media.files import foreign_file, linked_file
from pipelines.sandbox.options import SandboxOptions
from pipelines.sandbox.orders.state import Desk
from pipelines.sandbox.vendors.acedata.services import SISTERS
from pipelines.sandbox.vendors.acedata.sora import SORA
from pipelines.sandbox.vendors.acedata.videos import AceData
from pipelines.sandbox.vendors.openai.dialects import DIALECTS, Dialect
from pipelines.sandbox.vendors.openai.videos import OpenAIVideos
from pipelines.sandbox.vendors.qiniu.queue import QiniuQueue
from pipelines.sandbox.vendors.qiniu.veo import QiniuVeo

LOOPBACK = "127.0.0.1"
BACKLOG = 2_048  # every order comes on a connection of its own


@dataclass(frozen=True, slots=True)
class SandboxAddress:
    """Where a running sandbox is."""

    url: str  # without a trailing slash
    pid: int

    def base_url(self, provider: str) -> str:
        """What to set as the provider's base URL: `acedata` and its sister services share one."""
        is_ace = provider == "acedata" or provider.startswith("acedata-")
        return f"{self.url}/acedata" if is_ace else f"{self.url}/{provider}/v1"


def application(desk: Desk) -> ASGIApp:
    """All routes, the most asked first."""
    routes: list[Route] = []

    def door(method: str, path: str, contract: str, route: str, handler: Handler, **key: bool) -> None:
        endpoint = Door(desk, f"{method} {path}", contract, route, handler, **key)
        routes.append(Route(path, endpoint, methods=[method]))

    for prefix, contract, needs_key, (method, path, route, handler) in _apis(desk):
        door(method, prefix + path, contract, route, handler, needs_key=needs_key)
    for path, contract, route, handler in _files(desk):
        door("GET", f"/files{path}", contract, route, handler, keyed=False)
    admin = Admin(desk)
    door("GET", "/_sandbox/bill", "sandbox", "admin", admin.bill, keyed=False)
    door("GET", "/_sandbox/requests", "sandbox", "admin", admin.requests, keyed=False)
    door("GET", "/_sandbox/faults", "sandbox", "admin", admin.faults, keyed=False)
    door("POST", "/_sandbox/faults", "sandbox", "admin", admin.faults, keyed=False)
    places = {f"/{dialect.prefix.split('/')[1]}": dialect.contract for dialect in DIALECTS}
    places |= {f"/{profile.name}": profile.name for profile in desk.profiles}
    for prefix, contract in (*places.items(), ("", "acedata")):
        elsewhere = Door(desk, f"* {prefix}/...", contract, "elsewhere", admin.nothing_here, keyed=False)
        routes.append(Route(f"{prefix}/{{rest:path}}", elsewhere))
    return keeping_slashes(Starlette(routes=routes))


def _apis(desk: Desk) -> Iterator[tuple[str, str, bool, Row]]:
    """What the vendors serve: prefix, contract, whether a key is needed, and the row."""
    if desk.profiles:
        from pipelines.sandbox.vendors.from_profile.acedata import served_services  # noqa: PLC0415 - as above
        from pipelines.sandbox.vendors.from_profile.server import served_profiles  # noqa: PLC0415 - only for those who have any

        yield from served_profiles(desk)
        yield from served_services(desk)
    for row in QiniuVeo(desk).rows():  # before /videos/{id}
        yield "/v1", "qiniu", True, row
        yield "/qiniu/v1", "qiniu", True, row
    for dialect in _dialects(desk):
        for row in OpenAIVideos(desk, dialect).rows():
            yield dialect.prefix, dialect.contract, dialect.needs_key, row
    for service in (SORA, *SISTERS):
        for row in AceData(desk, service).rows():
            yield "", "acedata", True, row
            yield "/acedata", "acedata", True, row
    for row in QiniuQueue(desk).rows():
        yield "/queue", "qiniu", True, row
        yield "/qiniu/queue", "qiniu", True, row


def _dialects(desk: Desk) -> list[Dialect]:
    """Those that no profile of the operator takes the place of."""
    own = {profile.name for profile in desk.profiles}
    return [dialect for dialect in DIALECTS if dialect.name not in own]


def _files(desk: Desk) -> Iterator[tuple[str, str, str, Handler]]:
    """What links lead to: path, contract, kind of route and handler."""
    clip = partial(linked_file, desk)
    yield "/qiniu/{account}/{id}/{number}.mp4", "qiniu", "download", clip
    yield "/acedata/{service}/{id}.mp4", "acedata", "download", clip
    yield "/acedata/{service}/{id}/{number}.mp4", "acedata", "download", clip
    yield "/acedata/{service}/{id}.jpg", "acedata", "elsewhere", partial(linked_file, desk, kind="jpeg")
    yield "/acedata/{service}/{id}.srt", "acedata", "elsewhere", partial(linked_file, desk, kind="srt")
    for profile in desk.profiles:
        yield f"/profiles/{profile.name}/{{id}}/{{number}}.mp4", profile.name, "download", clip
    yield "/elsewhere/{id}.mp4", "openai", "elsewhere", partial(foreign_file, desk)


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


def _config(app: ASGIApp) -> uvicorn.Config:
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
