"""The collect flow, over a folder that a killed run has left."""

from __future__ import annotations

import pytest

from flows.collect import collect
from pipelines.ledger.ledger import Ledger
from pipelines.ledger.storage.place import LEDGER_NAME
from tests.servers import prefect_at


@pytest.mark.long
async def test_collect_brings_home_what_is_below_a_folder(left_behind, prefect_api):
    """One task run a folder; a folder that another run owns is left alone, and nothing is ordered."""
    out, provider = left_behind
    with prefect_at(prefect_api):
        async with Ledger(out / LEDGER_NAME):
            state = await collect(str(out.parent), return_state=True)
            assert (state.type, state.message) == ("COMPLETED", "0 paid clips recovered, 1 not home yet")
        state = await collect(str(out.parent), return_state=True)
    assert state.message == "1 paid clip recovered"
    assert [*(out / "videos").glob("*.mp4")]
    assert len(provider.bill()) == 1
