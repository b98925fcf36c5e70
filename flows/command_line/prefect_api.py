"""Which Prefect server a run talks to: the one that the user has set, or one of its own."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from inspect import isawaitable

from flows.command_line.prefect_server import temporary_server
from pipelines.core.errors import SetupError

_DRAIN_S = 10.0


@asynccontextmanager
async def prefect_api(show: Callable[[str], None]) -> AsyncIterator[bool]:
    """The Prefect server of this run: the one that the user has set, or one of our own for as long as the run lasts.

    Yields whether it is the run's own, which nobody shares.
    """
    from prefect.client.orchestration import get_client  # Prefect reads its settings at import
    from prefect.settings import PREFECT_API_URL, temporary_settings

    if url := PREFECT_API_URL.value():
        async with get_client() as client:
            problem = await client.api_healthcheck()
        if problem is not None:
            raise SetupError(
                f"No Prefect server answers at {url}. Start it with `prefect server start`, or unset PREFECT_API_URL."
            )
        yield False
        return
    async with temporary_server() as url:
        show(f"Prefect UI, as long as this run lasts: {url}")
        with temporary_settings({PREFECT_API_URL: f"{url}/api"}):
            try:
                yield True
            finally:
                await send_what_is_left()


async def send_what_is_left() -> None:
    """Task runs are told to the server behind our back; it may only go when it has heard of all of them."""
    from prefect.events.worker import EventsWorker  # loaded by now
    from prefect.logging.handlers import APILogHandler

    logging.getLogger("EventsWorker").setLevel(logging.ERROR)  # it warns that there is something left to send
    for rest in (EventsWorker.drain_all(timeout=_DRAIN_S, at_exit=False), APILogHandler.aflush()):
        if isawaitable(rest):
            await rest
