"""The retry and redo flows: a person makes rows again from Prefect, with a price that was agreed to."""

from __future__ import annotations

import asyncio

import pytest

from flows.redo import redo
from flows.retry import retry
from pipelines.core.errors import AttentionNeeded, SetupError
from tests.servers import prefect_at

FAILS_ONCE = {"match": {"route": "submit", "nth": [1]}, "do": {"outcome": "generation_failed"}}


@pytest.mark.long
def test_a_row_that_failed_is_made_again_and_a_clip_anew(
    provider, run_here, write_batch, prefect_api, tmp_path, monkeypatch
):
    """Nothing is sent before somebody has named the most that it may cost; then each is a campaign of its own in Prefect."""
    for name, value in provider.environment().items():
        monkeypatch.setenv(name, value)
    provider.faults(FAILS_ONCE)
    batch = write_batch({"id": "a", "prompt": "a boat"}, {"id": "b", "prompt": "a kite"})
    run_here("run", batch, "--out", "out", "--provider", "qiniu", "--in-flight", 1, **provider.environment())
    provider.faults()
    folder = tmp_path / "out"

    async def work():
        for unasked in (retry(str(folder)), redo(str(folder), "b")):
            with pytest.raises(SetupError, match="nobody has agreed"):
                await unasked
        assert len(provider.bill()) == 2
        retried = await retry(str(folder), budget=5)
        anew, nothing = (
            await redo(str(folder), "b", yes=True, prompt="a red kite"),
            await retry(str(folder), return_state=True),
        )
        with pytest.raises(AttentionNeeded):  # the budget counts what the folder has cost so far
            await redo(str(folder), "a", budget=0.5)
        return retried, anew, nothing

    with prefect_at(prefect_api):
        retried, anew, nothing = asyncio.run(work())
    assert (retried.counts["done"], retried.folder) == (2, folder)
    assert (anew.counts["done"], anew.exit_code) == (2, 0)
    assert nothing.message == "Nothing is run again."
    assert provider.prompts() == ["a boat", "a boat", "a kite", "a red kite"]  # of the boats one had failed
