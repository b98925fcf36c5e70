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


def test_a_rehearsal_without_prices_says_that_it_was_one(run_here, cli, write_batch):
    """Where no price is known, the end of a rehearsal and `status` still say that nothing was paid."""
    batch = write_batch({"prompt": "a boat", "provider": "vllm-omni"})
    ended = run_here("run", batch, "--out", "out", "--rehearse", "--latency", "0.1")
    assert ended.code == 0, ended.err
    assert "1 of 1 done. Rehearsed, nothing was paid.\n" in ended.err
    assert "This is a rehearsal: nothing was paid.\n" in cli("status", "out").out


def test_a_rehearsal_is_found_from_its_parent(cli, run_here, write_batch):
    """`ls` and `status` of an output folder show its rehearsal, as long as there was no real run."""
    batch = write_batch({"prompt": "a boat", "provider": "qiniu"})
    assert run_here("run", batch, "--out", "out", "--rehearse", "--latency", "0.1").code == 0
    said, known = cli("status", "out").out, cli("status", "out", "--json").json
    assert "in out/rehearsal: 1 of 1 done" in said
    assert "This is a rehearsal: nothing was paid. It would have cost:" in said
    assert (known["folder"], known["rehearsal"], known["attention"]) == ("out/rehearsal", True, [])
    assert [row["status"] for row in cli("ls", "out", "--json").json] == ["done"]
    assert cli("ls", "out", "--status", "failed", "--json").json == []
