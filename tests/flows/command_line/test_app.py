from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest
from prefect.exceptions import PrefectHTTPStatusError

HOUSE = Path(__file__).parents[3]
COMMANDS = [
    "demo",
    "init",
    "plan",
    "run",
    "collect",
    "cancel",
    "status",
    "ls",
    "deploy",
    "serve",
    "inbox",
    "callbacks",
    "sandbox",
    "providers",
    "doctor",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(cli, command):
    """`--help` of every command says how it is used and what each option is for."""
    ended = cli(command, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.lstrip().startswith(f"Usage: reelbatch {command}")


@pytest.mark.parametrize("command", ["run", "plan", "deploy", "serve", "inbox", "redo", "retry"])
def test_caps_over_all_campaigns_have_one_name(cli, command):
    """Whatever buys, or says what would be bought, takes the caps of a day and a month."""
    shown = cli(command, "--help").out
    assert "--budget-per-day" in shown
    assert "--budget-per-month" in shown


def test_the_root_lists_every_command_and_exit_code(cli):
    """`reelbatch --help` names every command and what the exit codes mean."""
    ended = cli("--help")
    assert ended.code == 0
    for word in (*COMMANDS, "Exit codes", "130 interrupted"):
        assert word in ended.out


def test_help_loads_nothing_heavy():
    """`--help` answers at once because it loads neither Prefect nor pandas, nor anything else that takes its time."""
    code = (
        "import sys, flows.command_line as c\n"
        "sys.argv = ['reelbatch', 'run', '--help']\n"
        "try:\n    c.main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'prefect', 'pandas', 'pyarrow', 'sqlalchemy', 'httpx', 'av', 'asyncio'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=HOUSE, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_the_version_is_that_of_the_package(cli):
    """`--version` says what pyproject.toml says."""
    version = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert cli("--version").out == f"reelbatch {version}\n"


@pytest.mark.parametrize("arguments", [["fly"], ["run"], ["plan", "--fast"], ["run", "a.csv", "--in-flight", "many"]])
def test_a_wrong_call_is_explained(cli, arguments):
    """An unknown command or option, or a missing argument, is exit code 2 with the usage, and no traceback."""
    ended = cli(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "Usage:" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.long
def test_a_traceback_is_only_for_those_who_ask(cli, reelbatch):
    """An error is one line; with --debug the traceback comes as well."""
    assert cli("plan", "missing.csv").err.count("\n") == 1
    assert "Traceback" in reelbatch("--debug", "plan", "missing.csv").err


def test_a_prefect_server_that_fails_is_no_bug_of_ours(cli, monkeypatch):
    """Prefect's server, overloaded, answers 503: one sentence that says so, and exit code 4; a 404 is still a bug."""

    def answers(status):
        def fail(*_):
            asked = httpx.Request("POST", "http://127.0.0.1:4200/api/flow_runs/")
            raise PrefectHTTPStatusError(f"{status}", request=asked, response=httpx.Response(status, request=asked))

        return fail

    monkeypatch.setattr("pipelines.batch.sample_text", answers(503))
    ended = cli("init", "new.yaml")
    assert (ended.code, ended.out, ended.err.count("\n")) == (4, "", 1)
    assert ended.err.startswith("error: Prefect's server answers 503: it is overloaded, or fails.")
    monkeypatch.setattr("pipelines.batch.sample_text", answers(404))
    assert "bug in reelbatch (PrefectHTTPStatusError" in cli("init", "new.yaml").err


def test_a_bug_is_named_as_one(cli, monkeypatch):
    """What is not in the error tree is called a bug, without a traceback, with exit code 1."""
    monkeypatch.setattr("pipelines.batch.sample_text", lambda *_: 1 / 0)
    ended = cli("init", "new.yaml")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error: This is a bug in reelbatch (ZeroDivisionError")
