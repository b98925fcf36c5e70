"""The last stretch over a real provider: what a refused link means for a clip that is paid for."""

from __future__ import annotations

import pytest

from pipelines.job import JobStatus
from pipelines.outcome import SOME_FAILED, UNFINISHED

REFUSED = {"match": {"route": "download"}, "do": {"file": "expired"}}


@pytest.fixture
def brief(studio, monkeypatch):
    """A provider whose documents say that links end at once, and whose answers say nothing of it; one try each."""
    monkeypatch.setattr("pipelines.homecoming._TRIES", 1)
    monkeypatch.setenv("VLLM_OMNI_BASE_URL", f"{studio.sandbox.url}/vllm-omni/v1")
    profile = studio.profiles["vllm-omni"]
    studio.profiles["vllm-omni"] = profile.model_copy(
        update={"timing": profile.timing.model_copy(update={"link_lifetime_hours": 1e-9})}
    )
    studio.sandbox.faults(REFUSED)
    made = studio.choice("openai", "a")
    mode = {"provider": "vllm-omni", "model": profile.default_model, "mode": profile.modes[0].name}
    order = made.order.model_copy(update=mode)
    return studio.job("a", provider="openai").model_copy(update={"order": order})


async def test_at_another_address_the_vendors_documents_end_no_link(studio, brief):
    """What the operator's own server refuses now is asked for again by the next run: nobody said that it is gone."""
    ended = await studio.make(brief)
    assert (ended.code, ended.statuses) == (UNFINISHED, {"a": JobStatus.PARKED})
    studio.sandbox.faults()
    assert (await studio.make(brief)).statuses == {"a": JobStatus.DONE}
    assert len(studio.attempts()) == 1


async def test_a_clip_whose_link_has_ended_is_said_to_be_lost(studio, brief):
    """At the vendor's own address its documents count: paid, gone, and said aloud."""
    async with studio.opened(brief) as run:
        run.lanes["vllm-omni"].vendor_links = True
        await studio.work(run)
    ended = studio.ending(run)
    assert (ended.code, ended.statuses) == (SOME_FAILED, {"a": JobStatus.EXPIRED})
    assert ended.heard("PAID AND EXPIRED at vllm-omni")
