"""The pages of docs/ are true: what is generated is up to date, what they name exists, what they show runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from flows.command_line.app import app
from pipelines.catalogue.manifest_row import COLUMNS
from pipelines.ledger.callbacks import Called
from tests.programmes import glossary_page, laws_page, providers_page

HOUSE = Path(__file__).parents[1]
PAGES = [HOUSE / "README.md", HOUSE / "CHANGELOG.md", *sorted((HOUSE / "docs").glob("*.md"))]
LAWS, TRAPS, SOURCES = ({**laws_page.rows(path.read_text("utf-8"))} for path in laws_page.PAGES.values())
#: Words that the house no longer uses for these things, as a page might still have them.
OLD_WORDS = (
    r"lanes?|tally|tallies|homecoming|enrol\w*|ballast|twins|pots?|take-?over|homeless|kiln|postman|cry_out|"
    r"(?:free|many) places? at|places? in flight|own file back|money/"
)


@pytest.mark.parametrize("path", providers_page.PAGES, ids=lambda path: path.name)
def test_the_pages_of_providers_and_profiles_are_up_to_date(path):
    """docs/providers.md and docs/profiles.md are what `make docs` would write."""
    page = path.read_text("utf-8")
    assert providers_page.rewritten(page) == page, "run `make docs`"


def test_every_field_of_a_profile_is_explained():
    """No field stands on the page without a word on what it means."""
    rows = [row for row in providers_page.fields() if row.startswith("| `")]
    assert len(rows) > 80
    assert [row for row in rows if row.endswith("|  |")] == []


def test_the_glossary_is_up_to_date():
    """docs/glossary.md is what `make docs` would write."""
    page = glossary_page.PAGE.read_text("utf-8")
    assert glossary_page.rewritten(page) == page, "run `make docs`"


def test_every_value_is_in_the_glossary():
    """No status, column, exit code or state of an attempt stands in the glossary without its words, and none is missing."""
    page = glossary_page
    parts = (page.statuses, page.columns, page.exit_codes, page.billed, page.attempts)
    rows = [row for part in parts for row in part()]
    assert [row for row in rows if "|  |" in row] == []
    assert set(glossary_page.COLUMN_WORDS) == set(COLUMNS)
    assert set(glossary_page.EXIT_WORDS) == set(glossary_page.codes())
    assert set(glossary_page.CALLED_WORDS) == set(Called)


@pytest.mark.parametrize("name", laws_page.PAGES)
def test_who_carries_and_who_cites_is_up_to_date(name):
    """The last columns of docs/laws.md, docs/traps.md and docs/sources.md are what `make docs` would write."""
    page = laws_page.PAGES[name].read_text("utf-8")
    assert laws_page.rewritten(name, page) == page, "run `make docs`"


def test_every_number_and_every_citation_is_explained():
    """A law, a trap or a source that is named anywhere stands in a table of docs/."""
    unknown = {}
    for path, text in laws_page.texts(*laws_page.TREES):
        named = laws_page.numbers_in(text) - {*LAWS, *TRAPS}
        if not path.startswith("docs/"):
            named |= laws_page.citations_in(text) - {*SOURCES}
        unknown |= {path: sorted(named)} if named else {}
    assert unknown == {}


def test_no_number_and_no_code_is_given_twice():
    """Each row of the tables is about a number, or a code, of its own."""
    for page in laws_page.PAGES.values():
        numbers = re.findall(r"^\| ([A-Z]\d+[a-z]*) \|", page.read_text("utf-8"), re.MULTILINE)
        assert sorted(numbers) == sorted(set(numbers))


def test_every_law_has_its_tests_or_says_why_not():
    """A row of docs/laws.md that no test carries says where it is kept, or that it is not built yet."""
    reasons = ("kept by", "kept as", "as S", "cannot arise", "not built yet")
    carried = laws_page.carriers()
    assert [law for law, said in LAWS.items() if law not in carried and not said.startswith(reasons)] == []


def test_all_traps_are_listed():
    """T1 to T30, each once, and each with a test that carries its number."""
    assert list(TRAPS) == [f"T{number}" for number in range(1, 31)]
    carried = laws_page.carriers()
    assert [trap for trap in TRAPS if trap not in carried] == []


def test_what_a_page_names_exists():
    """Every path of the house that a page names is there."""
    for page in PAGES:
        named = re.findall(r"`((?:pipelines|flows|tasks|tests|docs)/[\w./-]+)`", page.read_text("utf-8"))
        assert [path for path in named if not (HOUSE / path).exists()] == [], page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_python_of_a_page_imports_exists(page):
    """Each name of ours that a Python block imports can be imported."""
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        for line in re.findall(r"^from (?:pipelines|flows|tasks)\S* import .+$", block, re.MULTILINE):
            exec(line, {})


def test_the_map_leads_to_files():
    """Every room of the README's map is there, and so is each file at which a change begins."""
    rows = re.findall(r"^\| `(\w[\w/]*/)` \| (.+) \| (.+) \|$", (HOUSE / "README.md").read_text("utf-8"), re.MULTILINE)
    assert {room for room, *_ in rows} >= {
        f"pipelines/{path.parent.name}/" for path in HOUSE.glob("pipelines/*/__init__.py")
    }
    for room, _, begin in rows:
        named = [room + name for name in re.findall(r"`([\w/]+(?:\.py|/))`", begin)]
        assert [path for path in (room, *named) if not (HOUSE / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_exists(page):
    """A `reelbatch` command that a page names, in a block or in a line, exists, and has the options that stand beside it."""
    commands = typer.main.get_command(app).commands
    text = page.read_text("utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    code = "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", text)]).replace("\\\n", " ")
    for name, rest in re.findall(r"(?:^|&& )reelbatch ([a-z]+)\b([^#>\n]*)", code, re.MULTILINE):
        assert name in commands, f"{page.name}: reelbatch {name}"
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"(?<=\s)--[a-z-]+", rest)) <= {*known, "--help"}, f"{page.name}: reelbatch {name}{rest}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pages_use_the_words_of_the_house(page):
    """No page uses a word that the glossary has replaced."""
    assert re.findall(rf"\b(?:{OLD_WORDS})\b", page.read_text("utf-8"), re.IGNORECASE) == []


def test_every_link_leads_somewhere():
    """A link from one page of ours to another, or to a heading, finds it."""
    for page in PAGES:
        text = page.read_text("utf-8")
        for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", text):
            path, _, heading = target.partition("#")
            found = (page.parent / path) if path else page
            assert found.exists(), f"{page.name}: {target}"
            if heading:
                headings = re.findall(r"^#+ (.+)$", found.read_text("utf-8"), re.MULTILINE)
                anchors = {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
                assert heading in anchors, f"{page.name}: {target}"
