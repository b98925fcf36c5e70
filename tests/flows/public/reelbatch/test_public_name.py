"""The public name `reelbatch`, and what it says where a stranger's package has the name of ours."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from flows import settle
from flows.campaign import campaign
from flows.collect import collect
from flows.expiry import expiry
from flows.inbox import inbox
from flows.redo import redo
from flows.retry import retry
from tests.servers import HERE

HOUSE = Path(__file__).parents[4]
SETTLING = ("adopt", "archive", "cancel", "resolve", "verify")
PUBLIC = HOUSE / "flows" / "public"


def load(*path, cwd):
    """Load `reelbatch.campaign` in a process of its own."""
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.run(
        [sys.executable, "-m", "reelbatch_trial"], cwd=cwd, env=variables, capture_output=True, text=True, check=False
    )


@pytest.fixture
def theirs(tmp_path):
    """A folder of a user's with a package `flows` of theirs, and a script that loads our campaign."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "__init__.py").write_text("")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "reelbatch_trial.py").write_text(
        "import reelbatch\nprint(*(getattr(reelbatch, name).name for name in reelbatch.__all__))"
    )
    return tmp_path


@pytest.mark.long
def test_the_flows_have_a_name_of_our_own(theirs):
    """`from reelbatch import campaign` is the flow that `flows.campaign` has, and so are those that look after it."""
    ended = load(HOUSE, PUBLIC, theirs / "elsewhere", cwd=theirs / "elsewhere")
    names = "adopt archive campaign cancel collect expiry inbox redo resolve retry verify"
    assert (ended.returncode, ended.stdout) == (0, f"{names}\n"), ended.stderr


def test_a_package_that_shadows_ours_is_named(theirs):
    """Where a user's `flows` comes first it is not run: the error names it, ours, and what to do."""
    ended = load(HOUSE, PUBLIC, theirs / "elsewhere", cwd=theirs)
    said = ended.stderr
    assert ended.returncode == 1
    assert str(theirs / "flows" / "__init__.py") in said
    assert str(HOUSE / "flows" / "__init__.py") in said
    assert "working_dir" in said


@pytest.mark.long
def test_the_example_of_the_page_serves(tmp_path, write_batch, prefect_api, until):
    """The Python block of docs/operating.md, put into a file as it stands, makes a deployment and runs it to its end."""
    page = (HOUSE / "docs" / "operating.md").read_text("utf-8")
    [block] = [
        code
        for code in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        if "campaign.serve" in code
    ]
    batch = write_batch({"prompt": "a boat", "provider": "qiniu"}, name="example.csv")
    script = tmp_path / "served.py"
    script.write_text(block.replace("/srv/batches/shorts.csv", str(batch)).replace('"shorts"', '"example"'), "utf-8")
    path = os.pathsep.join(map(str, (HOUSE, PUBLIC)))
    variables = os.environ | {"PREFECT_API_URL": prefect_api, "PYTHONPATH": path}
    process = subprocess.Popen([sys.executable, script], cwd=tmp_path, env=variables, stdout=subprocess.DEVNULL)

    def ask(method, address, **body):
        answer = httpx.request(method, f"{prefect_api}{address}", **HERE, **body)
        return answer.json() if answer.is_success else None

    try:
        made = until(lambda: ask("GET", "/deployments/name/campaign/example"))
        body = {"parameters": {"rehearse": True, "advanced": {"speed": 2000}}, "state": {"type": "SCHEDULED"}}
        run = until(lambda: ask("POST", f"/deployments/{made['id']}/create_flow_run", json=body))
        ended = ("COMPLETED", "FAILED", "CRASHED")
        state = until(lambda: (seen := ask("GET", f"/flow_runs/{run['id']}")) and seen["state_type"] in ended and seen)
        assert (state["name"], state["state_type"]) == ("example (rehearsal)", "COMPLETED"), state["state"]["message"]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def test_every_parameter_is_titled_and_explained():
    """In the form that Prefect makes of a flow; it would call each by its name in Python."""
    for flow in (campaign, collect, expiry, inbox, redo, retry, *(getattr(settle, name) for name in SETTLING)):
        for name, shown in flow.parameters.properties.items():
            assert (shown["title"] != name, bool(shown.get("description"))) == (True, True), (flow.name, name)
