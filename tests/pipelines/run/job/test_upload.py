"""Campaigns whose output folder is in a bucket: a clip is done when it is there, and nothing that matters is only here."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import psycopg
import pytest

from pipelines.actions.adopt import adopt_line
from pipelines.actions.collect import campaigns_below, collect_folder
from pipelines.actions.known_batch import refresh_after_a_kill
from pipelines.actions.overview import campaign_overview
from pipelines.actions.verify import verify_folder
from pipelines.catalogue.compilation import write_catalogue
from pipelines.catalogue.load import load_manifest
from pipelines.core.errors import LedgerError, OutputError, SetupError, UploadFailed
from pipelines.core.events import DownloadFailed
from pipelines.core.job import RemoteJob
from pipelines.core.remote_folder import folder_named
from pipelines.core.status import JobStatus
from pipelines.ledger.ledger import LedgerReader, last_resort_record, ledger_in
from pipelines.ledger.storage.place import LEDGER_NAME, PLACE_NOTE
from pipelines.outputs.storage.object_store import brought_down
from pipelines.run.dispatch import dispatch
from pipelines.run.exit_code import ALL_DONE, UNFINISHED
from pipelines.run.job.lifecycle import generate_job
from pipelines.run.options import RunOptions

QUICK = RunOptions(poll_every=0.05)
TAKES_ONE = {"match": {"route": "submit", "nth": [*range(2, 1000)]}, "do": {"status": 429, "retry_after": 0.05}}


class Campaign:
    """A studio whose files go to a bucket, worked on by machines without a disk that lasts."""

    def __init__(self, studio, database, monkeypatch):
        self.studio, self.monkeypatch = studio, monkeypatch
        self.bucket = studio.folder / "bucket"
        self.usual = {"out": f"file://{self.bucket}/x", "ledger": database}
        self.files = self.bucket / "x"
        self.machines = 0
        self.another_machine()

    def another_machine(self):
        """What lay on the last one is gone."""
        self.machines += 1
        shutil.rmtree(self.studio.folder / f"cache-{self.machines - 1}", ignore_errors=True)
        self.monkeypatch.setenv("XDG_CACHE_HOME", str(self.studio.folder / f"cache-{self.machines}"))

    @property
    def here(self):
        """Its working folder on this machine, as a person's command finds it."""
        return brought_down(folder_named(self.usual["out"]), PLACE_NOTE)

    async def make(self, *jobs, **options):
        """A whole run, with its catalogue."""
        async with self.studio.opened(*jobs, **self.usual | options) as run:
            await dispatch(run, partial(self.generate, run))
            try:
                await write_catalogue(run.ledger, run.batch, run.folder)
            except UploadFailed as error:
                run.end(error)
        return self.studio.ending(run)

    async def generate(self, run, job):
        """As a task does."""
        try:
            await generate_job(job.id, run)
        except OutputError as error:
            run.emit(DownloadFailed(job.id, error))

    def records(self):
        """The manifest, by id."""
        rows = load_manifest(self.usual["out"]).to_dict("records")
        return {row["id"]: row for row in rows}


@pytest.fixture
def campaign(studio, own_database, monkeypatch):
    """One of few tries, so that nobody waits."""
    monkeypatch.setattr("pipelines.run.job.upload._TRIES", 1)
    return Campaign(studio, own_database, monkeypatch)


