"""The public name `reelbatch`, and what it says where a stranger's package has the name of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[4]
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
        "from reelbatch import campaign, collect, expiry, inbox\n"
        "print(campaign.name, collect.name, expiry.name, inbox.name)"
    )
    return tmp_path


@pytest.mark.long
def test_the_flows_have_a_name_of_our_own(theirs):
    """`from reelbatch import campaign` is the flow that `flows.campaign` has, and so are those that look after it."""
    ended = load(HOUSE, PUBLIC, theirs / "elsewhere", cwd=theirs / "elsewhere")
    assert (ended.returncode, ended.stdout) == (0, "campaign collect expiry inbox\n"), ended.stderr


def test_a_package_that_shadows_ours_is_named(theirs):
    """Where a user's `flows` comes first it is not run: the error names it, ours, and what to do."""
    ended = load(HOUSE, PUBLIC, theirs / "elsewhere", cwd=theirs)
    said = ended.stderr
    assert ended.returncode == 1
    assert str(theirs / "flows" / "__init__.py") in said
    assert str(HOUSE / "flows" / "__init__.py") in said
    assert "working_dir" in said
