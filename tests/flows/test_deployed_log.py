from __future__ import annotations

import logging

import pytest
from prefect.logging.handlers import APILogHandler

from flows.deployed_log import log_to_prefect


@pytest.fixture
def log():
    """The logger of ours, as a worker's process has it before the run."""
    logger = logging.getLogger("reelbatch")
    before = logger.level, logger.handlers[:]
    logger.setLevel(logging.NOTSET)
    logger.handlers[:] = []
    yield logger
    logger.setLevel(before[0])
    logger.handlers[:] = before[1]


def test_the_story_reaches_prefect_once(log):
    """What is said of a run is carried into its logs, by one handler however often it is asked for."""
    log_to_prefect()
    log_to_prefect()
    assert [type(handler) for handler in log.handlers] == [APILogHandler]
    assert log.getChild("said").isEnabledFor(logging.INFO)


def test_a_level_that_somebody_chose_stays(log):
    """Who wants less to be said is heard."""
    log.setLevel(logging.ERROR)
    log_to_prefect()
    assert log.level == logging.ERROR
