from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from pipelines.ledger.storage.place import LEDGER_NAME
from tests.servers import prefect_at

HOUSE = Path(__file__).parents[2]
PATIENCE = 60.0
COMMAND = [sys.executable, "-m", "flows.command_line"]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)


class Reelbatch(Protocol):
    """Runs `reelbatch` in a process of its own. Variables that are None are taken away."""

    def __call__(self, *arguments: object, **environment: str | None) -> Ended:
        """Wait for its end."""
        ...  # pragma: no cover


UNASKED = "as it is typed"


def agreeing(arguments: tuple[object, ...]) -> list[str]:
    """A command line as whoever agrees to the price types it, where nobody can be asked; `UNASKED` leaves it as it is."""
    words = [str(each) for each in arguments if each != UNASKED]
    if len(words) < len(arguments):
        return words
    agreed = {"--rehearse", "--budget", "--plan", "--yes"} & {*words}
    return [*words, "--yes"] if words[:1] == ["run"] and not agreed else words


@pytest.fixture
def write_batch(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as a CSV file; a row of text is a prompt."""

    def write(*rows: Row | str, name: str = "batch.csv") -> Path:
        full = [{"prompt": row} if isinstance(row, str) else row for row in rows]
        full = [{"id": f"job-{n}", **row} for n, row in enumerate(full, 1)]
        path = tmp_path / name
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(column for row in full for column in row)), restval="")
            writer.writeheader()
            writer.writerows(full)
        return path

    return write


@pytest.fixture
def start_reelbatch(tmp_path: Path, prefect_api: str) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `reelbatch` and go on. It uses the Prefect server that all tests share."""
    with ExitStack() as stack:

        def start(*arguments: object, **environment: str | None) -> subprocess.Popen[str]:
            inherited = {name: value for name, value in os.environ.items() if name != "PREFECT_LOGGING_LEVEL"}
            variables = inherited | {"PREFECT_API_URL": prefect_api, "PYTHONPATH": str(HOUSE)} | environment
            process = subprocess.Popen(
                [*COMMAND, *agreeing(arguments)],
                cwd=tmp_path,
                env={name: value for name, value in variables.items() if value is not None},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.callback(_end, process)
            return process

        yield start


@pytest.fixture
def own_prefect(made_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home for a Prefect server of a run's own: empty, but made already, which takes a server ten seconds."""
    home = tmp_path_factory.mktemp("prefect")
    shutil.copy(made_database, home / "prefect.db")
    return home


@pytest.fixture
def ended() -> Callable[[subprocess.Popen[str]], Ended]:
    """Wait for the end of a process."""

    def wait(process: subprocess.Popen[str]) -> Ended:
        out, err = process.communicate(timeout=PATIENCE)
        return Ended(process.returncode, out, err)

    return wait


@pytest.fixture
def reelbatch(start_reelbatch: Callable[..., subprocess.Popen[str]], ended: Callable[..., Ended]) -> Reelbatch:
    def run(*arguments: object, **environment: str | None) -> Ended:
        return ended(start_reelbatch(*arguments, **environment))

    return run


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Ended]:
    """Run `reelbatch` in this process: quick, for what neither starts Prefect nor needs a signal."""
    from flows.command_line import main  # noqa: PLC0415 - only where it is asked for

    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["reelbatch", *agreeing(arguments)])
        with pytest.raises(SystemExit) as leaving:
            main()
        said = capsys.readouterr()
        return Ended(int(leaving.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def run_here(cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, prefect_api: str) -> Callable[..., Ended]:
    """Run `reelbatch` in this process with the shared Prefect server: five times quicker than in one of its own."""

    def run(*arguments: object, **environment: str) -> Ended:
        url = environment.pop("PREFECT_API_URL", prefect_api)
        with monkeypatch.context() as patched, prefect_at(url):
            for name, value in environment.items():
                patched.setenv(name, value)
            return cli(*arguments)

    return run


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Wait until a condition holds, and give what it says."""

    def wait(condition: Callable[[], Any]) -> Any:
        end = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < end, condition
            time.sleep(0.02)
        return found

    return wait


@pytest.fixture
def manifest() -> Callable[[Path], dict[str, Row]]:
    """The manifest of an output folder, by job."""

    def read(folder: Path) -> dict[str, Row]:
        lines = (folder / "manifest.jsonl").read_text("utf-8").splitlines()
        return {row["id"]: row for row in map(json.loads, lines)}

    return read


@pytest.fixture
def left_behind(
    start_reelbatch: Callable[..., subprocess.Popen[str]],
    start_provider: Callable[..., Any],
    write_batch: Callable[..., Path],
    until: Callable[[Callable[[], Any]], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Path, Any]:
    """A folder with one paid clip under way and its link about to end, whose run was killed; and its provider."""
    provider = start_provider(latency="2")
    for name, value in provider.environment().items():
        monkeypatch.setenv(name, value)
    out = tmp_path / "root" / "left"
    command = ["run", write_batch("a boat", name="left.csv"), "--out", out, "--provider", "qiniu", "--budget", "1"]
    killed = start_reelbatch(*command, **provider.environment())
    until(provider.bill)

    def accepted() -> Any:
        with closing(sqlite3.connect(f"file:{out / LEDGER_NAME}?mode=ro", uri=True)) as ledger:
            return ledger.execute("SELECT count(*) FROM job WHERE status = 'waiting'").fetchone()[0]

    until(accepted)
    killed.kill()
    killed.wait()
    with closing(sqlite3.connect(out / LEDGER_NAME)) as ledger, ledger:
        soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        ledger.execute("UPDATE job SET url_expires_at = ?", (soon,))
    return out, provider


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    with process:
        pass
