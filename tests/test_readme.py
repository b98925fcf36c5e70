"""The README and docs/ are true: every `reelbatch` command in their `sh` blocks runs, in the order of the page.

Conventions for whoever writes such a page: a command begins a line of a fenced `sh` block with `reelbatch`; it may go on
after a backslash and carry a comment; what it names exists by then: a file of `docs/`, or something that an earlier
command has made. Providers are simulated, so a command may also order. Commands that serve are ended by Ctrl-C.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.batch import read_batch
from pipelines.providers.profile.load import known_profiles

HOUSE = Path(__file__).parents[1]
SERVING = {"sandbox", "callbacks", "inbox"}
FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [
    "README.md",
    *sorted(f"docs/{path.name}" for path in (HOUSE / "docs").glob("*.md") if "```sh" in path.read_text("utf-8")),
]
BATCHES = sorted(
    path
    for folder in ("docs/examples", "pipelines/batch/files/samples")
    for path in (HOUSE / folder).iterdir()
    if path.suffix in {".csv", ".yaml", ".jsonl"}
)


def commands(text):
    """Every command of a document, as lists of arguments, without the first word."""
    lines = "\n".join(FENCE.findall(text)).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("reelbatch ")]


def test_commands_are_found():
    """The extraction reads `sh` blocks only, joins continued lines, and drops comments."""
    text = '```sh\nmake demo\nreelbatch plan "a b.csv" # look\nreelbatch run x.csv \\\n  --rehearse\n```\n```py\nreelbatch no\n```\n'
    assert commands(text) == [["plan", "a b.csv"], ["run", "x.csv", "--rehearse"]]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_runs(prefect_api, start_provider, tmp_path, page):
    """Each command that a page shows ends well in a fresh folder, one after the other; a run makes all its rows."""
    found = commands((HOUSE / page).read_text("utf-8"))
    assert found, f"{page} shows no command"
    shutil.copytree(HOUSE / "docs", tmp_path / "docs")
    environment = os.environ | start_provider(latency="0.2").environment()
    environment |= {"PREFECT_API_URL": prefect_api, "PYTHONPATH": str(HOUSE)}
    for arguments in found:
        quick = ["--speed", "2000"] if arguments[0] == "demo" or "--rehearse" in arguments else []
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.command_line", *arguments, *quick],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            heard = ""
            if arguments[0] in SERVING:
                heard = process.stdout.readline()
                process.send_signal(signal.SIGINT)
            heard += process.communicate(timeout=90)[0]
        allowed = {"doctor": (0, 2)}.get(arguments[0], (0,))  # whether a machine is ready is not the README's fault
        assert process.returncode in allowed, f"reelbatch {shlex.join(arguments)}:\n{heard}"


@pytest.mark.parametrize("path", BATCHES, ids=lambda path: path.name)
def test_every_example_batch_is_sound(path):
    """Each batch that we show reads without a problem, at most with a note on a renamed column, and has its prices."""
    batch = read_batch(path, profiles=known_profiles(beside=path))
    notes = ("is read as", "closed https://api.openai.com")
    assert [warning for warning in batch.warnings if not any(note in str(warning) for note in notes)] == []
    assert batch.jobs
    assert all(job.cost_estimated is not None for job in batch.jobs)
