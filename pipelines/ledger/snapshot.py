"""All jobs of a ledger at one moment, read quickly and held in little memory, to be made into records later."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator

from sqlalchemy import Connection, select

from pipelines.core.packed import Packed
from pipelines.ledger.storage.schema import job
from pipelines.ledger.views import FILE_ORDER, JobRecord, RecordMaker

_JobRow = namedtuple("_JobRow", [column.name for column in job.c])  # noqa: PYI024 - its fields are the table's


class Snapshot:
    """The records of a ledger at one moment, made one by one whenever they are walked through.

    A transaction reads what is written, and no more: 100,000 records would hold it up for ten seconds, and take 300 MB.
    """

    def __init__(self, connection: Connection) -> None:
        """Read every job, in the order of `views.records`."""
        self._maker = RecordMaker(connection)
        self._rows = Packed(map(_JobRow._make, connection.execute(select(job).order_by(*FILE_ORDER))))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._rows)

    def __iter__(self) -> Iterator[JobRecord]:
        """Each record, made anew."""
        return map(self._maker.record, self._rows)
