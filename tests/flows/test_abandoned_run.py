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


@pytest.mark.long
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


@pytest.mark.long
def test_destroyed_by_planted_links(run_here, provider, write_batch, tmp_path):
    """A link under any name that a run writes: not one byte outside its folder is changed, and the clip comes home."""
    out, precious = tmp_path / "out", tmp_path / "precious"
    (out / "videos").mkdir(parents=True)
    precious.mkdir()
    names = (".ledger-ballast", FLOW_RUN_NOTE, "manifest.csv", "manifest.parquet", "gallery.html")
    names += ("planted.done.csv", "failed.csv", "videos/a-boat.mp4")
    for name in names:
        target = precious / name.replace("/", "-")
        target.write_bytes(b"precious")
        (out / name).symlink_to(target)
    (out / "thumbs").symlink_to(precious, target_is_directory=True)
    before = {path.name: path.read_bytes() for path in precious.iterdir()}
    command = ["run", write_batch("a boat", name="planted.csv"), "--out", out, "--provider", "qiniu", "--budget", "1"]
    refused = run_here(*command, **provider.environment())
    assert (refused.code, "thumbs is a symbolic link" in refused.err, provider.bill()) == (2, True, [])
    (out / "thumbs").unlink()
    ended = run_here(*command, "--poll-every", "0.05", **provider.environment())
    assert ended.code == 0, ended.err
    (out / "manifest.jsonl").unlink()
    (out / "manifest.jsonl").symlink_to(precious / "failed.csv")
    assert run_here(*command, **provider.environment()).code == 0
    assert {path.name: path.read_bytes() for path in precious.iterdir()} == before
    assert len(provider.bill()) == 1


@pytest.mark.parametrize("name", [".ledger-owner", "ledger.sqlite3"])
def test_destroyed_by_a_link_in_the_place_of_the_ledger(cli, provider, write_batch, tmp_path, monkeypatch, name):
    """One clear error, exit code 2, nothing sent, and what the link leads to is as it was, or is not made."""
    for variable, value in provider.environment().items():
        monkeypatch.setenv(variable, value)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(tmp_path / "precious")
    ended = cli("run", write_batch("a boat"), "--out", tmp_path / "out", "--provider", "qiniu", "--budget", "1")
    assert (ended.code, provider.orders()) == (2, 0), ended.err
    assert name in ended.err
    assert "link" in ended.err
    assert not (tmp_path / "precious").exists()
