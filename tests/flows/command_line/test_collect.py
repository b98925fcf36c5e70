"""`reelbatch collect`, over a folder whose run was killed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from pipelines.ledger.storage.place import LEDGER_NAME


@pytest.mark.long
def test_paid_clips_are_brought_home(start_reelbatch, cli, start_provider, write_batch, until, tmp_path, monkeypatch):
    """Without Prefect and without the batch file: it says how far it is, orders nothing, and a second time finds nothing."""
    provider = start_provider(latency="2")
    for name, value in provider.environment().items():
        monkeypatch.setenv(name, value)
    batch = write_batch("a boat", name="left.csv")
    killed = start_reelbatch("run", batch, "--provider", "qiniu", **provider.environment())
    out = tmp_path / "outputs" / "left"
    until((out / LEDGER_NAME).exists)

    def accepted():
        with closing(sqlite3.connect(f"file:{out / LEDGER_NAME}?mode=ro", uri=True)) as ledger:
            found = ledger.execute("SELECT count(*) FROM sqlite_master WHERE name = 'job'").fetchone()[0]
            return found and ledger.execute("SELECT count(*) FROM job WHERE status = 'waiting'").fetchone()[0]

    until(accepted)
    killed.kill()
    killed.wait()
    batch.unlink()
    ended = cli("collect")
    assert ended.code == 0
    assert "1/1 done" in ended.err
    assert ended.err.endswith("1 paid clip recovered.\n")
    assert [*(out / "videos").glob("*.mp4")]
    again = cli("collect", out, "--json")
    assert (again.code, json.loads(again.out)[0]["recovered"]) == (0, [])
    assert len(provider.bill()) == 1


def test_a_folder_without_a_ledger_is_said(cli, tmp_path):
    """Exit code 2, and what to give instead."""
    ended = cli("collect", tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "Give the output folder of a run" in ended.err
    assert cli("collect", tmp_path / "gone").code == 2


def test_a_rehearsal_was_not_paid_for(cli, write_batch, tmp_path):
    """A folder with a rehearsal alone has nothing to collect."""
    (tmp_path / "out" / "rehearsal").mkdir(parents=True)
    (tmp_path / "out" / "rehearsal" / LEDGER_NAME).touch()
    assert cli("collect", "out").code == 2
