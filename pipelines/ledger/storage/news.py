"""Hearing that another process has written into a ledger: at once from PostgreSQL, by a cheap look at a SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import suppress
from urllib.parse import quote

import psycopg

from pipelines.ledger.storage.place import FileLedger, LedgerPlace, SharedLedger
from pipelines.ledger.storage.postgres import space_of

LOOK_EVERY_S = 0.25
_AT_LEAST_EVERY_S = 2.0  # the inbox is looked into, whatever was heard: a word may be lost with its connection


async def news_of(place: LedgerPlace, channel: str) -> AsyncGenerator[None, None]:
    """Yield whenever somebody may have written into a ledger, and at least every two seconds. Never raises.

    Args:
        place: of the ledger.
        channel: the channel of PostgreSQL on which writers say in which schema they have written.
    """
    while True:
        try:
            async for _ in _in_database(place, channel) if isinstance(place, SharedLedger) else _in_file(place):
                yield
        except (psycopg.Error, sqlite3.Error, OSError):
            yield
            await asyncio.sleep(_AT_LEAST_EVERY_S)


async def _in_database(place: SharedLedger, channel: str) -> AsyncGenerator[None, None]:
    address = place.url.set(drivername="postgresql").render_as_string(hide_password=False)
    space = space_of(place.campaign)
    async with await psycopg.AsyncConnection.connect(address, autocommit=True, connect_timeout=10) as connection:
        await connection.execute(f'LISTEN "{channel}"'.encode())
        yield  # what came before
        while True:
            async for notice in connection.notifies(timeout=_AT_LEAST_EVERY_S, stop_after=1):
                if notice.payload == space:
                    break
            else:
                await connection.execute("SELECT 1")  # is it still there?
            yield


async def _in_file(place: FileLedger) -> AsyncGenerator[None, None]:
    """Look at the number that SQLite changes when another connection has committed."""
    file = sqlite3.connect(f"file:{quote(place.file.as_posix())}?mode=ro", uri=True, timeout=0.0)
    try:
        seen, quiet = None, 0.0
        while True:
            version = seen
            with suppress(sqlite3.OperationalError):  # somebody commits at this moment
                version = file.execute("PRAGMA data_version").fetchone()[0]
            if version != seen or quiet >= _AT_LEAST_EVERY_S:
                seen, quiet = version, 0.0
                yield
            quiet += LOOK_EVERY_S
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        file.close()
