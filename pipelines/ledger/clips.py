"""The clips that a campaign has at home, as its ledger knows them."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select

from pipelines.core.status import JobStatus
from pipelines.ledger.storage.schema import job


def clips_at_home(connection: Connection) -> dict[str, str]:
    """The file of each job that is done, relative to the output folder; of what is archived or in a bucket none."""
    here = (job.c.status == JobStatus.DONE, job.c.storage_uri.is_(None), job.c.archived_at.is_(None))
    found = select(job.c.id, job.c.output).where(*here, job.c.output.is_not(None)).order_by(job.c.position, job.c.id)
    return {row.id: json.loads(row.output)["path"] for row in connection.execute(found)}
