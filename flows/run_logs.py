"""What a run says goes to its logs in Prefect, however it was started."""

from __future__ import annotations

import logging

from prefect.logging.handlers import APILogHandler


def send_logs() -> None:
    """Send what `reelbatch` logs to Prefect. The command line has told Prefect so by a setting; elsewhere nobody has."""
    log = logging.getLogger("reelbatch")
    if not any(isinstance(handler, APILogHandler) for handler in log.handlers):
        log.addHandler(APILogHandler())
    if log.level == logging.NOTSET:
        log.setLevel(logging.INFO)
