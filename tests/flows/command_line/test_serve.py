from __future__ import annotations

import os

import httpx
import pytest

from tests.servers import HERE


@pytest.fixture
def becomes(monkeypatch):
    """What this process would become."""
    commands = []
    monkeypatch.setattr(os, "execv", lambda _, command: commands.append(command))
    return commands


def test_without_a_server_it_says_so(cli, becomes, monkeypatch):
    """There is nothing to serve, and it says how to have a server."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    ended = cli("serve")
    assert (ended.code, becomes) == (2, [])
    assert "prefect server start" in ended.err


def test_it_becomes_a_worker_of_our_pool(run_here, becomes, write_batch, prefect_api):
    """Batches that are named are deployed first; then the process is a worker of Prefect, whom Ctrl-C ends in order."""
    caps = ("--budget-per-day", 3, "--budget-per-month", 40)
    ended = run_here("serve", write_batch("a boat", name="served.csv"), "--provider", "qiniu", "--rehearse", *caps)
    assert ended.code == 0, ended.err
    made = httpx.get(f"{prefect_api}/deployments/name/campaign/served", **HERE).json()["parameters"]["advanced"]
    assert (made["budget_per_day"], made["budget_per_month"]) == (3, 40)
    assert "Deployed campaign/served" in ended.err
    [command] = becomes
    assert command[2:9] == ["-m", "prefect", "worker", "start", "--pool", "reelbatch", "--type"]


def test_a_batch_for_money_names_its_cap(run_here, becomes, write_batch):
    """Nothing is served when one of the batches cannot be deployed."""
    ended = run_here("serve", write_batch("a boat", name="uncapped.csv"), "--provider", "qiniu")
    assert (ended.code, becomes) == (2, [])
    assert "--budget" in ended.err
