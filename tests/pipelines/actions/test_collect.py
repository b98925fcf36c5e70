from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.actions.collect import (
    Collected,
    campaigns_below,
    collect_folder,
    collect_or_say,
    expiring_clips,
    recovered_words,
)
from pipelines.core.errors import SetupError
from pipelines.core.status import JobStatus
from pipelines.ledger import callbacks
from pipelines.ledger.ledger import Ledger, LedgerReader
from pipelines.ledger.storage.place import LEDGER_NAME
from pipelines.run import callbacks as run_callbacks
from pipelines.run.options import RunOptions

QUICK = RunOptions(poll_every=0.05)


@pytest.fixture
def paid(studio):
    """A folder whose run was killed when the clips of these jobs were paid for; the batch file is gone."""

    async def kill(*jobs, after=None):
        accepted = ["accepted"] * (after or len(jobs))
        await studio.kill(jobs, when=lambda: studio.attempts().count("accepted") >= len(accepted))
        (studio.folder / "x.jsonl").unlink()
        return studio.folder / "out"

    return kill


@pytest.fixture
def slow(start_provider, studio, monkeypatch):
    """The providers take a second, so that a kill finds clips under way."""
    provider = start_provider(latency="1")
    for name, value in provider.environment(studio.key).items():
        monkeypatch.setenv(name, value)
    studio.sandbox = provider
    return provider


async def test_what_is_paid_comes_home_from_the_ledger_alone(studio, slow, paid):
    """Without the batch file, from two providers, and a job that fell back; nothing is ordered."""
    studio.sandbox.faults({"match": {"route": "submit", "contract": "qiniu"}, "do": {"status": 400}})
    folder = await paid(studio.job("a", "acedata"), studio.job("b", provider="openai"))
    bought = studio.bought()
    found = await collect_folder(folder, QUICK)
    assert (found.campaign, found.recovered, found.left, found.reasons) == ("x", ("a", "b"), (), ())
    assert {name: record.status for name, record in studio.records().items()} == dict.fromkeys("ab", JobStatus.DONE)
    assert studio.bought() == bought
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines()]
    assert all((folder / row["path"]).is_file() for row in rows)
    assert (folder / "gallery.html").is_file()
    assert await collect_folder(folder, QUICK) == Collected(folder, "x")


async def test_a_doubt_is_settled_by_a_call_that_came_meanwhile(studio, monkeypatch):
    """As a run does it: the provider is asked about the id that was called about; nobody who did not call is asked about."""
    monkeypatch.setattr(run_callbacks, "_IN_DOUBT_MOST_S", 0.1)
    ace = {"route": "submit", "contract": "acedata"}
    studio.sandbox.faults(
        {"match": ace, "do": {"cut": "after"}}, {"match": {"route": "callback"}, "do": {"callback": "never"}}
    )
    jobs = [studio.job(name, provider="acedata") for name in "abc"]
    await studio.make(*jobs, callback_url="http://127.0.0.1:9", in_flight=1)
    folder, bill = studio.folder / "out", {line["prompt"]: line["id"] for line in studio.bill()}
    reader = LedgerReader(folder / LEDGER_NAME)
    attempts = reader.read(lambda c: dict(c.exec_driver_sql("SELECT job_id, id FROM attempt").tuples().all()))
    for job, said in ((jobs[0], bill[jobs[0].order.prompt]), (jobs[1], "of-another")):
        reader.ask(callbacks.take, callbacks.Call(attempts[job.id], "x", said, has_ended=True))
    found = await collect_folder(folder, QUICK)
    assert (found.recovered, found.left) == (("a",), ())
    statuses = {name: record.status for name, record in studio.records().items()}
    assert statuses == {"a": JobStatus.DONE, "b": JobStatus.IN_DOUBT, "c": JobStatus.IN_DOUBT}
    assert len(studio.bill()) == 3


