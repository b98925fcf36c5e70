"""What Prefect shows of a run that was killed, once the next one has taken over."""

from __future__ import annotations

import httpx
import pytest

from pipelines.run.output_folder import FLOW_RUN_NOTE
from tests.servers import HERE


@pytest.fixture
def flow_runs(prefect_api):
    """The states of all flow runs of a batch, in order of time."""

    def look(batch):
        wanted = {"flow_runs": {"name": {"any_": [batch.stem]}}, "sort": "START_TIME_ASC"}
        found = httpx.post(f"{prefect_api}/flow_runs/filter", json=wanted, **HERE).json()
        return [(run["state"]["type"], run["state"]["message"], run["id"]) for run in found]

    return look


def test_a_killed_run_is_marked_as_crashed(
    start_reelbatch, run_here, cli, start_provider, write_batch, until, tmp_path, flow_runs
):
    """After kill -9 the flow run stays Running in Prefect until the same command takes over, which names itself there."""
    provider = start_provider(latency="1")
    batch = write_batch("a boat", name="killed.csv")
    command = ["run", batch, "--out", "out", "--provider", "qiniu", "--poll-every", "0.05"]
    killed = start_reelbatch(*command, **provider.environment())
    until(provider.bill)
    until(lambda: "waiting" in cli("ls", "out").out)  # before that it is in doubt, and nothing is left to do
    killed.kill()
    killed.wait()
    assert [type_ for type_, *_ in flow_runs(batch)] == ["RUNNING"]
    again = run_here(*command, **provider.environment())
    assert again.code == 0, again.err
    (before, why, _), (_, _, after) = flow_runs(batch)
    assert before == "CRASHED"
    assert after in why
    assert not (tmp_path / "out" / FLOW_RUN_NOTE).exists()


@pytest.mark.parametrize("left", ["no id", "00000000-0000-4000-8000-000000000000"])
def test_a_note_of_no_use_stops_nothing(run_here, provider, write_batch, tmp_path, left):
    """Rubbish, or the id of a flow run of another server, is forgotten, and the run goes on."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / FLOW_RUN_NOTE).write_text(left, "utf-8")
    command = ["run", write_batch("a boat"), "--out", "out", "--provider", "qiniu", "--poll-every", "0.05"]
    assert run_here(*command, **provider.environment()).code == 0
    assert not (tmp_path / "out" / FLOW_RUN_NOTE).exists()
