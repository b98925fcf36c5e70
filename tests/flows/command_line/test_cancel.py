"""`reelbatch cancel`, with a run in another process."""

from __future__ import annotations

import pytest


@pytest.mark.long
def test_a_run_is_stopped_by_its_folder(
    start_reelbatch, run_here, cli, ended, start_provider, write_batch, until, tmp_path, manifest
):
    """The run that works on a folder is named, stops in order with 130 and says by whom; the same command finishes it."""
    provider = start_provider()
    provider.faults({"match": {"route": "status"}, "do": {"delay": 60}})  # both are still at work for all one hears
    batch = write_batch(*(f"clip {n}" for n in range(4)))
    command = ["run", batch, "--out", "out", "--provider", "qiniu", "--in-flight", 2]
    run = start_reelbatch(*command, **provider.environment())
    until(lambda: len(provider.bill()) == 2)
    asked = cli("cancel", "out")
    stopped = ended(run)
    assert (asked.code, stopped.code) == (0, 130)
    assert f"Asked process {run.pid} on " in asked.err
    assert "It has stopped." in asked.err
    assert "cancelled by `reelbatch cancel`" in stopped.err
    assert len(provider.bill()) == 2
    kept = sorted(row["status"] for row in manifest(tmp_path / "out").values())
    assert kept == ["planned"] * 2 + ["waiting"] * 2
    provider.faults()
    assert run_here(*command[:-1], 4, **provider.environment()).code == 0
    assert provider.prompts() == sorted(f"clip {n}" for n in range(4))
    nobody = cli("cancel", "out", "--json")
    assert (nobody.code, nobody.json["asked"], nobody.json["stopped"]) == (0, None, True)
    assert "No run is going on" in cli("cancel", "out").err
