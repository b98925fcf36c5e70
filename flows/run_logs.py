"""What a run says goes to its logs in Prefect, however it was started."""

from __future__ import annotations

import logging

from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.handlers import APILogHandler

from pipelines.core.errors import ReelbatchError


def send_logs() -> None:
    """Send what `reelbatch` logs to Prefect, and have expected errors said there in words.

    The command line has told Prefect the first by a setting; elsewhere nobody has.
    """
    log = logging.getLogger("reelbatch")
    if not any(isinstance(handler, APILogHandler) for handler in log.handlers):
        handler = APILogHandler()
        handler.addFilter(_is_of_a_run)
        log.addHandler(handler)
    if log.level == logging.NOTSET:
        log.setLevel(logging.INFO)
    for of_prefect in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(of_prefect).addFilter(_in_words)


def _in_words(record: logging.LogRecord) -> bool:
    """Leave of an error that we raise on purpose its words: the traceback that Prefect adds is for what nobody has foreseen."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, ReelbatchError):
        record.exc_info = record.exc_text = None
        if record.args and error in record.args:  # "Encountered exception during execution: %r"
            record.msg, record.args = "%s", (str(error),)
    return True


def _is_of_a_run(record: logging.LogRecord) -> bool:
    """Tell whether a run is going on that the words may belong to; after it Prefect would only warn that there is none."""
    del record
    return FlowRunContext.get() is not None or TaskRunContext.get() is not None
