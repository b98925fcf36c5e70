"""The last columns of docs/laws.md, docs/traps.md and docs/sources.md: which tests carry a number, where a source is cited.

Run it as `make docs`. Numbers and citations are looked up in the tree as it is, so that a test may be moved or renamed;
tests/test_docs.py fails where a page is not what this would write, or where something is used that no page explains.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

HOUSE = Path(__file__).parents[2]
DOCS = HOUSE / "docs"
PAGES = {name: DOCS / f"{name}.md" for name in ("laws", "traps", "sources")}
TREES = ("flows", "tasks", "pipelines", "tests", "docs")
TEXTS = frozenset({".py", ".yaml", ".md", ".csv", ".css", ".js", ".j2"})
#: They speak of numbers and citations as such.
ABOUT_NUMBERS = frozenset({"tests/test_docs.py", "tests/programmes/laws_page.py"})
NOWHERE = "nowhere now"

NUMBER = re.compile(r"(?<![\w%#])(?:[VISWCDKX]\d\d|T\d{1,2})(?!\w)")
CITATION = re.compile(r"\[([A-Z]\d{1,2}[a-z]*(?: [A-Z]\d{1,2}[a-z]*)*)\]")
_TEST = re.compile(r"^ *(?:async )?def test_(\w+)", re.MULTILINE)
_NUMBER_OF_A_NAME = re.compile(r"[viswcdkx]\d\d|t\d{1,2}")
_ROW = re.compile(r"^\| (?P<key>[A-Z]\d{1,2}[a-z]*) (?P<said>\|.*\|) (?P<last>[^|\n]*)\|$", re.MULTILINE)


def texts(*trees: str) -> Iterator[tuple[str, str]]:
    """Every text file of these folders: its path in the house, and what it says."""
    for path in sorted(path for tree in trees for path in (HOUSE / tree).rglob("*") if path.suffix in TEXTS):
        name = path.relative_to(HOUSE).as_posix()
        if name not in ABOUT_NUMBERS:
            yield name, path.read_text("utf-8")


def numbers_in(text: str) -> set[str]:
    """The laws and traps that a text names: `S14` in a remark, `s14` in the name of a test."""
    named = (part for name in _TEST.findall(text) for part in name.split("_") if _NUMBER_OF_A_NAME.fullmatch(part))
    return {*NUMBER.findall(text), *(part.upper() for part in named)}


def citations_in(text: str) -> set[str]:
    """The sources that a text cites: `[Q4 Q6]` cites two."""
    return {code for group in CITATION.findall(text) for code in group.split()}


def carriers() -> Mapping[str, list[str]]:
    """The test files that carry each number."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, text in texts("tests"):
        for number in numbers_in(text):
            found[number].append(name)
    return found


def citing() -> Mapping[str, list[str]]:
    """The folders whose files cite each source."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, text in texts("flows", "tasks", "pipelines", "tests"):
        for code in citations_in(text):
            found[code].append(name.rpartition("/")[0])
    return {code: _without_mirrors(folders) for code, folders in found.items()}


def _without_mirrors(folders: list[str]) -> list[str]:
    """The folders once each; a test that cites what its subject cites says nothing new."""
    return sorted(
        {folder for folder in folders if folder.removeprefix("tests/") not in folders or folder[:6] != "tests/"}
    )


def rows(page: str) -> dict[str, str]:
    """The last cell of each row of a page's tables, by the number or code that the row is about."""
    return {match["key"]: match["last"].strip() for match in _ROW.finditer(page)}


def rewritten(name: str, page: str) -> str:
    """The page with its last column as it should be. What a hand wrote there stays where there is nothing to look up."""
    found = citing() if name == "sources" else carriers()

    def anew(match: re.Match[str]) -> str:
        places = ", ".join(f"`{place}`" for place in found.get(match["key"], ()))
        written = match["last"].strip()
        if not places:
            places = NOWHERE if name == "sources" else "" if written.startswith("`") else written
        return f"| {match['key']} {match['said']} {places} |"

    return _ROW.sub(anew, page)


def main() -> int:
    """Write the pages."""
    for name, path in PAGES.items():
        path.write_text(rewritten(name, path.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
