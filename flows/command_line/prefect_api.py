"""Which Prefect server a run talks to: the one that the user has set, or one of its own."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from inspect import isawaitable
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from flows.command_line.prefect_server import temporary_server
from pipelines.core.errors import SetupError
from pipelines.net.addresses import without_userinfo
from pipelines.net.proxies import ProxyRules

_DRAIN_S = 10.0
#: A server on SQLite may stand still for a minute (docs/architecture.md, "Prefect"); else it answers at once.
_HEALTH_S = 90.0
_NAME_A_SERVER = ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH", "PREFECT_TEST_MODE")
_SERVER_FAILS = 500  # from this HTTP status on


def is_server_set() -> bool:
    """Tell whether the user has set a Prefect server, in the environment or a profile of Prefect's."""
    if "prefect.settings" not in sys.modules and not may_name_a_server(os.environ, Path.cwd()):
        return False  # known without loading Prefect, which takes a second
    from prefect.settings import PREFECT_API_URL  # Prefect reads its settings at import

    return bool(PREFECT_API_URL.value())


def may_name_a_server(environment: Mapping[str, str], folder: Path) -> bool:
    """Tell whether there is anything in which Prefect could find the address of a server; what it says is Prefect's to read.

    Args:
        environment: the variables of the process.
        folder: its working directory, whose files Prefect heeds.
    """
    if any(name.upper() in _NAME_A_SERVER for name in environment):
        return True
    if any((folder / name).exists() for name in (".env", "prefect.toml")):
        return True
    home = Path(environment.get("PREFECT_HOME") or "~/.prefect").expanduser()
    for path, word in ((folder / "pyproject.toml", "prefect"), (home / "profiles.toml", "api")):
        try:
            if word in path.read_text("utf-8", "replace").casefold():
                return True
        except FileNotFoundError:
            continue
        except OSError:
            return True
    return False


@asynccontextmanager
async def prefect_api(show: Callable[[str], None]) -> AsyncIterator[bool]:
    """The Prefect server of this run: the one that the user has set, or one of our own for as long as the run lasts.

    Yields whether it is the run's own, which nobody shares.
    """
    if is_server_set():
        _load_prefect()
        await check_prefect()
        yield False
        return
    async with temporary_server(meanwhile=_load_prefect) as url:
        from prefect.settings import PREFECT_API_URL, temporary_settings

        show(f"Prefect UI, as long as this run lasts: {url}")
        with temporary_settings({PREFECT_API_URL: f"{url}/api"}):
            try:
                yield True
            finally:
                await send_what_is_left()


def _load_prefect() -> None:
    """Load Prefect and the flow, which takes a second and a half."""
    importlib.import_module("flows.campaign")
    # At the end it warns that there is something left to send.
    logging.getLogger("EventsWorker").setLevel(logging.ERROR)


async def check_prefect() -> None:
    """Ask the Prefect server that is set whether it is there.

    Raises:
        SetupError: it is not, or a proxy of the environment is none, and Prefect's client would fall over it.
    """
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

    ProxyRules.of(os.environ).check()

    try:
        async with asyncio.timeout(_HEALTH_S), get_client() as client:
            problem = await client.api_healthcheck()
    except Exception as error:  # noqa: BLE001 - whatever Prefect's client raises, it is not there
        problem = error
    if problem is not None:
        raise SetupError(
            f"No Prefect server answers at {without_userinfo(str(PREFECT_API_URL.value()))}. Start it with `prefect server start`, or unset "
            "PREFECT_API_URL."
        )


def prefect_trouble(error: Exception) -> str | None:
    """What a person is told when Prefect's server fails in the middle; None: the error is another."""
    prefect = sys.modules.get("prefect.exceptions")  # not loaded for the sake of the question
    if prefect is None or not isinstance(error, prefect.PrefectHTTPStatusError):
        return None
    status = error.response.status_code
    if status < _SERVER_FAILS:
        return None
    return (
        f"Prefect's server answers {status}: it is overloaded, or fails. What was bought stands in the ledger. Wait a little "
        "and run the same command again; on SQLite it serves few runs at a time, on PostgreSQL many."
    )


async def send_what_is_left() -> None:
    """Task runs are told to the server behind our back; it may only go when it has heard of all of them."""
    from prefect.events.worker import EventsWorker  # loaded by now
    from prefect.logging.handlers import APILogHandler

    for rest in (EventsWorker.drain_all(timeout=_DRAIN_S, at_exit=False), APILogHandler.aflush()):
        if isawaitable(rest):
            await rest


def forget_what_is_left() -> None:
    """Throw away what the server, which is gone, has not heard of: the process would wait seven seconds for each event."""
    from prefect.events.worker import EventsWorker

    for worker in getattr(
        EventsWorker, "_instances", {}
    ).values():  # nothing public empties them; those of the logs, too
        queue: Queue[Any] = getattr(worker, "_queue", Queue())
        with suppress(Empty):
            while True:
                queue.get_nowait()