@pytest.mark.long
async def test_nothing_is_submitted(studio, slow, paid):
    """A row that was never sent stays planned."""
    folder = await paid(studio.job("a"), studio.job("b"), studio.job("c", parent="a"), after=2)
    found = await collect_folder(folder, QUICK)
    assert found.recovered == ("a", "b")
    assert studio.records()["c"].status is JobStatus.PLANNED
    assert len(studio.bought()) == 2


@pytest.mark.long
async def test_the_done_copy_is_written_if_the_file_is_there(studio, slow, paid):
    """The batch file as it was registered gives the whole catalogue; the ledger keeps every row of it."""
    jobs = (studio.job("a"), studio.job("b"))
    folder = await paid(*jobs)
    studio.batch(jobs)  # writes the file again
    assert (await collect_folder(folder, QUICK)).recovered == ("a", "b")
    assert (folder / "x.done.csv").read_text("utf-8").count("videos/") == 2


@pytest.mark.long
async def test_a_provider_without_a_key_is_left_and_said(studio, slow, paid, monkeypatch):
    """The clips of the others come home; which ones do not, and what to set, is a reason."""
    folder = await paid(studio.job("a"), studio.job("b", provider="openai"))
    monkeypatch.delenv("OPENAI_API_KEY")
    found = await collect_folder(folder, QUICK)
    assert (found.recovered, found.left) == (("a",), ("b",))
    assert "OPENAI_API_KEY" in " ".join(found.reasons)
    assert recovered_words([found]) == "1 paid clip recovered, 1 not home yet"


@pytest.mark.long
async def test_a_folder_that_a_run_owns_is_left_alone(studio, slow, paid):
    """It is named, with what is not home yet: that run brings it home, and there is nothing to put right."""
    folder = await paid(studio.job("a"))
    async with Ledger(folder / LEDGER_NAME):
        for collect in (collect_folder, collect_or_say):
            found = await collect(folder, QUICK)
            assert (found.recovered, found.left, found.reasons) == ((), ("a",), ())
            assert f"process {os.getpid()} on" in found.run_words
    assert (await collect_or_say(folder, QUICK)).recovered == ("a",)


async def test_campaigns_are_found_below_a_root(studio, tmp_path):
    """Each output folder and each occurrence; rehearsals were not paid for."""
    for name in ("a", "b/2026-11-21", "b/rehearsal", ".hidden", "b/videos"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / LEDGER_NAME).touch()
    (tmp_path / "c").mkdir()
    for name in (LEDGER_NAME, "sandbox-bill.jsonl"):
        (tmp_path / "c" / name).touch()
    assert campaigns_below(tmp_path) == [tmp_path / "a", tmp_path / "b" / "2026-11-21"]
    assert campaigns_below(tmp_path / "a") == [tmp_path / "a"]
    with pytest.raises(SetupError, match="no folder"):
        campaigns_below(tmp_path / "gone")
    assert "is empty" in (await collect_or_say(tmp_path / "a")).reasons[0]  # said, and no other is held up by it


@pytest.mark.long
async def test_links_that_end_soon_are_known(studio, slow, paid):
    """Of clips that are paid for and not home; one that is home is in no danger."""
    folder = await paid(studio.job("a"), studio.job("b"))
    now = datetime.now(UTC)
    with closing(sqlite3.connect(folder / LEDGER_NAME)) as ledger, ledger:
        ends = {"a": now + timedelta(hours=1), "b": now + timedelta(hours=9)}
        ledger.executemany(
            "UPDATE job SET url_expires_at = ? WHERE id = ?", [(t.isoformat(), n) for n, t in ends.items()]
        )
    assert expiring_clips(folder, now + timedelta(hours=6)) == ["a"]
    assert expiring_clips(folder, now + timedelta(hours=12)) == ["a", "b"]
    await collect_folder(folder, QUICK)
    assert expiring_clips(folder, now + timedelta(hours=12)) == []
    assert recovered_words([]) == "0 paid clips recovered"
