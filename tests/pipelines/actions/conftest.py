"""Folders with a payment in doubt, over a real sandbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.catalogue.compilation import write_catalogue
from pipelines.core.status import JobStatus
from pipelines.run.opening import open_run
from pipelines.run.run import RunContext, handing_over

#: The order is worked off, and its answer never arrives: bought, and nobody here knows.
BOUGHT = {"match": {"route": "submit", "nth": [1]}, "do": {"cut": "after"}}
#: The connection breaks before the order is worked off: not bought, and nobody here knows.
NOT_BOUGHT = {"match": {"route": "submit", "nth": [1]}, "do": {"cut": "before"}}


@pytest.fixture
def in_doubt(studio: Any) -> Callable[..., Awaitable[Path]]:
    """A run of these jobs of which the first ends in doubt; its folder."""

    async def make(*jobs: Any, fault: Any = BOUGHT) -> Path:
        studio.sandbox.faults(fault)
        ending = await studio.make(*jobs, in_flight=1)  # the first is sent first
        studio.sandbox.faults()
        assert ending.statuses[jobs[0].id] is JobStatus.IN_DOUBT
        return studio.folder / "out"

    return make


@pytest.fixture
def money(studio: Any) -> Callable[[], tuple[float, float, float]]:
    """Reserved, spent and uncertain of the only currency."""

    def read() -> tuple[float, float, float]:
        [balance] = studio.overview().money
        return float(balance.reserved), float(balance.spent), float(balance.uncertain)

    return read


@pytest.fixture
def run_on(studio: Any) -> Callable[..., Awaitable[Any]]:
    """A whole run of what `begin_retry` and `begin_redo` give, with its catalogue."""

    async def work(batch: Any, options: Any) -> Any:
        context = RunContext(observers=(studio.hear,))
        with handing_over(context):
            async with open_run(batch, options.model_copy(update={"poll_every": 0.05})) as run:
                await studio.work(run)
                await write_catalogue(run.ledger, run.batch, run.folder)
        return context.result

    return work
