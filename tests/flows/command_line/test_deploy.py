"""`reelbatch deploy`: what it refuses before Prefect hears of it, and what it writes down."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from zoneinfo import ZoneInfo

import httpx
import pytest

from pipelines.core.occurrence import occurrence_named
from tests.servers import HERE

ADDRESS = "json://127.0.0.1:9/CANARY"


@pytest.fixture
def deployment(prefect_api):
    """A deployment, as the REST interface gives it; None where there is none."""

    def read(name):
        answer = httpx.get(f"{prefect_api}/deployments/name/campaign/{name}", **HERE)
        return answer.json() if answer.is_success else None

    return read


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["0.40 USD", "--budget", "--yes", "--rehearse"]),
        (["--budget", "1", "--cron", "often"], ["--cron", "0 2 * * *"]),
        (["--budget", "1", "--cron", "0 2 * * *", "--interval", "60"], ["--cron and --interval"]),
        (["--budget", "1", "--overlap", "maybe"], ["--overlap maybe", "queue, skip, allow"]),
        (["--budget", "1", "--occurrences", "never"], ["--occurrences never"]),
        (["--budget", "1", "--work-pool", "nowhere"], ["nowhere", "prefect work-pool create"]),
        (["--budget", "1", "--notify", "CANARY"], ["--notify"]),
        (["--budget", "1", "--name", "a/b"], ["--name 'a/b'"]),
        (["--budget", "lots"], ["--budget lots"]),
        (["--yes", "--speed", "5"], ["--rehearse"]),
    ],
)
def test_what_makes_no_sense_is_refused(run_here, write_batch, deployment, arguments, words):
    """One error that says what to do, exit code 2, and nothing is deployed."""
    batch = write_batch("a boat", name="refused.csv")
    ended = run_here("deploy", batch, "--provider", "qiniu", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[-1].startswith("error: ")
    assert all(word in ended.err for word in words), ended.err
    assert "CANARY" not in ended.err
    assert deployment("refused") is None


def test_a_bad_batch_is_refused(run_here, write_batch, deployment):
    """Every problem of the batch is said, as `plan` says it."""
    ended = run_here("deploy", write_batch({"prompt": "a boat", "provider": "nobody"}, name="bad.csv"), "--yes")
    assert (ended.code, deployment("bad")) == (2, None)
    assert "nobody" in ended.err


def test_without_a_server_it_says_so(cli, write_batch, monkeypatch):
    """Deployments live in a Prefect server; without one nothing can be deployed."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    ended = cli("deploy", write_batch("a boat"), "--provider", "qiniu", "--rehearse")
    assert ended.code == 2
    assert "prefect server start" in ended.err


def test_deploying_twice(run_here, write_batch, deployment):
    """A deployment holds an absolute path, its cap, its schedule and what a run needs; again under its name updates it."""
    batch = write_batch("a boat on {{ date }}", name="twice.csv")
    usual = ["deploy", batch.name, "--provider", "qiniu", "--timezone", "Europe/Berlin", "--cron"]
    first = run_here(*usual, "0 2 * * *", "--budget", "5", "--out", "clips")
    assert first.code == 0, first.err
    assert "at most 5 for each tick, and for all runs by hand" in first.err
    made = deployment("twice")
    assert made["parameters"] == {
        "batch": str(batch),
        "budget": 5,
        "provider": "qiniu",
        "out": str(batch.with_name("clips")),
        "advanced": {"timezone": "Europe/Berlin"},
    }
    assert (made["entrypoint"], made["work_pool_name"]) == ("reelbatch.campaign", "reelbatch")
    assert made["job_variables"]["env"]["PREFECT_LOGGING_EXTRA_LOGGERS"] == "reelbatch"
    assert made["global_concurrency_limit"]["limit"] == 1
    second = run_here(*usual, "0 3 * * *", "--rehearse", "--overlap", "allow")
    assert (second.code, "Updated campaign/twice" in second.err) == (0, True)
    again = deployment("twice")
    assert again["id"] == made["id"]
    assert [each["schedule"]["cron"] for each in again["schedules"]] == ["0 3 * * *"]
    assert (again["parameters"]["rehearse"], "budget" in again["parameters"]) == (True, False)
    assert again["global_concurrency_limit"] is None


def test_the_cap_of_the_batch_file_counts(run_here, tmp_path, deployment):
    """A budget that the file names is the cap, and stands in the form."""
    batch = tmp_path / "capped.yaml"
    batch.write_text("version: 1\nname: capped\nprovider: qiniu\nbudget: {max: 3}\njobs: [{prompt: a boat}]\n", "utf-8")
    ended = run_here("deploy", batch)
    assert ended.code == 0, ended.err
    assert deployment("capped")["parameters"]["budget"] == 3


@pytest.mark.long
def test_what_it_says_of_running_now_works(run_here, write_batch, deployment, prefect_api):
    """A batch that names its tick is run by hand with an occurrence, as it is said; another without; each with its cap."""
    usual = ["--provider", "qiniu", "--timezone", "Europe/Berlin", "--interval", 86_400, "--budget", 5]
    dated = run_here("deploy", write_batch("a boat on {{ date }}", name="dated.csv"), *usual)
    plain = run_here("deploy", write_batch("a boat", name="plain.csv"), *usual, "--occurrences", "once")
    assert "at most 5 over all its runs." in plain.err
    command = [shlex.split(ended.err.partition(" Now: ")[2].splitlines()[0]) for ended in (dated, plain)]
    assert command[1] == ["prefect", "deployment", "run", "campaign/plain"]
    assert command[0][:5] == ["prefect", "deployment", "run", "campaign/dated", "-p"]
    variables = os.environ | {"PREFECT_API_URL": prefect_api}
    started = subprocess.run(
        [sys.executable, "-m", *command[0]], env=variables, capture_output=True, text=True, check=True
    )
    assert "Created flow run" in started.stdout
    wanted = {"deployments": {"id": {"any_": [deployment("dated")["id"]]}}}
    runs = httpx.post(f"{prefect_api}/flow_runs/filter", json=wanted, **HERE).json()
    [given] = [run["parameters"]["advanced"] for run in runs if not run["auto_scheduled"]]
    now = occurrence_named(given["occurrence"]).at
    assert now.utcoffset() == now.astimezone(ZoneInfo("Europe/Berlin")).utcoffset()


def test_secrets_stay_in_blocks(run_here, write_batch, deployment):
    """The address that is told how runs end stands neither in the deployment nor in what is said."""
    ended = run_here(
        "deploy", write_batch("a boat", name="told.csv"), "--provider", "qiniu", "--rehearse", "--notify", ADDRESS
    )
    assert ended.code == 0, ended.err
    assert "CANARY" not in ended.err + str(deployment("told"))


def test_a_provider_of_ones_own_can_be_chosen(run_here, write_batch, deployment, prefect_api, tmp_path):
    """The server takes the name of a profile that the deployment has, and no name that nobody knows."""
    (tmp_path / "mine.yaml").write_text("extends: openai\nname: mine\nbase_url: http://127.0.0.1:9/v1\n", "utf-8")
    batch = write_batch("a boat", name="own.csv")
    ended = run_here("deploy", batch, "--provider", "mine", "--profile", "mine.yaml", "--yes")
    assert ended.code == 0, ended.err
    address = f"{prefect_api}/deployments/{deployment('own')['id']}/create_flow_run"

    def refused(name):
        return httpx.post(address, json={"parameters": {"provider": name}}, **HERE).status_code == 409

    assert [refused(name) for name in ("mine", "qiniu", None, "nobody")] == [False, False, False, True]
