"""The house of a trial: a real Prefect server, workers in processes of their own, and a provider whose bill is the judge.

Everything lives in one temporary folder and listens on free ports of loopback only; it goes when the trial ends. Each step
of `make prefect-trial` is a script beside this file, which opens a house, does something to it, and looks at the bill.
"""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.programmes.processes import HOUSE, Sandbox, free_port, sandbox

PATIENCE_S = 120.0
FINAL = ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")

_HTTP = httpx.Client(trust_env=False, verify=False, timeout=30)  # a context for TLS would be dear

Environment = Mapping[str, str | None]  # None takes a variable away


def clean_environment(**more: str | None) -> dict[str, str]:
    """The environment of every process: nothing of whoever starts the trial, and this tree's packages."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "REELBATCH_"))}
    own |= {
        "PYTHONPATH": os.pathsep.join((str(HOUSE), str(HOUSE / "flows" / "public"))),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
    return {name: value for name, value in (own | more).items() if value is not None}


def until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Wait until a condition holds, and give what it says.

    Raises:
        TimeoutError: it does not come true.
    """
    end = time.monotonic() + patience_s
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {patience_s:.0f} s")
        time.sleep(0.2)
    return found


def end(process: subprocess.Popen[Any], number: int = signal.SIGTERM, patience_s: float = 15.0) -> None:
    """End a process and all that it has started; it must lead its process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience_s)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@dataclass
class Server:
    """`prefect server start`, in a home of its own; it can be taken away and come back on the same address."""

    home: Path
    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its API."""
        return f"http://127.0.0.1:{self.port}/api"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "server.log").open("ab") as words:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port)],
                env=self.environment | {"PREFECT_HOME": str(self.home)},
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                cwd=self.home,
                start_new_session=True,
            )
        until(self.answers, f"A Prefect server on port {self.port} (see {self.home}/server.log)", 300)

    def answers(self) -> bool:
        """Tell whether it is healthy."""
        with suppress(httpx.HTTPError):
            return _HTTP.get(f"{self.url}/health", timeout=2).status_code == httpx.codes.OK
        return False

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Take it away; what it has written down stays."""
        if self.process is not None:
            end(self.process, number)
            self.process = None

    def wipe(self) -> None:
        """Forget everything, as with a new database. Only while it is stopped."""
        assert self.process is None
        for path in self.home.glob("prefect.db*"):
            path.unlink()


@dataclass(frozen=True)
class Api:
    """Prefect's REST API, as a program in any language would use it."""

    url: str

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request; its answer as JSON."""
        for _ in range(20):
            answer = _HTTP.request(method, f"{self.url}{path}", json=body)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(1)  # its database is locked, and nothing was written
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def deployment(self, name: str, flow: str = "campaign") -> dict[str, Any]:
        """A deployment of a flow, by name."""
        return self.ask("GET", f"/deployments/name/{flow}/{name}")

    def create_run(self, deployment: str, parameters: dict[str, Any] | None = None, **more: Any) -> str:
        """Create a run of a deployment (`name`, or `flow/name`). Parameters that are not given are the deployment's."""
        flow, _, name = deployment.rpartition("/")
        found = self.deployment(name, flow or "campaign")
        body = {"parameters": parameters or {}, **more}
        return str(self.ask("POST", f"/deployments/{found['id']}/create_flow_run", body)["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        """A flow run, as it is now."""
        return self.ask("GET", f"/flow_runs/{run_id}")

    def runs(self, deployment: str | None = None) -> list[dict[str, Any]]:
        """Flow runs, oldest first; those of a deployment by its name."""
        only = {} if deployment is None else {"deployments": {"name": {"any_": [deployment]}}}
        return self.ask("POST", "/flow_runs/filter", {**only, "sort": "EXPECTED_START_TIME_ASC"})

    def task_runs(self, run_id: str) -> list[dict[str, Any]]:
        """The first 200 task runs of a flow run. They come seconds late."""
        return self.ask("POST", "/task_runs/filter", {"flow_runs": {"id": {"any_": [run_id]}}})

    def logs(self, run_id: str) -> list[str]:
        """What the logs of a flow run say. They come seconds late."""
        by_run = {"logs": {"flow_run_id": {"any_": [run_id]}}, "sort": "TIMESTAMP_ASC"}
        return [line["message"] for line in self.ask("POST", "/logs/filter", by_run)]

    def artifacts(self, run_id: str) -> list[dict[str, Any]]:
        """The artifacts of a flow run."""
        return self.ask("POST", "/artifacts/filter", {"flow_runs": {"id": {"any_": [run_id]}}})

    def set_state(self, run_id: str, kind: str, **more: Any) -> dict[str, Any]:
        """Ask for a state, as the buttons of the UI do: `CANCELLING`, `PAUSED` (name Suspended), `SCHEDULED` for Retry.

        Returns:
            Its answer, whose `status` says whether it was accepted.
        """
        force = bool(more.pop("force", False))
        return self.ask("POST", f"/flow_runs/{run_id}/set_state", {"state": {"type": kind, **more}, "force": force})

    def until_state(self, run_id: str, *kinds: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait until a flow run is in one of these states (types or names); by default in any that is final."""

        def there() -> dict[str, Any] | None:
            state = self.run(run_id)["state"]
            return state if {state["type"], state["name"]} & set(kinds or FINAL) else None

        return until(there, f"Flow run {run_id} {' or '.join(kinds or FINAL)}", patience_s)


@dataclass
class House:
    """A Prefect server, a process pool and a provider, in one folder."""

    folder: Path
    server: Server
    provider: Sandbox
    stack: ExitStack
    pool: str = "house"

    @property
    def api(self) -> Api:
        """Its REST API."""
        return Api(self.server.url)

    def environment(self, **more: str | None) -> dict[str, str]:
        """Of a process that uses this server and this provider; it has a Prefect home of its own."""
        home = {"PREFECT_HOME": str(self.folder / "client"), "XDG_STATE_HOME": str(self.folder / "state")}
        home |= {"PREFECT_API_URL": self.server.url}
        return clean_environment(**(home | self.provider.environment() | more))

    def command(self, *arguments: object, cwd: Path | None = None, **environment: str | None) -> Ended:
        """Run a command (`prefect ...` or `reelbatch ...`) to its end."""
        done = subprocess.run(
            as_module(arguments),
            env=self.environment(**environment),
            cwd=cwd or self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(
        self, *arguments: object, cwd: Path | None = None, said: Path | None = None, **environment: str | None
    ) -> subprocess.Popen[bytes]:
        """Start a command and go on; it leads a process group, and what it says goes to a file, by default `said.txt`."""
        with (said or self.folder / "said.txt").open("ab") as words:
            process = subprocess.Popen(
                as_module(arguments),
                env=self.environment(**environment),
                cwd=cwd or self.folder,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                start_new_session=True,
            )
        self.stack.callback(end, process)
        return process

    def worker(self, name: str = "worker", **environment: str | None) -> subprocess.Popen[bytes]:
        """Start a worker of the process pool (made by the first), asking for runs every two seconds."""
        where = self.folder / name
        where.mkdir(exist_ok=True)
        quick = {"PREFECT_WORKER_QUERY_SECONDS": "2"} | environment
        arguments = ("prefect", "worker", "start", "--pool", self.pool, "--type", "process", "--name", name)
        process = self.start(*arguments, cwd=where, **quick)

        def online() -> bool:
            with suppress(RuntimeError):
                found = self.api.ask("POST", f"/work_pools/{self.pool}/workers/filter", {})
                return any(each["name"] == name and each["status"] == "ONLINE" for each in found)
            return False

        until(online, f"Worker {name}")
        return process

    def write_batch(self, name: str, prompts: Sequence[str | dict[str, Any]], **columns: Any) -> Path:
        """Write a batch file; a prompt of text takes the columns, by default a row of the provider `qiniu`."""
        shared = {"provider": "qiniu", **columns}
        rows = [shared | ({"prompt": each} if isinstance(each, str) else each) for each in prompts]
        rows = [{"id": f"job-{n}", **row} for n, row in enumerate(rows, 1)]
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(column for row in rows for column in row)), restval="")
            writer.writeheader()
            writer.writerows(rows)
        return path


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def as_module(arguments: Sequence[object]) -> list[str]:
    """`reelbatch` and `prefect` of this tree and this Python, wherever it is started."""
    modules = {"reelbatch": "flows.command_line", "prefect": "prefect"}
    first, *rest = map(str, arguments)
    return [sys.executable, "-P", "-m", modules[first], *rest] if first in modules else [first, *rest]


@contextmanager
def open_house(*, provider: Mapping[str, Any] | None = None, **server: str) -> Iterator[House]:
    """A house for the length of the block.

    Args:
        provider: options of the sandbox, as in `SandboxOptions`.
        server: variables of the environment of the Prefect server.
    """
    folder = Path(tempfile.mkdtemp(prefix="reelbatch-trial-"))
    with ExitStack() as stack:
        if "REELBATCH_TRIAL_KEEP" not in os.environ:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        prefect = Server(folder / "server", clean_environment(**server))
        stack.callback(prefect.stop)
        prefect.start()
        there = stack.enter_context(sandbox(**{"latency": "0.5"} | dict(provider or {})))
        yield House(folder, prefect, there, stack)


class Promises:
    """What a step promises, said as it is looked at; a step ends with exit code 1 when one is broken."""

    def __init__(self) -> None:
        """Nothing has been looked at."""
        self.broken: list[str] = []

    def check(self, what: str, *, holds: object, seen: object = "") -> None:
        """Say whether a promise holds, and what was seen."""
        print(f"{'kept  ' if holds else 'BROKEN'}  {what}" + (f"  [{seen}]" if str(seen) else ""), flush=True)
        if not holds:
            self.broken.append(what)

    def leave(self) -> None:
        """End the step."""
        print(f"{len(self.broken)} promises broken" if self.broken else "every promise kept", flush=True)
        sys.exit(1 if self.broken else 0)
