from __future__ import annotations

import logging

from prefect.logging.handlers import APILogHandler

from flows.run_logs import send_logs


def test_the_log_of_a_run_is_sent_once():
    """Whoever starts a run, its words go to Prefect, and not twice if they went there already."""
    log = logging.getLogger("reelbatch")
    before, level = list(log.handlers), log.level
    try:
        send_logs()
        send_logs()
        assert sum(isinstance(handler, APILogHandler) for handler in log.handlers) == 1
        assert log.isEnabledFor(logging.INFO)
    finally:
        log.handlers[:], log.level = before, level
