"""Older ledgers become ledgers of today: one function a version, in the transaction that opens the ledger.

alembic writes the statements, for SQLite and PostgreSQL alike. Its own bookkeeping of revisions is not used: a ledger
carries one number, which must also refuse a ledger that a newer version wrote.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Column, Connection, Integer, String, Text, update

from pipelines.ledger.storage.schema import SCHEMA_VERSION, meta

if TYPE_CHECKING:
    from alembic.operations import Operations


def migrate(connection: Connection, found: int) -> None:
    """Bring the tables from schema `found` to today's. Nothing is done where they are there already."""
    if found >= SCHEMA_VERSION:
        return
    from alembic.migration import MigrationContext  # noqa: PLC0415 - slow to load, and an old ledger is rare
    from alembic.operations import Operations  # noqa: PLC0415 - as above

    operations = Operations(MigrationContext.configure(connection))
    for version in range(found, SCHEMA_VERSION):
        _MIGRATIONS[version](connection, operations)
    values = {"value": str(SCHEMA_VERSION)}
    connection.execute(update(meta).where(meta.c.key == "schema_version").values(values))


def _to_2(connection: Connection, operations: Operations) -> None:
    """Give columns, and the field of each stored plan, the words that the code uses since."""
    operations.alter_column("attempt", "pot", new_column_name="bucket")
    operations.alter_column("job", "turned", new_column_name="fallback_index")
    operations.alter_column("job", "sent_as", new_column_name="made_as")
    chunk, last = "SELECT id, plan, made_as FROM job WHERE id > ? ORDER BY id LIMIT 5000", ""
    while rows := connection.exec_driver_sql(chunk, (last,)).all():
        renamed = [(_renamed(row.plan), _renamed(row.made_as), row.id) for row in rows]
        connection.exec_driver_sql("UPDATE job SET plan = ?, made_as = ? WHERE id = ?", renamed)
        last = rows[-1].id


def _to_3(_connection: Connection, operations: Operations) -> None:
    """Make the table of what persons ask of a run that is going on."""
    operations.create_table(
        "request",
        Column("seq", Integer, primary_key=True, autoincrement=True),
        Column("kind", String, nullable=False),
        Column("argument", Text),
        Column("asked_at", String, nullable=False),
        Column("answered_at", String),
    )


def _to_4(_connection: Connection, operations: Operations) -> None:
    """Make room for what a person decides: rows archived, and made anew; and for the answer to a request."""
    for name in ("archived_at", "replaced_by", "redo_of"):
        operations.add_column("job", Column(name, String))
    operations.add_column("request", Column("answer", Text))


def _to_5(_connection: Connection, operations: Operations) -> None:
    """Make room for what is known of a price: that it is assumed."""
    operations.add_column("attempt", Column("assumed", Boolean))


def _to_6(_connection: Connection, operations: Operations) -> None:
    """Make the table of what providers have called about, and note which orders asked for a call."""
    operations.add_column("attempt", Column("calls_back", Boolean))
    operations.create_table(
        "callback",
        Column("seq", Integer, primary_key=True, autoincrement=True),
        Column("attempt_id", String, nullable=False),
        Column("body_sha256", String, nullable=False),
        Column("named_id", String),
        Column("has_ended", Boolean),
        Column("link", Text),
        Column("received_at", String, nullable=False),
        Column("heeded_at", String),
        Column("came_to", String),
    )
    operations.create_index("one_row_a_call", "callback", ["attempt_id", "body_sha256"], unique=True)
    operations.create_index("callbacks_unheeded", "callback", ["heeded_at"])


def _to_7(_connection: Connection, operations: Operations) -> None:
    """Make room for where a clip is in a bucket."""
    operations.add_column("job", Column("storage_uri", Text))


def _renamed(text: str | None) -> str | None:
    if text is None:
        return None
    values: dict[str, Any] = json.loads(text)
    if "turned" in values:
        values["fallback_index"] = values.pop("turned")
    return json.dumps(values)


#: By the version that they leave.
_MIGRATIONS: dict[int, Callable[[Connection, Operations], None]] = dict(
    enumerate((_to_2, _to_3, _to_4, _to_5, _to_6, _to_7), start=1)
)
