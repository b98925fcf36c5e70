"""The README and docs/ are true: every `reelbatch` command in their `sh` blocks runs, in the order of the page.

Conventions for whoever writes such a page: a command begins a line of a fenced `sh` block with `reelbatch`; it may go on
after a backslash and carry a comment; what it names exists by then: a file of `docs/`, the folder `drop/`, or something
that an earlier command has made. Providers are simulated, so a command may also order. Commands that serve are ended by Ctrl-C,
and listen where the system lets them.
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
from subprocess import PIPE, STDOUT

import pytest

from flows.command_line import main
from pipelines.batch import read_batch
from pipelines.providers.profile.load import known_profiles
from tests.flows.command_line import test_every_mode
from tests.servers import prefect_at

HOUSE = Path(__file__).parents[1]
SERVING = {"sandbox", "callbacks", "inbox", "serve"}
#: One of the system's choice is free wherever this runs.
PORT = re.compile(r"(?<=127\.0\.0\.1:)\d{4}|(?<=--port )\d{4}")
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
    lines = PORT.sub("0", "\n".join(FENCE.findall(text))).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("reelbatch ")]


def test_commands_are_found():
    """The extraction reads `sh` blocks only, joins continued lines, and drops comments."""
    text = '```sh\nmake demo\nreelbatch plan "a b.csv" # look\nreelbatch run x.csv \\\n  --rehearse\n```\n```py\nreelbatch no\n```\n'
    assert commands(text) == [["plan", "a b.csv"], ["run", "x.csv", "--rehearse"]]


@pytest.fixture
def type_command(prefect_api, provider, monkeypatch, capfd, tmp_path):
    """Type a command as a reader would, in a folder with `docs/`. Gives its exit code and what it said."""
    shutil.copytree(HOUSE / "docs", tmp_path / "docs")
    (tmp_path / "drop").mkdir()
    monkeypatch.chdir(tmp_path)
    for name, value in provider.environment().items():
        monkeypatch.setenv(name, value)

    def here(arguments):
        monkeypatch.setattr(sys, "argv", ["reelbatch", *arguments])
        with prefect_at(prefect_api), pytest.raises(SystemExit) as leaving:
            main()
        return int(leaving.value.code or 0), "".join(capfd.readouterr())

    def serving(arguments):
        command = [sys.executable, "-m", "flows.command_line", *arguments]
        environment = os.environ | {"PYTHONPATH": str(HOUSE), "PREFECT_API_URL": prefect_api}
        with subprocess.Popen(command, env=environment, stdout=PIPE, stderr=STDOUT, text=True) as process:
            heard = process.stdout.readline()
            process.send_signal(signal.SIGINT)
            heard += process.communicate(timeout=90)[0]
        return process.returncode, heard

    return lambda arguments: serving(arguments) if arguments[0] in SERVING else here(arguments)


@pytest.mark.long
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_runs(type_command, page):
    """Each command that a page shows ends well in a fresh folder, one after the other; a run makes all its rows."""
    found = commands((HOUSE / page).read_text("utf-8"))
    assert found, f"{page} shows no command"
    for arguments in found:
        if arguments == test_every_mode.COMMAND:  # it makes thirty clips, and has a test of its own that looks at them
            continue
        rehearses = arguments[0] == "demo" or (arguments[0] != "providers" and "--rehearse" in arguments)
        quick = ["--speed", "2000"] if rehearses else []
        code, heard = type_command([*arguments, *quick])
        # Whether a machine is ready is not the README's fault; and what serves may not have begun when it is ended.
        ended = (0, 130, -signal.SIGINT) if arguments[0] in SERVING else (0,)
        allowed = (0, 2) if arguments[0] == "doctor" else ended
        assert code in allowed, f"reelbatch {shlex.join(arguments)}:\n{heard}"


@pytest.mark.parametrize("path", BATCHES, ids=lambda path: path.name)
def test_every_example_batch_is_sound(path):
    """Each batch that we show reads without a problem, at most with a note on a renamed column, and has its prices."""
    batch = read_batch(path, profiles=known_profiles(beside=path))
    notes = ("is read as", "closed https://api.openai.com")
    assert [warning for warning in batch.warnings if not any(note in str(warning) for note in notes)] == []
    assert batch.jobs
    assert all(job.cost_estimated is not None for job in batch.jobs)
