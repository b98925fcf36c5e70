"""The house as it was meant: three packages of our own, imports downwards only, and no rooms without a purpose."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.programmes import structure
from tests.programmes.structure import LIMITS

HOUSE = Path(__file__).parents[1]
STOREYS = ("flows", "tasks", "pipelines")
NOWHERE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base"}

BATCH, CHECKS, CLI = "pipelines/batch", "pipelines/providers/profile", "flows/command_line"
DOWNLOAD, RUN, TEXT = "pipelines/outputs/download", "pipelines/run", "pipelines/core/text"
#: Modules without a test file of their own name (or all such of a folder): what tests them, below tests/, and why there.
TESTED_THROUGH = {
    f"{CLI}/__main__.py": (f"{CLI}/test_driving.py", "one call; each process of these tests begins with it"),
    f"{CLI}/deploy_batch.py": (f"{CLI}/test_deploy.py", "what the command does"),
    f"{CLI}/arguments.py": (f"{CLI}/test_app.py", "declarations of options, which show in the help"),
    f"{CLI}/init.py": (f"{CLI}/test_plan.py", "what it writes is planned"),
    **dict.fromkeys(
        (f"{CLI}/{name}.py" for name in ("archive", "retry", "verify")),
        (f"{CLI}/test_resolve.py", "one campaign is settled to its end by all of them"),
    ),
    f"{CLI}/adopt.py": ("pipelines/actions/test_adopt.py", "one call"),
    f"{CLI}/callbacks.py": (f"{CLI}/test_callbacks_command.py", "the receiver as a process"),
    **dict.fromkeys(
        (f"pipelines/callbacks/{name}.py" for name in ("listener", "metrics", "signatures")),
        ("pipelines/callbacks/test_receiver.py", "as calls come"),
    ),
    **dict.fromkeys(
        (f"pipelines/callbacks/{name}.py" for name in ("service", "way_in")),
        (f"{CLI}/test_callbacks_command.py", "the receiver as a process, and doctor before it"),
    ),
    **dict.fromkeys(
        (f"pipelines/ledger/{name}.py" for name in ("callbacks", "guest", "storage/news")),
        ("pipelines/callbacks/test_inbox.py", "on SQLite and PostgreSQL"),
    ),
    "pipelines/ledger/storage/callback_keys.py": ("pipelines/callbacks/test_addresses.py", "as keys are used"),
    "pipelines/run/call_hints.py": ("pipelines/run/test_callbacks.py", "a protocol"),
    "flows/settle.py": (f"{CLI}/test_resolve.py", "flows of one call each"),
    "flows/redo.py": ("flows/test_retry.py", "both run a folder again"),
    "flows/subcampaign.py": ("flows/test_inbox.py", "each file is one"),
    "pipelines/actions/evidence.py": ("pipelines/actions/test_resolve.py", "it is gathered before a word is said"),
    "pipelines/actions/persons_word.py": ("pipelines/actions/test_resolve.py", "with and without an owner"),
    "pipelines/actions/redo.py": ("pipelines/actions/test_retry.py", "both run a folder again"),
    "pipelines/ledger/persons_steps.py": (
        "pipelines/actions/test_resolve.py",
        "each word, and the money that it moves",
    ),
    "pipelines/ledger/settlement.py": ("pipelines/actions/test_resolve.py", "each word, as it is taken or refused"),
    "pipelines/ledger/storage/protocol.py": (
        "pipelines/ledger/storage/test_group_commit.py",
        "what a storage must do; both do it in the tests of the ledger",
    ),
    "pipelines/ledger/step.py": ("pipelines/ledger/test_outcomes.py", "a value; each outcome has one"),
    f"{CLI}/ls.py": (f"{CLI}/test_status_and_ls.py", "both show one ledger"),
    f"{CLI}/status.py": (f"{CLI}/test_status_and_ls.py", "both show one ledger"),
    f"{CLI}/prefect_api.py": (f"{CLI}/test_prefect_server.py", "with and without a server"),
    f"{CLI}/profile_card.py": (f"{CLI}/test_providers.py", "the card is what `providers` shows"),
    f"{CLI}/tables.py": (f"{CLI}/test_plan.py", "each command that shows a table has tests of what it shows"),
    f"{CLI}/talk.py": (f"{CLI}/test_app.py", "how an error is said"),
    "tasks/*": ("flows/test_campaign.py", "a task is a flow's; the flow shows what each has done"),
    f"{BATCH}/files/document.py": (f"{BATCH}/files/test_source.py", "what each reader gives"),
    f"{BATCH}/files/excel_*.py": (f"{BATCH}/files/test_excel_rows.py", "whole workbooks are read"),
    f"{BATCH}/files/sample.py": (f"{CLI}/test_plan.py", "what `init` writes is planned"),
    f"{BATCH}/files/settings.py": (f"{BATCH}/files/test_yaml_document.py", "as settings stand in a file"),
    f"{BATCH}/findings.py": (f"{BATCH}/planning/test_jobs.py", "as problems are said together"),
    f"{BATCH}/matching/*": (f"{BATCH}/matching/test_mode.py", "as a row finds its mode"),
    f"{BATCH}/planning/*": (f"{BATCH}/planning/test_jobs.py", "from rows to whole jobs"),
    f"{BATCH}/rows/*": (f"{BATCH}/planning/test_jobs.py", "from rows to whole jobs"),
    "pipelines/catalogue/compilation.py": ("pipelines/run/job/test_lifecycle.py", "of a folder that a run has filled"),
    "pipelines/core/errors.py": (f"{CLI}/test_app.py", "names and exit codes; each is raised where it belongs"),
    "pipelines/core/events.py": (f"{TEXT}/test_sentences.py", "values; each has its sentence"),
    "pipelines/core/job.py": (f"{BATCH}/planning/test_jobs.py", "values; planning makes them"),
    "pipelines/core/reading.py": ("pipelines/ledger/test_known_plan.py", "what a ledger keeps of it"),
    "pipelines/core/outcome.py": ("pipelines/ledger/test_outcomes.py", "values; the ledger records them"),
    "pipelines/actions/prospect.py": (f"{CLI}/test_consent.py", "what is said before a run"),
    "pipelines/ledger/bought.py": ("pipelines/purchases/test_repeats.py", "as ledgers are lost and given back"),
    "pipelines/purchases/re[c]*.py": ("pipelines/purchases/test_repeats.py", "whole campaigns, bought once"),
    f"{RUN}/buying.py": ("pipelines/purchases/test_repeats.py", "whole campaigns, bought once"),
    f"{RUN}/own_copies.py": ("pipelines/purchases/test_repeats.py", "whole campaigns, bought once"),
    "pipelines/ledger/job_state.py": ("pipelines/ledger/test_outcomes.py", "what the ledger gives back"),
    "pipelines/ledger/storage/schema.py": ("pipelines/ledger/test_migrations.py", "tables, as they are made"),
    f"{DOWNLOAD}/*": (f"{DOWNLOAD}/test_download.py", "whole downloads, against a server that fails in every way"),
    "pipelines/outputs/media/moov.py": ("pipelines/outputs/media/test_probe.py", "as a file is probed"),
    "pipelines/outputs/storage/*": (f"{DOWNLOAD}/test_download.py", "where downloads are published"),
    f"{CHECKS}/checks/*": (f"{CHECKS}/checks/test_agreement.py", "a profile that one of the checks must find at fault"),
    f"{CHECKS}/files.py": (f"{CHECKS}/test_load.py", "as profiles are found"),
    **dict.fromkeys(
        (f"{CHECKS}/exchange.py", f"{CHECKS}/terms.py"),
        (f"{CHECKS}/test_model.py", "parts of a profile, declared as data"),
    ),
    "pipelines/providers/protocol.py": (
        "pipelines/providers/test_contract_suite.py",
        "values; each contract gives them",
    ),
    **dict.fromkeys(
        (f"{RUN}/bucket_notes.py", "pipelines/catalogue/in_bucket.py"),
        (f"{RUN}/job/test_upload.py", "whole campaigns whose files go to a bucket"),
    ),
    f"{RUN}/job/wait.py": (f"{RUN}/test_poller.py", "whole waits"),
    f"{RUN}/observers.py": (f"{RUN}/test_run.py", "what a run tells"),
    f"{RUN}/opening.py": (f"{RUN}/job/test_lifecycle.py", "every run is opened"),
    f"{RUN}/options.py": (f"{CLI}/test_run_bad_input.py", "each option, as it is refused"),
    f"{RUN}/status_queries.py": (f"{RUN}/test_poller.py", "what the poller asks"),
    "pipelines/sandbox/*": ("pipelines/sandbox", "it is spoken to over HTTP, route by route, as its clients do"),
}
#: Dependencies that no line of ours imports, with what needs them.
USED_WITHOUT_IMPORT = {
    "fastapi": "Prefect's server, which does not import with later ones",
    "python-multipart": "Starlette reads forms with it",
}


@pytest.fixture(scope="module")
def house():
    """Every module of ours, read."""
    return structure.modules()


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


@pytest.mark.long
def test_the_ground_floor_knows_no_prefect(house):
    """Nothing below `pipelines/` imports Prefect, not even inside a function."""
    ours = {name: module.imported for name, module in house.items() if name.startswith("pipelines")}
    assert [name for name, taken in ours.items() if any(each.split(".")[0] == "prefect" for each, *_ in taken)] == []


def test_flows_define_no_classes(house):
    """Prefect loads a flow file twice, so a class or an error that is defined there would exist twice."""
    flows = [module for name, module in house.items() if name.startswith("flows")]
    assert [(each.name, node.name) for each in flows for node in each.nodes if isinstance(node, ast.ClassDef)] == []


def test_one_task_a_file(house):
    """A file of `tasks/` defines one Prefect task at most; the block of an account has a file of its own."""
    for name, module in house.items():
        if name.startswith("tasks."):
            marks = {each.name: map(ast.unparse, each.decorator_list) for each in module.functions}
            tasks = [function for function, all_marks in marks.items() if any("task" in mark for mark in all_marks)]
            assert len(tasks) <= 1, f"{name}: {tasks}"


def test_every_module_says_what_it_is(house):
    """A module is named for its subject and has a docstring."""
    for name, module in house.items():
        assert name.rpartition(".")[2] not in NOWHERE_NAMES, name
        assert ast.get_docstring(module.tree), name


def test_functions_are_short(house):
    """Nineteen of twenty functions fit on a screen beside what calls them, docstrings aside."""
    lengths = [structure.length(each, docstring=False) for module in house.values() for each in module.functions]
    assert structure.percentile(lengths) <= LIMITS.p95_lines


def test_modules_fit_on_a_few_screens(house):
    """No module is longer than the limit."""
    lengths = {name: len(module.text.splitlines()) for name, module in house.items()}
    assert {name: lines for name, lines in lengths.items() if lines > LIMITS.module_lines} == {}


def test_few_helpers_have_one_caller(house):
    """A helper that only names a few lines of its one caller is read faster in its place (`make structure --helpers`)."""
    functions = sum(len(module.functions) for module in house.values())
    assert 100 * len(structure.one_caller_helpers(house)) / functions <= LIMITS.one_caller_percent


def test_a_name_means_one_thing(house):
    """Hardly a public name is defined in two modules."""
    twice = structure.names_defined_twice(house)
    assert len(twice) <= LIMITS.names_defined_twice, twice


def test_imports_run_in_no_circle(house):
    """No module reaches itself by imports, be they inside functions or for type checkers alone."""
    assert structure.circles(house) == []


def test_the_life_of_a_job_is_read_downwards(house):
    """Who follows a job through `generate_job` hardly ever has to climb back into a file that sent him on."""
    reader = structure.followed(house)
    assert len(reader.opened) > 4
    assert max(reader.climbs.values()) <= LIMITS.climbs


def test_every_module_has_its_mirror(house):
    """`a/b.py` is tested by `tests/a/test_b.py`, or stands in the table with what tests it instead; the table is true."""
    names = [str(module.path.relative_to(HOUSE)) for module in house.values() if module.path.name != "__init__.py"]
    bare = [name for name in names if not mirror(name).exists()]
    assert [name for name in bare if not any(fnmatch(name, pattern) for pattern in TESTED_THROUGH)] == []
    for pattern, (path, why) in TESTED_THROUGH.items():
        assert any(fnmatch(name, pattern) for name in bare), f"{pattern}: nothing of it is without a mirror"
        assert (HOUSE / "tests" / path).exists(), f"{pattern}: there is no {path}"
        assert why


def mirror(name):
    path = Path(name)
    return HOUSE / "tests" / path.with_name(f"test_{path.name}")


def test_every_dependency_is_imported_by_what_is_shipped(house):
    """What pyproject.toml asks for is used: each distribution has a module that a file of the three packages imports."""
    declared = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    wanted = {re.match(r"[\w.-]+", each)[0].lower().replace("_", "-") for each in declared}
    roots = {name.partition(".")[0] for module in house.values() for name, *_ in module.imported}
    places = packages_distributions()
    used = {name.lower().replace("_", "-") for root in roots for name in places.get(root, ())}
    assert wanted - used - set(USED_WITHOUT_IMPORT) == set()
    assert set(USED_WITHOUT_IMPORT) <= wanted - used


def test_tests_are_no_packages():
    """An `__init__.py` below `tests/` would hide the real packages; and tests mirror the tree that they test."""
    assert [*(HOUSE / "tests").rglob("__init__.py")] == []
    mirrored = {path.parent.relative_to(HOUSE / "tests") for path in (HOUSE / "tests").rglob("test_*.py")}
    assert [path for path in mirrored if not (HOUSE / path).is_dir()] == []


def test_the_top_level_is_tidy():
    """Beside the three packages and the tests there is only what the design names."""
    allowed = {*STOREYS, "tests", "docs", "Makefile", "prefect.yaml", "constraints.txt"}
    allowed |= {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"}
    listed = subprocess.run(["git", "ls-files"], cwd=HOUSE, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    found = {name.partition("/")[0] for name in listed.stdout.splitlines()}
    assert {name for name in found - allowed if not name.startswith(".")} == set()
