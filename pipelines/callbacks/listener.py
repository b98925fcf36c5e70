"""Listening for callbacks: sockets, uvicorn behind the doors, and where it may not listen."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipelines.callbacks.connections import MOST_CONNECTIONS, Door, Doorway
from pipelines.callbacks.receiver import Receiver, operations
from pipelines.core.errors import SetupError
from pipelines.net.addresses import is_loopback

_BACKLOG = 2_048  # connections that the system keeps
_AT_ONCE = 64  # of them that are taken before those are read that are there
_GRACE_S = 10  # for calls that are being written down when it is stopped
_SPARE_FILES = 64  # of the ledger, the log and Python itself


@asynccontextmanager
async def listening(
    receiver: Receiver, listener: socket.socket, health: socket.socket | None = None
) -> AsyncIterator[int]:
    """Listen for the length of the block, then stop in order: calls that were let in are answered.

    Args:
        receiver: what takes the calls.
        listener: where it listens, from `listener_on`.
        health: where operators look, if anywhere.

    Yields:
        The port.
    """
    doorway = Doorway(receiver.keys, receiver.counts, most_connections())
    servers = [_server(receiver.application(), doorway)]
    serving = [asyncio.create_task(servers[0].serve(sockets=[listener]))]
    if health is not None:
        servers.append(_server(operations(receiver)))
        serving.append(asyncio.create_task(servers[1].serve(sockets=[health])))
    try:
        while not all(server.started for server in servers):
            for task in serving:
                if task.done():
                    task.result()
            await asyncio.sleep(0.005)
        listener.listen(_BACKLOG)  # uvicorn has one number for both
        yield int(listener.getsockname()[1])
    finally:
        doorway.close()
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*serving)
        receiver.counts.sum_up()


def listener_on(address: str, option: str, *, insecure: bool = False) -> socket.socket:
    """A socket that listens at an address that is safe to listen at.

    Args:
        address: HOST:PORT; a bare port means this machine.
        option: that gave it, for the message.
        insecure: an address that others reach is all right without TLS before it.

    Raises:
        SetupError: it is no address, it is taken, or others could reach it.
    """
    host, port = host_and_port(address, option)
    if not is_loopback(host) and not insecure:
        raise SetupError(
            f"{option} {address} can be reached by others, and speaks plain http: tokens could be read on their way. "
            "Listen on 127.0.0.1 behind a proxy or tunnel that speaks https (docs/callbacks.md); --insecure-callbacks "
            "listens there all the same."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # A socket that names its protocol: otherwise asyncio leaves Nagle's delay on.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        advice = "Choose another port"
        if option == "--callback-listen":
            advice += ", or leave the option out if `reelbatch callbacks` listens there"
        raise SetupError(
            f"{option} {address}: nobody can listen there ({error.strerror or error}). {advice}."
        ) from None
    return listener


def host_and_port(address: str, option: str) -> tuple[str, int]:
    """Read HOST:PORT.

    Raises:
        SetupError: it is none.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if colon else "127.0.0.1"
    if not port.isdecimal() or int(port) > 65_535 or not host:  # noqa: PLR2004 - as TCP has them
        raise SetupError(f"{option} {address} is no address to listen at. Write HOST:PORT, such as 127.0.0.1:8900.")
    return host, int(port)


def most_connections() -> int:
    """How many connections this process may have, after asking the system for more files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MOST_CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, 2 * MOST_CONNECTIONS)
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return max(16, min(MOST_CONNECTIONS, soft // 2 - _SPARE_FILES))


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # whoever listens has handlers of its own


def _server(app: ASGIApp, doorway: Doorway | None = None) -> _Server:
    def door(**given: Any) -> asyncio.Protocol:
        inside = partial(H11Protocol, **given)
        return inside() if doorway is None else Door(doorway, inside)

    config = uvicorn.Config(
        app,
        http=door,  # type: ignore[arg-type] # uvicorn calls it as it calls a class
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_AT_ONCE,
        timeout_keep_alive=1,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return _Server(config)
