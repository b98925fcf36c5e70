"""The inbox flow: each file is a campaign of its own, as a subflow, and the flow says what became of all."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from flows.inbox import inbox
from pipelines.core.errors import SetupError
from tests.servers import HERE, prefect_at


@pytest.fixture
def look(prefect_api, provider, monkeypatch, tmp_path):
    """Look once, as a deployment does. Gives the last state."""
    for name, value in provider.environment("a").items():
        monkeypatch.setenv(name, value)
    box = tmp_path / "inbox"
    box.mkdir()

    async def once(caps=None, **files):
        for name, text in files.items():
            (box / f"{name}.csv").write_text(text, "utf-8")
        with prefect_at(prefect_api):
            return await inbox(str(box), budget=2, provider="qiniu", every=0.05, return_state=True, **caps or {})

    return once


@pytest.mark.long
async def test_each_file_is_a_campaign_of_its_own(look, provider, prefect_api):
    """The good one is made by a subflow of its name, the bad one is refused, and the state says so; again is nothing new."""
    state = await look(spring_of_inbox="id,prompt\na,a boat\n", broken="id,prompt\na,\n")
    assert (state.type, state.message) == ("COMPLETED", "1 done, 1 refused")
    result = await state.aresult()
    assert [(file.name, file.tray) for file in result.files] == [
        ("broken.csv", "refused"),
        ("spring_of_inbox.csv", "done"),
    ]
    assert provider.prompts() == ["a boat"]

    def named():
        wanted = {"flow_runs": {"name": {"any_": ["spring_of_inbox"]}}}
        return httpx.post(f"{prefect_api}/flow_runs/filter", json=wanted, **HERE).json()

    (campaign,) = await asyncio.to_thread(named)
    assert campaign["parent_task_run_id"] is not None
    assert (await look()).message == "nothing new"


@pytest.mark.long
async def test_several_campaigns_in_one_process(look, provider):
    """One after the other, one of them with a row that fails: it is filed as failed, and the others are made."""
    provider.faults({"match": {"route": "submit", "nth": [1]}, "do": {"status": 400}})
    state = await look(**{name: f"id,prompt\na,a boat of {name}\n" for name in ("one", "three", "two")})
    assert state.message == "2 done, 1 failed"
    assert provider.prompts() == ["a boat of three", "a boat of two"]


async def test_a_cap_of_the_day_stops_it(look, provider):
    """It holds over all files; what it leaves too little for is not bought, and the file is filed as failed."""
    state = await look({"budget_per_day": 0.1}, one="id,prompt\na,a boat\n")
    assert state.message == "1 failed"
    assert provider.prompts() == []


async def test_money_needs_a_cap(prefect_api, tmp_path):
    """Without a budget or a yes the flow fails before it looks."""
    with prefect_at(prefect_api), pytest.raises(SetupError, match="without a cap"):
        await inbox(str(tmp_path))
