"""What tests of several storeys need: a provider that costs nothing, and, for those that ask for it, a Prefect server."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipelines.sandbox.options import SandboxOptions

HOUSE = Path(__file__).parents[1]

# Before anything imports Prefect: no test touches, or learns from, the Prefect of whoever runs it.
for name in [name for name in os.environ if name.startswith("PREFECT_")]:
    del os.environ[name]
os.environ |= {
    "PREFECT_HOME": tempfile.mkdtemp(prefix="reelbatch-prefect-"),
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",  # in this process; reelbatch in a process of its own sets its own levels
}
os.environ["XDG_CONFIG_HOME"] = f"{os.environ['PREFECT_HOME']}/config"  # nor of their own profiles of providers


PREFECT_LISTENER = socket.create_server(("127.0.0.1", 0))
PREFECT_PORT = PREFECT_LISTENER.getsockname()[1]


def pytest_configure(config: pytest.Config) -> None:
    """Prefect's client leaves connections to its server to the garbage collector; any other one left open is an error."""
    leak = f"Exception ignored in. <socket.*raddr=..127.0.0.1., {PREFECT_PORT}.>"
    config.addinivalue_line("filterwarnings", f"ignore:{leak}:pytest.PytestUnraisableExceptionWarning")
    warnings.filterwarnings(
        "ignore", leak, pytest.PytestUnraisableExceptionWarning
    )  # what is collected after the last test


def pytest_unconfigure() -> None:
    """Nothing is left behind."""
    PREFECT_LISTENER.close()
    shutil.rmtree(os.environ["PREFECT_HOME"], ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Provider:
    """A sandbox in a process of its own, seen from outside."""

    url: str
    process: subprocess.Popen[bytes]

    def environment(self, key: str = "a-secret-key") -> dict[str, str]:
        """What points reelbatch here."""
        paths = {"QINIU": "/qiniu/v1", "ACEDATA": "/acedata", "OPENAI": "/openai/v1"}
        return {f"{name}_BASE_URL": self.url + path for name, path in paths.items()} | {
            f"{name}_API_KEY": key for name in paths
        }

    def bill(self) -> list[dict[str, Any]]:
        """Every order that was accepted."""
        return httpx.get(f"{self.url}/_sandbox/bill", trust_env=False).json()

    def prompts(self) -> list[str]:
        """What was ordered, sorted: a prompt that is here twice was bought twice."""
        return sorted(line["prompt"] for line in self.bill())

    def requests(self) -> Mapping[str, int]:
        """How often each route was asked, without our own questions."""
        routes = httpx.get(f"{self.url}/_sandbox/requests", trust_env=False).json()["routes"]
        return {route: count for route, count in routes.items() if "_sandbox" not in route}

    def orders(self) -> int:
        """How many submissions came, accepted or not."""
        return sum(n for route, n in self.requests().items() if route.startswith("POST") and route.endswith("/videos"))

    def faults(self, *rules: dict[str, Any]) -> None:
        """From now on, this goes wrong."""
        httpx.post(f"{self.url}/_sandbox/faults", json=rules, trust_env=False).raise_for_status()


StartProvider = Callable[..., Provider]


def _start_provider(**options: Any) -> Provider:
    command = [sys.executable, "-m", "pipelines.sandbox", "--until-stdin-closes"]
    arguments = SandboxOptions(**{"latency": "0.1", **options}).arguments()
    process = subprocess.Popen(
        [*command, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=HOUSE,
        env=os.environ | {"PYTHONPATH": str(HOUSE)},
    )
    assert process.stdout is not None
    return Provider(json.loads(process.stdout.readline())["url"], process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    with process:
        if process.stdin is not None:
            process.stdin.close()
        process.terminate()


@pytest.fixture
def start_provider() -> Iterator[StartProvider]:
    """Start a provider; options as in `SandboxOptions`."""
    with ExitStack() as stack:

        def start(**options: Any) -> Provider:
            provider = _start_provider(**options)
            stack.callback(_stop, provider.process)
            return provider

        yield start


@pytest.fixture
def provider(start_provider: StartProvider) -> Provider:
    """A provider where all goes well."""
    return start_provider()


@pytest.fixture(scope="session")
def shared_provider() -> Iterator[Provider]:
    """A provider that many tests share: each comes with a key of its own, and takes its faults away again."""
    provider = _start_provider()
    yield provider
    _stop(provider.process)


@pytest.fixture(scope="session")
def idle_provider() -> Iterator[Provider]:
    """A provider that all tests share in which nothing may be asked of it."""
    provider = _start_provider()
    yield provider
    _stop(provider.process)


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prefect server that all who ask for it share."""
    port, descriptor = PREFECT_PORT, PREFECT_LISTENER.fileno()
    words = tmp_path_factory.mktemp("prefect") / "said.txt"
    with words.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.command_line.prefect_server", str(descriptor)],
            pass_fds=(descriptor,),
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            cwd=HOUSE,
        )
    until = time.monotonic() + 90
    try:
        while not _healthy(port):
            assert process.poll() is None, words.read_text("utf-8")
            assert time.monotonic() < until, words.read_text("utf-8")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/api"
    finally:
        _stop(process)


def _healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/health", trust_env=False, timeout=2).status_code == 200
    except httpx.TransportError:
        return False
