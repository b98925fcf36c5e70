from __future__ import annotations

import pytest


@pytest.mark.parametrize("command", ["status", "ls"])
def test_a_folder_without_a_ledger(cli, tmp_path, command):
    """Where no run has been, they say so with exit code 2, and write nothing."""
    ended = cli(command, "nowhere")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "nowhere" in ended.err
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("command", ["status", "ls"])
def test_a_ledger_that_is_none(cli, tmp_path, command):
    """A damaged ledger is an error, not a traceback."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "ledger.sqlite3").write_bytes(b"not a database at all" * 100)
    ended = cli(command, "out")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: The ledger")


def test_an_unknown_status(cli):
    """A status that does not exist is refused with those that do."""
    ended = cli("ls", "out", "--status", "finished")
    assert ended.code == 2
    assert "done" in ended.err


def test_a_rehearsal_is_found_from_its_parent(cli, run_here, write_batch):
    """`ls` and `status` of an output folder show its rehearsal, as long as there was no real run."""
    batch = write_batch({"prompt": "a boat", "provider": "qiniu"})
    assert run_here("run", batch, "--out", "out", "--rehearse", "--latency", "0.1").code == 0
    assert "1 of 1 done" in cli("status", "out").out
    assert [row["status"] for row in cli("ls", "out", "--json").json] == ["done"]
    assert cli("ls", "out", "--status", "failed", "--json").json == []
