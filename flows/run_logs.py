"""What a run says goes to its logs in Prefect, however it was started."""

from __future__ import annotations

import logging

from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.handlers import APILogHandler


def send_logs() -> None:
    """Send what `reelbatch` logs to Prefect. The command line has told Prefect so by a setting; elsewhere nobody has."""
    log = logging.getLogger("reelbatch")
    if not any(isinstance(handler, APILogHandler) for handler in log.handlers):
        handler = APILogHandler()
        handler.addFilter(_is_of_a_run)
        log.addHandler(handler)
    if log.level == logging.NOTSET:
        log.setLevel(logging.INFO)


def _is_of_a_run(record: logging.LogRecord) -> bool:
    """Tell whether a run is going on that the words may belong to; after it Prefect would only warn that there is none."""
    del record
    return FlowRunContext.get() is not None or TaskRunContext.get() is not None
