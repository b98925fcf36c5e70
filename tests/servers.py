"""How tests reach servers of their own, without what only strangers need."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpx

#: Of requests to a sandbox or to Prefect: no proxy is asked, and whom TLS trusts is not read, which takes 50 ms each time.
HERE: dict[str, Any] = {"trust_env": False, "verify": False}


@contextmanager
def prefect_at(url: str | None) -> Iterator[None]:
    """Prefect is there, for the length of the block. `temporary_settings` does the same in 0.2 s each time."""
    from prefect.context import SettingsContext, get_settings_context  # noqa: PLC0415 - only where it is asked for

    with SettingsContext(profile=get_settings_context().profile, settings=_settings(url)):
        yield


@cache
def _settings(url: str | None) -> Any:
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415 - only where it is asked for

    with temporary_settings({PREFECT_API_URL: url}) as settings:
        return settings


async def written(server: httpx.AsyncClient, path: str, body: Any) -> Any:
    """What a Prefect server says to a change; while its SQLite is locked it refuses all, and Prefect's client asks again."""
    while True:
        answer = await server.post(path, json=body)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            return answer.raise_for_status().json()
        await asyncio.sleep(0.2)
