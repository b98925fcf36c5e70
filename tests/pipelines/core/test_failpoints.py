from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.core import failpoints
from pipelines.core.errors import LedgerError, SetupError
from pipelines.core.failpoints import FAILPOINTS, VARIABLE, arm, failpoint
from tests.programmes import structure

HOUSE = Path(__file__).parents[3]
_HERE = "from pipelines.core.failpoints import failpoint; failpoint('send.marked'); failpoint('send.marked'); print('alive')"


@pytest.fixture
def unarmed():
    """Nothing is set when the test has ended."""
    yield
    arm("")


def test_the_table_names_every_failpoint_of_the_code_and_no_other():
    """The names in the code, in its table and in docs/reliability.md are the same, each at one kind of place at least."""
    named = set()
    for module in structure.modules().values():
        calls = [node for node in module.nodes if isinstance(node, ast.Call)]
        named |= {c.args[0].value for c in calls if getattr(c.func, "id", "") == "failpoint" and _is_text(c.args[0])}
    named |= set(_parts_sent())
    assert named == set(FAILPOINTS)
    page = (HOUSE / "docs/reliability.md").read_text("utf-8")
    assert dict(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| (.+) \|$", page, re.MULTILINE)) == FAILPOINTS


def _is_text(argument):
    return isinstance(argument, ast.Constant) and isinstance(argument.value, str)


def _parts_sent():
    from pipelines.net.http import _PARTS_SENT  # noqa: PLC0415 - what httpcore says, in our names

    return _PARTS_SENT.values()


@pytest.mark.usefixtures("unarmed")
def test_nothing_happens_unless_it_is_asked_for(monkeypatch):
    """Without the variable a failpoint does nothing; the environment is looked into once."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(failpoints, "_armed", None)
    failpoint("send.marked")
    monkeypatch.setenv(VARIABLE, "send.marked:1:raise")
    failpoint("send.marked")


@pytest.mark.usefixtures("unarmed")
def test_it_fails_at_the_nth_time_and_only_then():
    """As if the ledger could not be written; the run's own dealing with that is what is tried."""
    arm("send.marked:2:raise, send.head:1:raise")
    failpoint("send.marked")
    with pytest.raises(LedgerError, match=r"send\.marked"):
        failpoint("send.marked")
    failpoint("send.marked")


@pytest.mark.parametrize("wanted", ["send.marked:2", "send.marked:2:kill"])
def test_the_process_is_killed_without_warning(wanted):
    """As by `kill -9`: nothing of it runs after."""
    ended = subprocess.run([sys.executable, "-c", _HERE], env=os.environ | {VARIABLE: wanted}, cwd=HOUSE, check=False)
    assert ended.returncode == -signal.SIGKILL


def test_a_process_that_stands_still_can_be_continued():
    """As by `kill -STOP`."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HERE],
        env=os.environ | {VARIABLE: "send.marked:1:stop"},
        cwd=HOUSE,
        stdout=subprocess.PIPE,
    )
    with process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        assert process.stdout.read() == b"alive\n"


@pytest.mark.usefixtures("unarmed")
@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ("send.mark", 'Did you mean "send.marked"'),
        ("send.marked:often", "name"),
        ("send.marked:0", "name"),
        ("send.marked:1:kill:now", "name"),
    ],
)
def test_what_makes_no_sense_is_refused(wanted, why):
    """A misspelt failpoint would never be come to: it is one clear error, with exit code 2."""
    with pytest.raises(SetupError, match=why) as refused:
        arm(wanted)
    assert refused.value.exit_code == 2


@pytest.mark.long
def test_every_failpoint_is_come_to_and_no_kill_loses_or_doubles_anything(start_provider):
    """One story of a campaign comes to them all and is killed at some; the rest is `make torture`. Judged by the bill."""
    sandbox = start_provider(latency="0.05", renders="light")
    programme = HOUSE / "tests/programmes/failpoint_kills.py"
    environment = os.environ | {"PYTHONPATH": str(HOUSE)}
    command = [sys.executable, programme, "--quick", sandbox.url]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
