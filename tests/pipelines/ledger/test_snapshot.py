from __future__ import annotations

from pipelines.core.status import JobStatus
from pipelines.ledger import views
from pipelines.ledger.snapshot import Snapshot
from tests.pipelines.ledger.conftest import EVERYWHERE


@EVERYWHERE
async def test_a_snapshot_makes_the_records_of_its_moment(ledger, register, bring_to, make_job):
    """Each time that it is walked through, in the same order, whatever has become of the jobs since."""
    jobs = [make_job(status.value, row=place) for place, status in enumerate(JobStatus, 1)]
    await register(ledger, *jobs)
    reachable = (JobStatus.DONE, JobStatus.FAILED, JobStatus.IN_DOUBT, JobStatus.REJECTED, JobStatus.READY)
    for job in jobs:
        if job.id in reachable:
            await bring_to(ledger, job, JobStatus(job.id))
    before = await ledger.write(lambda connection: list(views.records(connection)))
    snapshot = await ledger.write(Snapshot)
    await bring_to(ledger, jobs[0], JobStatus.WAITING)
    assert len(snapshot) == len(jobs)
    assert list(snapshot) == list(snapshot) == before
    assert await ledger.write(lambda connection: list(views.records(connection))) != before
