from __future__ import annotations

import asyncio

from pipelines.core.status import JobStatus
from pipelines.run.job.ahead import asked_ahead
from pipelines.run.job.lifecycle import generate_job
from pipelines.run.opening import open_run, ready_run
from pipelines.run.options import RunOptions
from pipelines.run.run import RunContext, handing_over


async def _left_waiting(studio, *names):
    """A run that is stopped as soon as all of its jobs are accepted."""
    studio.sandbox.faults({"match": {"route": "status"}, "do": {"status": 503}})
    jobs = [studio.job(name) for name in names]
    await studio.interrupt(*jobs, when=lambda run: all(s.status is JobStatus.WAITING for s in run.states.values()))
    studio.sandbox.faults()
    return jobs


async def test_what_was_asked_ahead_is_not_asked_again(studio):
    """A job that has ended while its run was still to begin is fetched at once; it was bought once, and asked about once."""
    jobs = await _left_waiting(studio, "a", "b")
    options, batch = RunOptions(out=studio.folder / "out", poll_every=0.05), studio.batch(jobs)
    context = RunContext(observers=(studio.hear,))
    with handing_over(context):
        async with ready_run(batch, options) as run, asked_ahead(run):
            context.ready = run
            answers = list(run.ahead.values())
            await asyncio.gather(*answers)
            asked = run.sessions["qiniu"].poller.requests
            assert {state.status for state in run.states.values()} == {JobStatus.WAITING}  # nothing is written ahead
            async with open_run(batch, options) as begun:
                assert begun is run
                assert [(await generate_job(job.id, run)).status for job in jobs] == [JobStatus.DONE] * 2
            assert run.sessions["qiniu"].poller.requests == asked
    assert context.result.exit_code == 0
    assert sorted(studio.bought()) == [("qiniu", "a"), ("qiniu", "b")]


async def test_what_nobody_takes_over_is_left_as_it_was(studio):
    """A run that never begins, for want of a Prefect server perhaps, has asked, and no more."""
    jobs = await _left_waiting(studio, "a")
    options = RunOptions(out=studio.folder / "out", poll_every=0.05)
    async with ready_run(studio.batch(jobs), options) as run:
        async with asked_ahead(run):
            waiting = run.ahead["a"]
        assert waiting.cancelled()
        assert not run.ahead
    assert studio.overview().counts == {JobStatus.WAITING: 1}
