from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipelines.providers.sandbox.options import SandboxOptions

HOUSE = Path(__file__).parents[4]
KEY = {"authorization": "Bearer somebody"}
PATIENCE = 10.0

Start = Callable[..., AbstractContextManager[httpx.Client]]


@contextmanager
def started(**options: Any) -> Iterator[httpx.Client]:
    command = [sys.executable, "-m", "pipelines.providers.sandbox", "--until-stdin-closes"]
    arguments = SandboxOptions(**{"latency": "0.05", **options}).arguments()
    with subprocess.Popen([*command, *arguments], stdin=-1, stdout=-1, cwd=HOUSE) as process:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())
        with httpx.Client(base_url=address["url"], headers=KEY, timeout=PATIENCE, trust_env=False) as client:
            yield client
        process.terminate()


@pytest.fixture(scope="session")
def start() -> Start:
    return started


@pytest.fixture(scope="session")
def shared_client() -> Iterator[httpx.Client]:
    with started() as client:
        yield client


@pytest.fixture
def client(shared_client: httpx.Client) -> httpx.Client:
    shared_client.post("/_sandbox/faults", json=[]).raise_for_status()
    return shared_client


@pytest.fixture
def faults(client: httpx.Client) -> Callable[..., None]:
    def put(*rules: dict[str, Any]) -> None:
        client.post("/_sandbox/faults", json=rules).raise_for_status()

    return put


@pytest.fixture
def bill(client: httpx.Client) -> Callable[[], list[dict[str, Any]]]:
    return lambda: client.get("/_sandbox/bill").json()


@pytest.fixture
def finished() -> Callable[..., dict[str, Any]]:
    def wait(client: httpx.Client, address: str) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while (answer := client.get(address).json())["status"] not in ("completed", "failed"):
            assert time.monotonic() < until, answer
            time.sleep(0.02)
        return answer

    return wait


@pytest.fixture
def finished_task() -> Callable[..., dict[str, Any]]:
    def wait(client: httpx.Client, identifier: str) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while "finished_at" not in (task := client.post("/sora/tasks", json={"id": identifier}).json()):
            assert time.monotonic() < until, task
            time.sleep(0.02)
        return task

    return wait
