"""What has happened, one event after the other, and when."""

from __future__ import annotations

import json
import time
from typing import Any

from sqlalchemy import Connection, insert

from pipelines.ledger.storage.schema import event

_NOTE = insert(event)


def note(connection: Connection, kind: str, job_id: str | None = None, **detail: Any) -> None:
    """Append to the history."""
    text = json.dumps(detail, ensure_ascii=False, default=str) if detail else None
    connection.execute(_NOTE, {"job_id": job_id, "at": time.time(), "kind": kind, "detail": text})
