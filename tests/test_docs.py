"""The pages of docs/ are true: what is generated is up to date, what they name exists, what they show runs."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.programmes import providers_page

HOUSE = Path(__file__).parents[1]
TRAPS = (HOUSE / "docs" / "traps.md").read_text("utf-8")
ROWS = {
    int(number): [cell.strip() for cell in rest.split(" | ")]
    for number, rest in re.findall(r"^\| T(\d+) \| (.*) \|$", TRAPS, re.MULTILINE)
}


@cache
def names_in(path):
    """The names of the test functions in a file."""
    tree = ast.parse((HOUSE / "tests" / path).read_text("utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {function.name for function in functions if function.name.startswith("test_")}


def test_the_page_of_providers_is_up_to_date():
    """docs/providers.md is what `make docs` would write."""
    page = providers_page.PAGE.read_text("utf-8")
    assert providers_page.rewritten(page) == page, "run `make docs`"


def test_every_field_of_a_profile_is_explained():
    """No field stands on the page without a word on what it means."""
    rows = [row for row in providers_page.fields() if row.startswith("| `")]
    assert len(rows) > 80
    assert [row for row in rows if row.endswith("|  |")] == []


def test_all_traps_are_listed():
    """T1 to T30, each once, each with what is done about it."""
    assert list(ROWS) == list(range(1, 31))
    assert all(len(cells) == 3 for cells in ROWS.values())


@pytest.mark.parametrize("number", ROWS)
def test_each_trap_has_a_test_that_carries_its_number(number):
    """The tests of a trap exist and are called after it; without one, the page says that it cannot arise."""
    named = re.findall(r"`(\S+)::(\w+)`", ROWS[number][2])
    assert named or "cannot arise" in ROWS[number][2]
    for path, name in named:
        assert name in names_in(path), f"{path} has no {name}"
        assert f"t{number}" in name.removeprefix("test_").split("_"), f"{name} does not carry the number {number}"


def test_every_link_leads_somewhere():
    """A link from one page of ours to another, or to a heading, finds it."""
    for page in [HOUSE / "README.md", *(HOUSE / "docs").glob("*.md")]:
        text = page.read_text("utf-8")
        for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", text):
            path, _, heading = target.partition("#")
            found = (page.parent / path) if path else page
            assert found.exists(), f"{page.name}: {target}"
            if heading:
                headings = re.findall(r"^#+ (.+)$", found.read_text("utf-8"), re.MULTILINE)
                anchors = {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
                assert heading in anchors, f"{page.name}: {target}"
