from __future__ import annotations

import asyncio

import pytest

from pipelines.actions import persons_word
from pipelines.actions.archive import archive_jobs
from pipelines.actions.verify import verify_folder
from pipelines.core.errors import SettlementRefused
from pipelines.core.status import JobStatus
from pipelines.ledger.ledger import Ledger, ledger_in
from pipelines.run import requests as of_run
from pipelines.run.dispatch import dispatch
from pipelines.run.job.lifecycle import generate_job
from pipelines.run.options import RunOptions

QUICK = RunOptions(poll_every=0.05)


@pytest.fixture
async def folder(studio):
    """A folder with two clips."""
    await studio.make(studio.job("a"), studio.job("b"))
    return studio.folder / "out"


async def test_whole_files_are_left_alone(folder, studio):
    """Nothing is asked of the provider."""
    found = await verify_folder(folder, QUICK)
    assert (found.files, found.bad) == (2, ())


async def test_what_is_missing_or_damaged_is_fetched_again(folder, studio):
    """The damaged file is set aside, never overwritten; nothing is bought."""
    a, b = folder / "videos" / "a.mp4", folder / "videos" / "b.mp4"
    was = a.read_bytes()
    a.unlink()
    b.write_bytes(b"not a clip")
    found = await verify_folder(folder, QUICK)
    assert {clip.job_id: (clip.code, clip.whole_again) for clip in found.bad} == {
        "a": ("file_missing", True),
        "b": ("file_damaged", True),
    }
    [kept] = [clip.set_aside for clip in found.bad if clip.set_aside]
    assert (folder / kept).read_bytes() == b"not a clip"
    assert a.read_bytes() == was
    assert (await verify_folder(folder, QUICK)).bad == ()
    assert len(studio.bought()) == 2


async def test_what_cannot_be_had_does_not_count_as_done(folder, studio, monkeypatch):
    """It is paid for and not home, until it is back."""
    (folder / "videos" / "a.mp4").unlink()
    with monkeypatch.context() as patched:
        patched.delenv("QINIU_API_KEY")
        found = await verify_folder(folder, QUICK)
    assert [(clip.job_id, clip.status) for clip in found.lost] == [("a", JobStatus.READY)]
    assert "QINIU_API_KEY" in found.lost[0].why
    record = studio.records()["a"]
    assert (record.status, record.output, record.error_code) == (JobStatus.READY, None, "file_missing")
    assert '"path":null' in (folder / "manifest.jsonl").read_text("utf-8").splitlines()[0]
    assert (await studio.make(studio.job("a"), studio.job("b"))).code == 0
    assert studio.records()["a"].status is JobStatus.DONE


async def test_a_link_in_the_place_of_a_clip_is_not_followed(folder, studio, tmp_path):
    """It leads out of the folder, so it is damage; what it leads to stays as it is."""
    secret, clip = tmp_path / "secret", folder / "videos" / "a.mp4"
    secret.write_text("x")
    clip.unlink()
    clip.symlink_to(secret)
    found = await verify_folder(folder, QUICK)
    assert [(each.code, each.whole_again) for each in found.bad] == [("file_damaged", True)]
    assert (secret.read_text(), clip.is_symlink()) == ("x", False)


async def test_a_run_that_goes_on_fetches_it_again(folder, studio, monkeypatch):
    """The link may be dead when it has ended; nothing is bought for it, and the run counts it once."""
    monkeypatch.setattr(of_run, "LOOK_EVERY_S", 0.01)
    (folder / "videos" / "a.mp4").unlink()
    gate, bought = asyncio.Event(), len(studio.bill())
    async with studio.opened(studio.job("a"), studio.job("b"), studio.job("slow")) as run:

        async def work(job):
            if job.id == "slow":
                await gate.wait()
            await generate_job(job.id, run)

        heeding, working = asyncio.create_task(of_run.heed_requests(run)), asyncio.create_task(dispatch(run, work))
        await studio.until(lambda: run.begin_also is not None)
        found = await verify_folder(folder, QUICK)
        assert [(clip.job_id, clip.whole_again) for clip in found.bad] == [("a", True)]
        assert (len(studio.bill()), run.progress.counts[JobStatus.DONE]) == (bought, 2)
        gate.set()
        await asyncio.wait_for(working, 20)
        heeding.cancel()
    assert studio.records()["a"].status is JobStatus.DONE


async def test_what_is_under_way_is_not_waited_for(folder, studio):
    """Who misses a file wants that file; a job that its provider is still making stays there."""
    held = {"match": {"route": "status", "contract": "openai"}, "do": {"status": 503}}
    studio.sandbox.faults(held)
    jobs = studio.job("a"), studio.job("b"), studio.job("c", provider="openai")
    await studio.interrupt(*jobs, when=lambda run: run.status_of("c") is JobStatus.WAITING)
    (folder / "videos" / "a.mp4").unlink()
    found = await asyncio.wait_for(verify_folder(folder, QUICK), 10)
    assert [(clip.job_id, clip.whole_again) for clip in found.bad] == [("a", True)]
    assert studio.records()["c"].status is JobStatus.WAITING


async def test_an_owner_that_does_not_answer_is_named(folder, studio, monkeypatch):
    """What is wrong is said all the same, and nothing is changed."""
    monkeypatch.setattr(persons_word, "PATIENCE_S", 0.2)
    (folder / "videos" / "a.mp4").unlink()
    async with Ledger(ledger_in(folder)):
        found = await verify_folder(folder, QUICK)
    assert "does not answer" in found.lost[0].why
    assert studio.records()["a"].status is JobStatus.DONE


async def test_what_is_archived_is_not_counted_and_not_looked_at(folder, studio):
    """Its status and its file stay; a name that nothing has changes nothing."""
    (folder / "videos" / "a.mp4").unlink()
    with pytest.raises(SettlementRefused, match="no job 'aa'"):
        await archive_jobs(folder, ["b", "aa"])
    assert await archive_jobs(folder, ["a", "a"]) == ["a"]
    assert await archive_jobs(folder, ["a"]) == []
    assert (await verify_folder(folder, QUICK)).bad == ()
    overview = studio.overview()
    assert (overview.counts, overview.archived) == ({JobStatus.DONE: 1}, 1)
    assert studio.records()["a"].flags == ("archived",)