async def test_a_bucket_without_a_database_is_refused(studio, monkeypatch):
    """It keeps no ledger: one error that says what to do, before any order. So is a ledger in a file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(studio.folder / "cache"))
    for ledger in (None, str(studio.folder / LEDGER_NAME)):
        with pytest.raises(SetupError, match=r"keeps files and no ledger.*postgresql://.*REELBATCH_LEDGER") as raised:
            await studio.make(studio.job("a"), out=f"file://{studio.folder}/bucket", ledger=ledger)
        assert raised.value.exit_code == 2
    assert studio.bill() == []


@pytest.mark.long
async def test_every_clip_is_in_the_bucket_and_nothing_that_matters_is_here(campaign, studio):
    """With its catalogue; another machine finds all, buys nothing again, and goes on with what is new."""
    ended = await campaign.make(studio.job("a"))
    assert (ended.code, ended.statuses) == (ALL_DONE, {"a": JobStatus.DONE})
    names = {path.relative_to(campaign.files).as_posix() for path in campaign.files.rglob("*") if path.is_file()}
    manifests = {f"manifest.{kind}" for kind in ("csv", "jsonl", "parquet")}
    assert names == {PLACE_NOTE, "videos/a.mp4", "thumbs/a.jpg", "gallery.html", "x.done.csv", *manifests}
    assert campaign.records()["a"]["storage_uri"] == f"{campaign.usual['out']}/videos/a.mp4"
    campaign.another_machine()
    assert campaign.records()["a"]["status"] == "done"
    assert campaign_overview(campaign.here).counts.counts == {JobStatus.DONE: 1}
    assert not await refresh_after_a_kill(LedgerReader(ledger_in(campaign.here)))
    ended = await campaign.make(studio.job("a"), studio.job("b"))
    assert (ended.code, len(studio.bill())) == (ALL_DONE, 2)
    assert {path.name for path in (campaign.files / "thumbs").iterdir()} == {"a.jpg", "b.jpg"}
    gallery = (campaign.files / "gallery.html").read_text("utf-8")
    assert "thumbs/a.jpg" in gallery
    assert "thumbs/b.jpg" in gallery


async def test_a_ledger_that_is_lost_is_not_begun_anew(campaign, studio, own_database):
    """The bucket shows that there was one, and which: a new one would buy everything again."""
    await campaign.make(studio.job("a"))
    campaign.another_machine()
    with pytest.raises(LedgerError, match="what was paid for is written there"):
        await campaign.make(studio.job("a"), ledger="postgresql://127.0.0.1:1/reels")
    with psycopg.connect(own_database, autocommit=True) as connection:
        [(schema,)] = connection.execute(r"SELECT nspname FROM pg_namespace WHERE nspname ~ '^reelbatch.*x'").fetchall()
        connection.execute(f'DROP SCHEMA "{schema}" CASCADE'.encode())
    campaign.another_machine()
    with pytest.raises(LedgerError, match="shows that there was one"):
        await campaign.make(studio.job("a"))
    assert len(studio.bill()) == 1


async def test_an_upload_that_fails_leaves_the_clip_paid_and_not_home(campaign, studio):
    """It is said, nothing more is ordered, and the next run brings it home from the disk, or else from its link."""
    campaign.files.mkdir(parents=True)
    (campaign.files / "videos").write_text("no folder")
    studio.sandbox.faults(TAKES_ONE)  # the others are asked for again and again, for as long as anything is ordered
    jobs = [studio.job(name) for name in "abc"]
    ended = await campaign.make(*jobs, in_flight=1)
    [ready] = (name for name, status in ended.statuses.items() if status is JobStatus.READY)
    assert sorted(ended.statuses.values()) == [JobStatus.PLANNED, JobStatus.PLANNED, JobStatus.READY]
    assert (ended.code, studio.bought()) == (UNFINISHED, [("qiniu", ready)])
    assert ended.heard("Nothing more is ordered in this run")
    assert ended.heard("The clip is paid for, and lies in")
    (campaign.files / "videos").unlink()
    studio.sandbox.faults({"match": {"route": "download"}, "do": {"file": "expired"}})  # the disk does without
    found = await collect_folder(campaign.here, QUICK)
    assert (found.recovered, found.left) == ((ready,), ())
    studio.sandbox.faults()
    assert (await campaign.make(*jobs)).code == ALL_DONE
    assert len(studio.bill()) == len(jobs)


async def test_what_the_disk_has_lost_comes_from_its_link(campaign, studio):
    """The machine is gone on which the upload had failed: the next one fetches the clip again, and pays nothing."""
    campaign.files.mkdir(parents=True)
    (campaign.files / "videos").write_text("no folder")
    assert (await campaign.make(studio.job("a"))).statuses == {"a": JobStatus.READY}
    (campaign.files / "videos").unlink()
    campaign.another_machine()
    assert (await campaign.make(studio.job("a"))).statuses == {"a": JobStatus.DONE}
    assert (len(studio.bill()), (campaign.files / "videos" / "a.mp4").is_file()) == (1, True)


async def test_a_bucket_that_takes_no_file_is_found_before_any_order(campaign, studio):
    """Its note cannot be written: bad input, nothing sent."""
    campaign.bucket.write_text("a file in its place")
    with pytest.raises(SetupError, match=r"cannot be reached .*Nothing was sent"):
        await campaign.make(studio.job("a"))
    assert studio.bill() == []


async def test_another_file_in_its_place_is_left_alone(campaign, studio):
    """The clip has another name, here and there, and says so."""
    (campaign.files / "videos").mkdir(parents=True)
    (campaign.files / "videos" / "a.mp4").write_text("somebody else's")
    assert (await campaign.make(studio.job("a"))).code == ALL_DONE
    row = campaign.records()["a"]
    assert (row["path"], row["flags"]) == ("videos/a-1.mp4", ["renamed"])
    assert row["storage_uri"].endswith("/videos/a-1.mp4")
    assert (campaign.files / "videos" / "a.mp4").read_text() == "somebody else's"
    assert (campaign.files / "thumbs" / "a.jpg").is_file()


@pytest.mark.long
async def test_verify_looks_into_the_bucket(campaign, studio):
    """What is missing or damaged there is put back from the disk, or fetched again; what was damaged is set aside."""
    jobs = studio.job("a"), studio.job("b")
    await campaign.make(*jobs)
    was = {name: (campaign.files / "videos" / name).read_bytes() for name in ("a.mp4", "b.mp4")}
    for on_disk in (True, False):
        (campaign.files / "videos" / "a.mp4").unlink()
        (campaign.files / "videos" / "b.mp4").write_bytes(b"not a clip")
        if not on_disk:
            campaign.another_machine()
        found = await verify_folder(campaign.here, QUICK)
        assert {clip.job_id: (clip.code, clip.whole_again) for clip in found.bad} == {
            "a": ("file_missing", True),
            "b": ("file_damaged", True),
        }
        [aside] = [clip.set_aside for clip in found.bad if clip.set_aside]
        assert (campaign.files / aside).read_bytes() == b"not a clip"
        assert {name: (campaign.files / "videos" / name).read_bytes() for name in was} == was
    assert (await verify_folder(campaign.here, QUICK)).bad == ()
    assert len(studio.bill()) == 2


async def test_campaigns_are_found_below_the_address(campaign, studio):
    """Each by the note that it has left there, occurrences too."""
    await campaign.make(studio.job("a"))
    campaign.another_machine()
    found = campaigns_below(folder_named(f"file://{campaign.bucket}"))
    assert found == [folder_named(campaign.usual["out"])]
    assert json.loads((found[0] / PLACE_NOTE).read_text("utf-8"))["campaign"] == "x"


@pytest.mark.long
async def test_a_rehearsal_needs_no_database(campaign, studio):
    """Its files go to the bucket as well; its ledger stays on the machine, where the same command goes on."""
    for _ in range(2):
        ended = await campaign.make(studio.job("a"), rehearse=True, ledger=None, speed=1000.0)
        assert ended.statuses == {"a": JobStatus.DONE}
    assert (campaign.files / "rehearsal" / "videos" / "a.mp4").is_file()
    assert (Path(folder_named(campaign.usual["out"])) / "rehearsal" / LEDGER_NAME).is_file()
    assert studio.bill() == []


async def test_a_line_of_a_payment_finds_its_ledger_from_another_machine(campaign, studio, capsys):
    """What could not be recorded names the bucket, and no folder that has gone with its machine."""
    await campaign.make(studio.job("a"))
    place, remote = ledger_in(campaign.here), RemoteJob(campaign.records()["a"]["task_id"], "video")
    last_resort_record("a", remote, LedgerError(), ledger=place, provider="qiniu", account="x")
    line = capsys.readouterr().err
    campaign.another_machine()
    assert "is known as" in (await adopt_line(line)).words
