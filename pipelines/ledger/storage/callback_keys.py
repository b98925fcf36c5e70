"""The keys of callback addresses, kept where the ledger is kept: beside its file, or in its database for all campaigns.

The newest stands first; the one before it is good still, so that orders on their way can call when a key has been changed.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError

from pipelines.core.errors import LedgerError
from pipelines.ledger.storage.place import FileLedger, LedgerPlace, SharedLedger
from pipelines.ledger.storage.postgres import PostgresStorage, make_shared_tables

R = TypeVar("R")

KEYS_NAME = ".callback-keys"
_KEY_BYTES = 32
_LIVE = 2
_MOST = 4_096  # bytes of the file
_MAKING = 0x5265656D  # of the lock behind which keys are made, one process at a time

_shared = MetaData(schema="reelbatch_callbacks")
_key = Table("key", _shared, Column("n", Integer, primary_key=True), Column("value", String, nullable=False))
_campaign = Table(
    "campaign", _shared, Column("ledger_id", String, primary_key=True), Column("name", String, nullable=False)
)


def stored_keys(place: LedgerPlace, *, rotate: bool = False) -> tuple[str, ...]:
    """The keys of a ledger, newest first, two at most. One is made where there is none.

    Args:
        place: of the ledger.
        rotate: make a new one; of those before only the last stays good.

    Raises:
        LedgerError: they cannot be read or written.
    """
    if isinstance(place, SharedLedger):
        return _in_database(place, rotate=rotate)
    path = place.file.with_name(KEYS_NAME)
    try:
        known = _in_file(path)
        if not known or rotate:
            _write(path, (secrets.token_hex(_KEY_BYTES), *known)[:_LIVE], new=not known)
            known = _in_file(path)
    except (OSError, UnicodeDecodeError) as error:
        raise LedgerError(f"The keys of callbacks in {path} cannot be used ({error}).") from None
    if not known:
        raise LedgerError(f"{path} has no key in it. Remove it; orders on their way can call no more then.")
    return known


def register_campaign(place: LedgerPlace, ledger_id: str) -> None:
    """Let receivers of a database know which campaign a ledger is. A file has one only.

    Raises:
        LedgerError: the database cannot be used.
    """
    if not isinstance(place, SharedLedger):
        return
    values = {"ledger_id": ledger_id, "name": place.campaign}
    statement = upsert(_campaign).values(values).on_conflict_do_update(index_elements=["ledger_id"], set_=values)
    _run(place, lambda connection: connection.execute(statement))


def ledger_called(place: LedgerPlace, ledger_id: str) -> LedgerPlace | None:
    """The ledger of that name: in a database that of the campaign; a file is asked for its name when it is opened.

    Raises:
        LedgerError: the database cannot be used.
    """
    if isinstance(place, FileLedger):
        return place
    statement = select(_campaign.c.name).where(_campaign.c.ledger_id == ledger_id)
    name = _run(place, lambda connection: connection.execute(statement).scalar_one_or_none())
    return None if name is None else SharedLedger(place.url, str(name), place.folder, place.address)


def ledgers_called_back(place: LedgerPlace) -> list[LedgerPlace]:
    """Every ledger there whose orders ask for calls.

    Raises:
        LedgerError: the database cannot be used.
    """
    if isinstance(place, FileLedger):
        return [place]
    names = _run(place, lambda connection: list(connection.execute(select(_campaign.c.name)).scalars()))
    return [SharedLedger(place.url, str(name), place.folder, place.address) for name in names]


def _in_file(path: Path) -> tuple[str, ...]:
    if not path.exists():
        return ()
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, encoding="ascii") as file:
        return tuple(line.strip() for line in file.read(_MOST).splitlines() if line.strip())[:_LIVE]


def _write(path: Path, keys: tuple[str, ...], *, new: bool) -> None:
    """Write the keys, for the owner's eyes only; of two processes that make the first one, the quicker wins."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write("".join(f"{key}\n" for key in keys))
        file.flush()
        os.fsync(descriptor)
    try:
        if new:
            os.link(part, path)
        else:
            part.replace(path)
    except FileExistsError:
        pass
    finally:
        part.unlink(missing_ok=True)


def _in_database(place: SharedLedger, *, rotate: bool) -> tuple[str, ...]:
    def work(connection: Connection) -> tuple[str, ...]:
        connection.execute(select(func.pg_advisory_xact_lock(_MAKING)))
        newest = select(_key.c.value).order_by(_key.c.n.desc()).limit(_LIVE)
        known = tuple(map(str, connection.execute(newest).scalars()))
        if known and not rotate:
            return known
        connection.execute(insert(_key).values(value=secrets.token_hex(_KEY_BYTES)))
        return tuple(map(str, connection.execute(newest).scalars()))

    return _run(place, work)


def _run(place: SharedLedger, work: Callable[[Connection], R]) -> R:
    """Run work in a database where the tables are, or are made now."""
    try:
        with PostgresStorage(place).asking() as connection:
            make_shared_tables(connection, _shared)
            return work(connection)
    except DBAPIError:
        raise LedgerError(
            f"The keys of callbacks at {place.address} cannot be used. Look at --ledger or REELBATCH_LEDGER, and whether "
            "the server runs."
        ) from None
