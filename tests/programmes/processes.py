"""The processes that a programme starts beside what it tries: a sandbox, which nobody kills, and a receiver of callbacks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.sandbox.options import SandboxOptions

HOUSE = Path(__file__).parents[2]
KEY = "a-key-of-this-trial"

_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A provider in a process of its own."""

    url: str

    def environment(self) -> dict[str, str]:
        """What points a run at it, as at real providers: the run believes that it pays."""
        paths = {"QINIU": "/qiniu/v1", "ACEDATA": "/acedata", "OPENAI": "/openai/v1"}
        addresses = {f"{name}_BASE_URL": self.url + path for name, path in paths.items()}
        return addresses | {f"{name}_API_KEY": KEY for name in paths}

    def bill(self) -> list[dict[str, Any]]:
        """Every order that was accepted."""
        return list(self.ask("bill"))

    def prompts(self) -> list[str]:
        """What was ordered, sorted: a prompt that is here twice was bought twice."""
        return sorted(line["prompt"] for line in self.bill())

    def requests(self) -> dict[str, int]:
        """How often each route was asked, without our own questions."""
        return {route: count for route, count in self.ask("requests")["routes"].items() if "_sandbox" not in route}

    def faults(self, *rules: dict[str, Any]) -> None:
        """From now on, this goes wrong."""
        self.ask("faults", json.dumps(rules).encode())

    def ask(self, what: str, said: bytes | None = None) -> Any:
        """Its bill, or the requests that it had; or tell it something."""
        request = urllib.request.Request(f"{self.url}/_sandbox/{what}", said, {"content-type": "application/json"})
        with _NO_PROXY.open(request, timeout=60) as answer:
            return json.load(answer)


@contextmanager
def sandbox(**options: Any) -> Iterator[Sandbox]:
    """Run a sandbox for the length of the block.

    Args:
        options: of a sandbox; its clips are blank if nothing else is said.
    """
    arguments = SandboxOptions(**{"renders": "light"} | options).arguments()
    command = [sys.executable, "-m", "pipelines.sandbox", "--until-stdin-closes", *arguments]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=HOUSE, env=own_environment(), **pipes) as process:
        try:
            assert process.stdout is not None
            yield Sandbox(json.loads(process.stdout.readline())["url"])
        finally:
            process.terminate()


def receiver(
    listen: str, ledger: str, log: Path, *, in_child: Callable[[], None] | None = None
) -> subprocess.Popen[bytes]:
    """Start `reelbatch callbacks`, as an operator does. Whoever starts it ends it.

    Args:
        listen: HOST:PORT.
        ledger: an output folder, or the address of a database.
        log: the file to which everything that it says is added.
        in_child: called in its process before it begins.
    """
    command = [sys.executable, "-m", "flows.command_line", "callbacks", "--listen", listen, "--ledger", ledger]
    with log.open("ab") as words:
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": words, "stderr": words}
        return subprocess.Popen(command, cwd=HOUSE, env=own_environment(), preexec_fn=in_child, **pipes)  # noqa: PLW1509


def own_environment() -> dict[str, str]:
    """The environment of this process, for one that runs the code of this tree."""
    return os.environ | {"PYTHONPATH": str(HOUSE)}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
