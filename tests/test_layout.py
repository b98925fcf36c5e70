"""The house as it was meant: three packages of our own, imports downwards only, and no rooms without a purpose."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1]
STOREYS = ("flows", "tasks", "pipelines")
MODULES = [path for storey in STOREYS for path in sorted((HOUSE / storey).rglob("*.py"))]
NOWHERE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base"}


def parsed(path):
    return ast.parse(path.read_text("utf-8"), str(path))


def imported(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("storey", STOREYS)
def test_each_package_is_ours(storey):
    """`flows`, `tasks` and `pipelines` come from this repository, and from no other distribution that is installed."""
    assert set(packages_distributions().get(storey, ["reelbatch"])) == {"reelbatch"}
    found = importlib.util.find_spec(storey)
    assert Path(found.origin) == HOUSE / storey / "__init__.py"


def test_the_layer_contracts_hold():
    """import-linter finds every contract of pyproject.toml kept."""
    ended = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert "0 broken" in ended.stdout


@pytest.mark.parametrize("storey", ["pipelines"])
def test_the_ground_floor_knows_no_prefect(storey):
    """Nothing below `pipelines/` imports Prefect, not even inside a function."""
    guilty = [
        path
        for path in (HOUSE / storey).rglob("*.py")
        if any(name.split(".")[0] == "prefect" for name in imported(path))
    ]
    assert guilty == []


def test_flows_define_no_classes():
    """Prefect loads a flow file twice, so a class or an error that is defined there would exist twice."""
    guilty = [
        f"{path.relative_to(HOUSE)}: {node.name}"
        for path in (HOUSE / "flows").rglob("*.py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef)
    ]
    assert guilty == []


def test_one_task_a_file():
    """Every file of `tasks/` defines one Prefect task."""
    for path in (HOUSE / "tasks").glob("[!_]*.py"):
        functions = [node for node in parsed(path).body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)]
        tasks = [f.name for f in functions if any("task" in ast.unparse(mark) for mark in f.decorator_list)]
        assert len(tasks) == 1, f"{path.name}: {tasks}"


def test_every_module_says_what_it_is():
    """A module is named for its subject, has a docstring, and fits on a few screens."""
    for path in MODULES:
        assert path.stem not in NOWHERE_NAMES, path
        assert ast.get_docstring(parsed(path)), path
        assert len(path.read_text("utf-8").splitlines()) <= 400, path


def test_tests_are_no_packages():
    """An `__init__.py` below `tests/` would hide the real packages; and tests mirror the tree that they test."""
    assert [*(HOUSE / "tests").rglob("__init__.py")] == []
    mirrored = {path.relative_to(HOUSE / "tests") for path in (HOUSE / "tests").rglob("*") if path.is_dir()}
    own = {Path("benchmarks"), Path("programmes")}
    missing = [p for p in mirrored if p not in own and "__pycache__" not in p.parts and not (HOUSE / p).is_dir()]
    assert missing == []


def test_the_top_level_is_tidy():
    """Beside the three packages and the tests there is only what the design names."""
    allowed = {*STOREYS, "tests", "docs", "Makefile", "prefect.yaml", "constraints.txt"}
    allowed |= {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"}
    listed = subprocess.run(["git", "ls-files"], cwd=HOUSE, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    found = {name.partition("/")[0] for name in listed.stdout.splitlines()}
    assert {name for name in found - allowed if not name.startswith(".")} == set()
