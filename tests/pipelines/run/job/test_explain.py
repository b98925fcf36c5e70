"""What a person is told of a job who sees nothing else of it, over a real provider and a real ledger."""

from __future__ import annotations

import pytest

from pipelines.run.job.explain import explanation


def submit(**effect):
    """A rule: this is what every order meets."""
    return {"match": {"route": "submit"}, "do": effect}


@pytest.fixture
def explained(studio):
    """A whole run of these jobs, and how each is explained at its end."""

    async def run(*jobs, **options):
        async with studio.opened(*jobs, **options) as opened:
            await studio.work(opened)
            return {job.id: await explanation(opened.job(job.id), opened) for job in jobs}

    return run


async def test_a_clip_on_disk_needs_no_reason(studio, explained):
    """Done is done."""
    assert await explained(studio.job("a")) == {"a": "done"}


async def test_a_refusal_is_told_in_the_providers_words(studio, explained):
    """Message and code are those of the ledger; what was not made because of it says whose fault it is."""
    studio.sandbox.faults(submit(status=400))
    told = await explained(studio.job("a"), studio.job("b", parent="a"))
    kept = studio.records()["a"]
    assert told["a"].startswith(f"rejected: {kept.error_message.rstrip('.')} ({kept.error_code}).")
    assert told["b"].startswith("skipped: it is a remix of a, which is rejected (parent_failed).")


async def test_doubt_names_the_amount(studio, explained):
    """In doubt: why, how much may be gone, and that nothing is sent again."""
    studio.sandbox.faults(submit(cut="after"))
    told = (await explained(studio.job("a")))["a"]
    assert told.startswith(f"in doubt: {studio.records()['a'].error_message.rstrip('.')}.")
    assert told.endswith("0.40 USD may have been paid. It is not sent again by itself.")


async def test_what_was_not_sent_says_why(studio, explained):
    """A planned job names what closed its provider, or the budget that ended the run."""
    studio.sandbox.faults(submit(status=401))
    told = (await explained(studio.job("a")))["a"]
    assert told.startswith("planned: nothing is paid. qiniu refuses the API key")
    studio.sandbox.faults()
    told = (await explained(studio.job("b"), budget="0.1"))["b"]
    assert told.startswith("planned: nothing is paid. The budget of 0.10 USD")


async def test_what_waits_for_a_parent_in_doubt_names_it(studio, explained):
    """A remix whose parent is in doubt stays planned, and says for whom it waits."""
    studio.sandbox.faults(submit(cut="after"))
    told = await explained(studio.job("a"), studio.job("b", parent="a"))
    assert told["b"] == "planned: nothing is paid. It waits for a, which is in doubt."
