"""`reelbatch redo` and `retry` while a run goes on in the folder: that run makes it."""

from __future__ import annotations

import json

import pytest

FAILS_ONCE = {"match": {"route": "submit", "nth": [1]}, "do": {"outcome": "generation_failed"}}
SILENT = {"match": {"route": "status"}, "do": {"status": 503}}


@pytest.mark.long
def test_both_are_taken_up_by_the_run_that_goes_on(
    start_reelbatch, start_provider, run_here, ended, write_batch, manifest, until, tmp_path
):
    """Price and consent as ever, exit code 0 at once, and the run itself ends with all of it done; nothing is bought twice."""
    provider = start_provider(latency="2")
    provider.faults(FAILS_ONCE)
    rows = [{"id": name, "prompt": name} for name in ("fails", "good", "slow")]
    command = ["run", write_batch(*rows), "--out", "out", "--provider", "qiniu", "--in-flight", 1, "--budget", 5]
    environment = provider.environment()
    run = start_reelbatch(*command, **environment)

    def stands(name, status):
        listed = run_here("ls", "out", "--json", **environment)
        return listed.code == 0 and any(row["id"] == name and row["status"] == status for row in json.loads(listed.out))

    until(lambda: stands("good", "done"))
    provider.faults(SILENT)  # the run goes on with its last row
    assert run_here("redo", "out", "good", **environment).code == 2  # nobody has agreed
    assert run_here("redo", "out", "good", "--budget", "0.01", **environment).code == 2
    retried = run_here("retry", "out", "--yes", "--json", **environment)
    assert (retried.code, retried.json["retried"], "pid" in retried.json["taken_up_by"]) == (0, ["fails"], True), (
        retried
    )
    redone = run_here("redo", "out", "good", "--budget", "1", **environment)
    assert (redone.code, "The run that goes on" in redone.err) == (0, True), redone
    provider.faults()
    assert ended(run).code == 0
    rows = manifest(tmp_path / "out")
    assert {name: row["status"] for name, row in rows.items()} == dict.fromkeys(rows, "done")
    assert provider.prompts() == ["fails", "fails", "good", "good", "slow"]  # the first one is on the bill as failed
