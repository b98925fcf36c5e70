from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from pipelines.catalogue import load_manifest

HOUSE = Path(__file__).parents[3]

#: Of four orders one is refused, one is lost on its way, one fails and is charged perhaps.
ILL = """
- {match: {route: submit, contract: openai, nth: [1]}, do: {status: 400}}
- {match: {route: submit, contract: openai, nth: [2]}, do: {cut: after}}
- {match: {route: submit, contract: qiniu, nth: [1]}, do: {outcome: generation_failed}}
"""


#: Runs `reelbatch` and says what is loaded when the catalogue begins.
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
    """A status that does not exist is refused with those that do, a misspelt one with the nearest."""
    ended = cli("ls", "out", "--status", "finished")
    assert ended.code == 2
    assert "done" in ended.err
    assert 'Did you mean "in_doubt"?' in cli("ls", "out", "--status", "in-dubt").err


@pytest.mark.long
def test_a_rehearsal_without_prices_says_that_it_was_one(run_here, cli, write_batch):
    """Where no price is known, the end of a rehearsal and `status` still say that nothing was paid."""
    batch = write_batch({"prompt": "a boat", "provider": "vllm-omni"})
    ended = run_here("run", batch, "--out", "out", "--rehearse", "--latency", "0.1")
    assert ended.code == 0, ended.err
    assert "1 of 1 done. Rehearsed, nothing was paid.\n" in ended.err
    assert "This is a rehearsal: nothing was paid.\n" in cli("status", "out").out


@pytest.mark.long
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


@pytest.fixture
def ill_run(run_here, write_batch, tmp_path):
    """A rehearsal in which every kind of money is left: spent, uncertain, in two currencies."""
    (tmp_path / "ill.yaml").write_text(ILL)
    rows = [
        {"prompt": f"a boat {n}", "provider": provider, "model": "sora-2", "market": market, "Status": "hot"}
        for n, (provider, market) in enumerate(
            [("openai", "DE"), ("openai", "FR"), ("openai", ""), ("qiniu", "DE"), ("qiniu", "FR"), ("acedata", "DE")]
        )
    ]
    given = ("--rehearse", "--latency", "0.1", "--in-flight", "1", "--faults", tmp_path / "ill.yaml")
    ended = run_here("run", write_batch(*rows), "--out", "out", *given)
    assert ended.code == 4, ended.err


@pytest.mark.long
def test_sums_by_any_column_are_the_balances_of_the_ledger(ill_run, cli):
    """Whatever the column, jobs and money come to what `status` says of the whole; JSON and table have them."""
    whole = cli("status", "out", "--json").json
    assert "by" not in whole
    assert all(any(Decimal(money[bucket]) for money in whole["money"]) for bucket in ("spent", "uncertain"))
    for column in ("status", "provider", "model", "market", "OWN_STATUS", "width", "error_code"):
        by = cli("status", "out", "--by", column, "--json").json["by"]
        assert by["column"] == column
        assert sum(group["jobs"] for group in by["groups"]) == whole["total"]
        for money in whole["money"]:
            same = [m for group in by["groups"] for m in group["money"] if m["currency"] == money["currency"]]
            for bucket in ("spent", "reserved", "uncertain"):
                assert sum(Decimal(m[bucket]) for m in same) == Decimal(money[bucket]), (column, bucket)
    assert [group["value"] for group in cli("status", "out", "--by", "market", "--json").json["by"]["groups"]] == [
        "DE",
        "FR",
        "",
    ]
    said = cli("status", "out", "--by", "market").out
    assert [line.split() for line in said.splitlines() if line.startswith("market")] == [
        ["market", "jobs", "done", "spent", "uncertain", "video"]
    ]
    refused = cli("status", "out", "--by", "markt")
    assert (refused.code, refused.out) == (2, "")
    assert 'Did you mean "market"?' in refused.err


@pytest.mark.long
def test_a_folder_has_one_table_with_its_ledger_and_without(ill_run, cli, tmp_path):
    """What `load_manifest` reads from the ledger is what the manifests say, type by type; and what `ls` lists, by label."""
    manifest = [json.loads(line) for line in Path("out/rehearsal/manifest.jsonl").read_text("utf-8").splitlines()]
    assert cli("ls", "out", "--json").json == manifest
    assert cli("ls", "out", "--status", "In Doubt", "--json").json == [
        row for row in manifest if row["status"] == "in_doubt"
    ]
    with_ledger = load_manifest(tmp_path / "out")
    assert with_ledger["id"].tolist() == [row["id"] for row in manifest]
    assert list(with_ledger.columns[-2:]) == ["market", "own_Status"]
    (tmp_path / "out/rehearsal/ledger.sqlite3").rename(tmp_path / "away")
    assert_frame_equal(with_ledger, load_manifest(tmp_path / "out"))
    (tmp_path / "out/rehearsal/manifest.jsonl").unlink()
    assert_frame_equal(with_ledger, load_manifest(tmp_path / "out"))
