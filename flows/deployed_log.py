"""The story of a deployment's run in its logs in Prefect: what is sent, what waits, what it cost."""

from __future__ import annotations

import logging

from prefect.logging.handlers import APILogHandler


def log_to_prefect() -> None:
    """Let what reelbatch says from now on stand in the logs of the flow run, however it was deployed."""
    log = logging.getLogger("reelbatch")
    if log.level == logging.NOTSET:  # else it has the level of Python's root, which hears of warnings only
        log.setLevel(logging.INFO)
    if not any(isinstance(handler, APILogHandler) for handler in log.handlers):
        log.addHandler(APILogHandler())
