"""`reelbatch cancel`, with a run in another process."""

from __future__ import annotations

import pytest

from pipelines.sandbox.http.server import SandboxAddress

THERE = ("replicate", "fal", "dashscope")


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


@pytest.mark.long
def test_what_is_in_flight_is_cancelled_at_its_provider(
    start_reelbatch, run_here, start_provider, write_batch, until, tmp_path, manifest
):
    """Each vendor in its own way; what became of a job, and its price, is what the vendor says when it is asked next."""
    provider = start_provider(latency="600")
    environment = {f"{name.upper()}_API_KEY": "a-key" for name in THERE}
    environment |= {
        f"{name.upper()}_BASE_URL": SandboxAddress(provider.url, provider.process.pid).base_url(name) for name in THERE
    }
    batch = write_batch(*({"id": name, "prompt": "a fox", "provider": name} for name in THERE))
    run = start_reelbatch("run", batch, "--out", "out", **environment)
    until(lambda: len(provider.bill()) == len(THERE))
    asked = run_here("cancel", "out", "--at-provider", **environment)
    assert run.wait(60) == 130
    assert asked.code == 0, asked.err
    assert "Asked to make no more of 3 jobs: dashscope, fal, replicate. `reelbatch collect DIR`" in asked.err
    assert {row["status"] for row in manifest(tmp_path / "out").values()} == {"waiting"}
    told = run_here("collect", "out", **environment)
    rows = manifest(tmp_path / "out")
    assert {row["status"] for row in rows.values()} <= {"cancelled", "failed"}, told.err
    assert {row["billed"] for row in rows.values()} == {"unknown"}  # nobody's page says
    assert [line["charged"] for line in provider.bill()] == [False] * 3
    again = run_here("cancel", "out", "--at-provider", "--json", **environment)
    assert (again.code, again.json["at_provider"]) == (0, {"asked": [], "left": {}})
    assert run_here("cancel", "out", "--at-provider", "--no-wait").code == 2
