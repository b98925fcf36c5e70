"""Which Prefect server a run talks to: the one that the user has set, or one of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from inspect import isawaitable

from flows.command_line.prefect_server import temporary_server
from pipelines.core.errors import SetupError
from pipelines.net.addresses import without_userinfo

_DRAIN_S = 10.0
_HEALTH_S = 15.0  # a server that is there answers within this, also under load


@asynccontextmanager
async def prefect_api(show: Callable[[str], None]) -> AsyncIterator[None]:
    """The Prefect server of this run: the one that the user has set, or one of our own for as long as the run lasts."""
    from prefect.settings import PREFECT_API_URL, temporary_settings  # Prefect reads its settings at import

    if PREFECT_API_URL.value():
        await check_prefect()
        yield
        return
    async with temporary_server() as url:
        show(f"Prefect UI, as long as this run lasts: {url}")
        with temporary_settings({PREFECT_API_URL: f"{url}/api"}):
            try:
                yield
            finally:
                await send_what_is_left()


async def check_prefect() -> None:
    """Ask the Prefect server that is set whether it is there.

    Raises:
        SetupError: it is not.
    """
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

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


async def send_what_is_left() -> None:
    """Task runs are told to the server behind our back; it may only go when it has heard of all of them."""
    from prefect.events.worker import EventsWorker  # loaded by now
    from prefect.logging.handlers import APILogHandler

    logging.getLogger("EventsWorker").setLevel(logging.ERROR)  # it warns that there is something left to send
    for rest in (EventsWorker.drain_all(timeout=_DRAIN_S, at_exit=False), APILogHandler.aflush()):
        if isawaitable(rest):
            await rest
