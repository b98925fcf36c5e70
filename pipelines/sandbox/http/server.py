"""The server: every contract on one port of the loopback interface."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from pipelines.sandbox.http.admin import Admin
from pipelines.sandbox.http.endpoint import Endpoint, SeveredProtocol, keeping_slashes
from pipelines.sandbox.http.wire import ApiRoute, Handler
from pipelines.sandbox.media.files import foreign_file, linked_file
from pipelines.sandbox.options import SandboxOptions
from pipelines.sandbox.orders.state import SandboxState
from pipelines.sandbox.process import SandboxAddress
from pipelines.sandbox.vendors.acedata.services import SERVICES
from pipelines.sandbox.vendors.acedata.videos import AceEndpoints
from pipelines.sandbox.vendors.hosted.ark import ArkApi
from pipelines.sandbox.vendors.hosted.dashscope import DashScopeApi
from pipelines.sandbox.vendors.hosted.fal import FalApi
from pipelines.sandbox.vendors.hosted.google_veo import GoogleVeo
from pipelines.sandbox.vendors.hosted.kling import KlingApi
from pipelines.sandbox.vendors.hosted.luma import LumaApi
from pipelines.sandbox.vendors.hosted.minimax import MiniMaxApi
from pipelines.sandbox.vendors.hosted.replicate import ReplicateApi
from pipelines.sandbox.vendors.hosted.runway import RunwayApi
from pipelines.sandbox.vendors.hosted.vendors import HOSTED_NAMES
from pipelines.sandbox.vendors.hosted.vidu import ViduApi
from pipelines.sandbox.vendors.openai.dialects import DIALECTS
from pipelines.sandbox.vendors.openai.videos import OpenAIEndpoints
from pipelines.sandbox.vendors.qiniu.queue import QiniuQueue
from pipelines.sandbox.vendors.qiniu.veo import QiniuVeo

LOOPBACK = "127.0.0.1"
HOSTED = (ReplicateApi, FalApi, RunwayApi, GoogleVeo, KlingApi, MiniMaxApi, LumaApi, ArkApi, DashScopeApi, ViduApi)
BACKLOG = 2_048  # every order comes on a connection of its own


def application(state: SandboxState) -> ASGIApp:
    """All routes, the most asked first."""
    routes: list[Route] = []

    def add(method: str, path: str, contract: str, route: str, handler: Handler, **key: bool) -> None:
        endpoint = Endpoint(state, f"{method} {path}", contract, route, handler, **key)
        routes.append(Route(path, endpoint, methods=[method]))

    for prefix, contract, needs_key, (method, path, route, handler) in _apis(state):
        add(method, prefix + path, contract, route, handler, needs_key=needs_key)
    for path, contract, route, handler in _files(state):
        add("GET", f"/files{path}", contract, route, handler, keyed=False)
    admin = Admin(state)
    asked = [("GET", "bill", admin.bill), ("GET", "requests", admin.requests)]
    for method, name, handler in (*asked, ("GET", "faults", admin.faults), ("POST", "faults", admin.faults)):
        add(method, f"/_sandbox/{name}", "sandbox", "admin", handler, keyed=False)
    places = {f"/{dialect.prefix.split('/')[1]}": dialect.contract for dialect in DIALECTS}
    places |= {f"/{name}": name for name in HOSTED_NAMES}
    places |= {f"/{profile.name}": profile.name for profile in state.profiles}
    for prefix, contract in (*places.items(), ("", "acedata")):
        elsewhere = Endpoint(state, f"* {prefix}/...", contract, "elsewhere", admin.nothing_here, keyed=False)
        routes.append(Route(f"{prefix}/{{rest:path}}", elsewhere))
    return keeping_slashes(Starlette(routes=routes))


def _apis(state: SandboxState) -> Iterator[tuple[str, str, bool, ApiRoute]]:
    """What the vendors serve: prefix, contract, whether a key is needed, and the route."""
    if state.profiles:  # what follows is imported only for those who have any
        from pipelines.sandbox.vendors.from_profile.acedata import served_services  # noqa: PLC0415
        from pipelines.sandbox.vendors.from_profile.described import served_descriptions  # noqa: PLC0415
        from pipelines.sandbox.vendors.from_profile.server import served_profiles  # noqa: PLC0415

        yield from served_profiles(state)
        yield from served_descriptions(state)
        yield from served_services(state)
    for row in QiniuVeo(state).rows():  # before /videos/{id}
        yield "/v1", "qiniu", True, row
        yield "/qiniu/v1", "qiniu", True, row
    own = {profile.name for profile in state.profiles}  # they take the place of the dialect of that name
    for dialect in (dialect for dialect in DIALECTS if dialect.name not in own):
        for row in OpenAIEndpoints(state, dialect).rows():
            yield dialect.prefix, dialect.contract, dialect.needs_key, row
    for hosted in (hosted for hosted in HOSTED if hosted.vendor not in own):
        for row in hosted(state).rows():
            yield f"/{hosted.vendor}/v1", hosted.vendor, True, row
    for service in SERVICES.values():
        for row in AceEndpoints(state, service).rows():
            yield "", "acedata", True, row
            yield "/acedata", "acedata", True, row
    for row in QiniuQueue(state).rows():
        yield "/queue", "qiniu", True, row
        yield "/qiniu/queue", "qiniu", True, row


def _files(state: SandboxState) -> Iterator[tuple[str, str, str, Handler]]:
    """What links lead to: path, contract, kind of route and handler."""
    clip = partial(linked_file, state)
    yield "/qiniu/{account}/{id}/{number}.mp4", "qiniu", "download", clip
    yield "/acedata/{service}/{id}.mp4", "acedata", "download", clip
    yield "/acedata/{service}/{id}/{number}.mp4", "acedata", "download", clip
    yield "/acedata/{service}/{id}.jpg", "acedata", "elsewhere", partial(linked_file, state, kind="jpeg")
    yield "/acedata/{service}/{id}.srt", "acedata", "elsewhere", partial(linked_file, state, kind="srt")
    for name in dict.fromkeys((*HOSTED_NAMES, *(profile.name for profile in state.profiles))):
        yield f"/profiles/{name}/{{id}}/{{number}}.mp4", name, "download", clip
    yield "/elsewhere/{id}.mp4", "openai", "elsewhere", partial(foreign_file, state)


def serve(
    options: SandboxOptions, ready: Callable[[SandboxAddress], None], *, until_stdin_closes: bool = False
) -> None:
    """Serve until SIGTERM, SIGINT or, if asked to, until standard input ends. Calls `ready` once it listens."""

    def listening(address: SandboxAddress, leave: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, leave)
        if until_stdin_closes:
            threading.Thread(target=_watch_stdin, args=(loop, leave), daemon=True).start()
        ready(address)

    asyncio.run(serve_until_left(options, listening))


async def serve_until_left(
    options: SandboxOptions, listening: Callable[[SandboxAddress, Callable[[], None]], None]
) -> None:
    """Serve until somebody calls what `listening` is given beside the address, once it listens."""
    state = SandboxState(options)
    listener = _listener(options.port)
    address = SandboxAddress(f"http://{LOOPBACK}:{listener.getsockname()[1]}", os.getpid())
    server = _Server(application(state), partial(listening, address))
    try:
        await server.serve(sockets=[listener])
    finally:
        await state.close()
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

    def __init__(self, app: ASGIApp, listening: Callable[[Callable[[], None]], None]) -> None:
        config = uvicorn.Config(
            app,
            http=SeveredProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._listening(self._leave)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # ours are installed on the loop

    def _leave(self) -> None:
        self.should_exit = True


def _watch_stdin(loop: asyncio.AbstractEventLoop, leave: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):  # not sys.stdin: its lock would hold up the interpreter's end
            pass
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(leave)
