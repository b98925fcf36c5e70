from __future__ import annotations

import asyncio
import logging

import httpx
import pytest
from prefect import flow, task
from prefect.logging.handlers import APILogHandler

from flows.run_logs import send_logs
from pipelines.core.errors import AttentionNeeded, BudgetReached, SetupError
from tests.servers import HERE, prefect_at


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


@pytest.fixture
def logs_of(prefect_api, monkeypatch):
    """What Prefect's server has of the logs of a flow whose task raises one error, and which raises another itself."""
    for of_prefect in ("prefect.flow_runs", "prefect.task_runs"):  # silent in this process
        monkeypatch.setattr(logging.getLogger(of_prefect), "level", logging.INFO)
        logging.getLogger(of_prefect).manager._clear_cache()

    async def read(of_task, of_flow):
        @task
        async def fails():
            raise of_task

        @flow
        async def campaign_like():
            send_logs()
            await fails(return_state=True)
            raise of_flow

        with prefect_at(prefect_api):
            state = await campaign_like(return_state=True)
        wanted = {"logs": {"flow_run_id": {"any_": [str(state.state_details.flow_run_id)]}}}
        async with httpx.AsyncClient(base_url=prefect_api, **HERE) as server:
            for _ in range(200):
                logs = (await server.post("/logs/filter", json=wanted)).json()
                if any("Finished in state" in line["message"] and line["task_run_id"] is None for line in logs):
                    break
                await asyncio.sleep(0.05)
        return "\n".join(line["message"] for line in logs)

    return read


@pytest.mark.parametrize("error", [SetupError, BudgetReached, AttentionNeeded])
async def test_what_was_expected_is_said_in_words(logs_of, error):
    """Errors of our own tree stand in Prefect's logs without a Python traceback, of task runs as of flow runs."""
    logs = await logs_of(error("the first\nsecond line"), error("the cap is reached"))
    assert "the cap is reached" in logs
    assert "the first" in logs
    assert "Traceback" not in logs
    assert "Encountered exception" not in logs


async def test_what_nobody_has_foreseen_keeps_its_traceback(logs_of):
    """Whoever mends a bug needs where it is, in a task as in a flow."""
    logs = await logs_of(ZeroDivisionError("in the task"), KeyError("in the flow"))
    assert logs.count("Traceback") == 2
    assert "ZeroDivisionError: in the task" in logs
    assert "KeyError: 'in the flow'" in logs
