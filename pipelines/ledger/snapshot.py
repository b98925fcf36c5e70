"""All jobs of a ledger at one moment, read quickly and held in little memory, to be made into records later."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

from sqlalchemy import Connection, select

from pipelines.core.packed import Packed
from pipelines.ledger.storage.schema import job
from pipelines.ledger.views import FILE_ORDER, JobRecord, RecordMaker

_COLUMNS = [column.name for column in job.c]


class Snapshot:
    """The records of a ledger at one moment, made one by one whenever they are walked through.

    A transaction reads what is written, and no more: 100,000 records would hold it up for ten seconds, and take 300 MB.
    """

    def __init__(self, connection: Connection) -> None:
        """Read every job, in the order of `views.records`."""
        self._maker = RecordMaker(connection)
        self._rows = Packed(map(tuple, connection.execute(select(job).order_by(*FILE_ORDER))))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._rows)

    def __iter__(self) -> Iterator[JobRecord]:
        """Each record, made anew."""
        rows = (SimpleNamespace(**dict(zip(_COLUMNS, row, strict=True))) for row in self._rows)
        return map(self._maker.record, rows)
