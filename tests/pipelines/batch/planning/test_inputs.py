"""The digest that says whether a batch is as it was: whatever decides a job is in it, and nothing that does not."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import time
import typing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

from pipelines.batch.files.source import read_source
from pipelines.batch.planning.drafts import Surroundings
from pipelines.batch.planning.inputs import (
    DECIDING_ROOMS,
    READING_LIBRARIES,
    code_digest,
    inputs_digest,
    same_pictures,
)
from pipelines.core.image import LocalImage, reference_to
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.profile.model import Profile

HOUSE = Path(__file__).parents[4]
ROWS = "id,prompt\na,a {{ date }}\nb,a harbour\n"
EVER = time.time() + 1e9
DAY = {"date": "2026-11-21", "occurrence": "2026-11-21 02:00"}


@pytest.fixture
def batch(tmp_path):
    path = tmp_path / "spring.csv"
    path.write_text(ROWS, "utf-8")
    return path


@pytest.fixture
def around(batch, profiles):
    return Surroundings("spring", batch.parent, profiles, "lab", ("yard",), DAY)


def digest(batch: Path, around: Surroundings, *elsewhere: str) -> str:
    return inputs_digest(read_source(batch), around, frozenset(elsewhere))


def test_the_same_inputs_have_the_same_digest(batch, around):
    """It depends on nothing but them: not on when the file was written, nor on the order in which sets are walked."""
    before = digest(batch, around, "lab", "yard")
    batch.write_text(ROWS, "utf-8")
    assert digest(batch, around, "yard", "lab") == before != ""


@pytest.mark.parametrize(
    "change",
    [
        {"name": "summer"},
        {"folder": Path("elsewhere")},
        {"provider": None},
        {"provider": "yard"},
        {"fallback": ()},
        {"fallback": ("yard", "lab")},
        {"fallback": ("lab", "yard")},
        {"occurrence": {}},
        {"occurrence": DAY | {"date": "2026-11-22"}},
        {"occurrence": DAY | {"occurrence": "2026-11-21 03:00"}},
    ],
    ids=str,
)
def test_each_choice_is_in_it(batch, around, change):
    """The name, the folder, the provider, the fallbacks in their order, and each of the words of an occurrence."""
    assert digest(batch, around) != digest(batch, replace(around, **change))


def test_whose_address_is_set_is_in_it(batch, around):
    """Each set of providers is a reading of its own; what their addresses are decides no job."""
    assert len({digest(batch, around, *names) for names in [(), ("lab",), ("yard",), ("lab", "yard")]}) == 4


@pytest.mark.parametrize(
    "raw", [b"\xef\xbb\xbf" + ROWS.encode(), ROWS.replace("\n", "\r\n").encode(), (ROWS + "\n").encode()]
)
def test_each_byte_of_the_file_is_in_it(batch, around, raw):
    """Also those that nobody sees: a byte order mark, line ends, an empty line."""
    before = digest(batch, around)
    batch.write_bytes(raw)
    assert digest(batch, around) != before


def test_the_name_and_the_ending_of_the_file_are_in_it(batch, around):
    """The same bytes are other rows as .tsv; messages name the file."""
    others = [shutil.copy(batch, batch.with_name(name)) for name in ("spring.tsv", "Spring.csv", "summer.csv")]
    assert len({digest(path, around) for path in (batch, *others)}) == 4


def test_a_relative_folder_is_another_one_in_another_working_directory(batch, around, monkeypatch):
    """Paths of pictures begin there."""
    relative, found = replace(around, folder=Path()), set()
    for name in ("one", "two"):
        (batch.parent / name).mkdir()
        monkeypatch.chdir(batch.parent / name)
        found.add(digest(batch, relative))
    assert len(found) == 2


def models_in(kind: object) -> Iterator[type[BaseModel]]:
    """The models of which a type is made, at any depth."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from models_in(field.annotation)
    for part in typing.get_args(kind):
        yield from models_in(part)


def test_a_profile_is_in_it_to_its_last_field():
    """No field of a profile stays out of its JSON, and the JSON makes the very profile again: it holds all that decides."""
    for kind in {*models_in(Profile)}:
        assert not kind.__private_attributes__
        assert not [name for name, field in kind.model_fields.items() if field.exclude]
    for profile in shipped_profiles().values():
        assert Profile.model_validate_json(profile.model_dump_json()) == profile


def test_each_profile_that_is_known_is_in_it(batch, around):
    """One more, one less, another under the same name: what a row may mean is another."""
    lab, yard = around.profiles["lab"], around.profiles["yard"]
    dearer = lab.model_copy(update={"prompt_most": 401})
    every = [{"lab": lab, "yard": yard}, {"lab": lab}, {"lab": dearer, "yard": yard}, {"lab": yard, "yard": lab}]
    assert len({digest(batch, replace(around, profiles=known)) for known in every}) == 4


def test_only_the_rooms_and_libraries_of_the_digest_make_jobs_of_rows():
    """What these rooms import of ours is among them, and what of others is a library whose version is in the digest."""
    for room in DECIDING_ROOMS:
        for path in (HOUSE / "pipelines" / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                for first, _, rest in (name.partition(".") for name in names):
                    if first == "pipelines":
                        assert rest.partition(".")[0] in DECIDING_ROOMS, path
                    elif room != "net":  # it carries bytes; what is read of them is read elsewhere
                        assert first in READING_LIBRARIES or first in sys.stdlib_module_names, (path, first)


@pytest.fixture
def programme(tmp_path):
    """A programme with one file in each room."""
    for room in DECIDING_ROOMS:
        (tmp_path / "programme" / room).mkdir(parents=True)
        (tmp_path / "programme" / room / "code.py").write_text("x = 1\n", "utf-8")
    return tmp_path / "programme"


def _a_character(programme):
    (programme / "batch" / "code.py").write_text("x = 2\n", "utf-8")


def _a_new_file(programme):
    (programme / "core" / "text").mkdir()
    (programme / "core" / "text" / "more.py").write_text("", "utf-8")


def _another_name(programme):
    (programme / "pricing" / "code.py").rename(programme / "pricing" / "price.py")


def _another_room(programme):
    (programme / "core" / "more.py").write_text("", "utf-8")
    before = code_digest(programme, READING_LIBRARIES, EVER)
    (programme / "core" / "more.py").rename(programme / "net" / "more.py")
    assert code_digest(programme, READING_LIBRARIES, EVER) != before


def _a_line_that_moves_over(programme):
    (programme / "batch" / "a.py").write_text("a", "utf-8")
    (programme / "batch" / "b.py").write_text("", "utf-8")
    before = code_digest(programme, READING_LIBRARIES, EVER)
    (programme / "batch" / "a.py").write_text("", "utf-8")
    (programme / "batch" / "b.py").write_text("a", "utf-8")
    assert code_digest(programme, READING_LIBRARIES, EVER) != before


CHANGES = [_a_character, _a_new_file, _another_name, _another_room, _a_line_that_moves_over]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_another_version_of_the_programme_is_another_digest(programme, change):
    """Each file of code counts with its place and every byte of it."""
    before = code_digest(programme, READING_LIBRARIES, EVER)
    change(programme)
    assert before != code_digest(programme, READING_LIBRARIES, EVER) != ""


def installed(folder: Path, version: str) -> None:
    """Lay a library down as an installer does: its code, and what tells its version."""
    about = folder / "filler-1.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: filler\nVersion: {version}\n", "utf-8")
    (folder / "filler_of_rows.py").write_text(f"version = {version!r}\n", "utf-8")


def test_another_version_of_a_library_is_another_digest(programme, tmp_path, monkeypatch):
    """A batch is read again after an upgrade of what fills in its templates, though no line of ours has changed."""
    library = {"filler_of_rows": "filler"}
    monkeypatch.syspath_prepend(tmp_path / "site")
    found = []
    for version in ("3.1", "3.2", "3.1"):
        installed(tmp_path / "site", version)
        found.append(code_digest(programme, library, EVER))
    assert found[0] == found[2] != found[1]


def _upgraded(programme, site):
    """Once more, with the same bytes: what this process runs may be older."""
    (programme / "core" / "code.py").rename(programme / "core" / "old")
    shutil.copy2(programme / "core" / "old", programme / "core" / "code.py")


def _library_upgraded(programme, site):
    installed(site, "3.2")


def _no_source(programme, site):
    (programme / "net" / "code.py").rename(programme / "net" / "code.pyc")


def _no_version(programme, site):
    shutil.rmtree(site / "filler-1.dist-info")


def _no_library(programme, site):
    (site / "filler_of_rows.py").unlink()


@pytest.mark.parametrize(
    "change", [_upgraded, _library_upgraded, _no_source, _no_version, _no_library], ids=lambda c: c.__name__.strip("_")
)
def test_files_that_are_no_witness_of_the_code_that_runs_make_no_digest(programme, tmp_path, monkeypatch, change):
    """A server that outlives an upgrade runs the old code beside new files; a compiled programme shows none at all."""
    monkeypatch.syspath_prepend(site := tmp_path / "site")
    installed(site, "3.1")
    loaded = max(path.stat().st_ctime for path in tmp_path.rglob("*.*"))
    assert code_digest(programme, {"filler_of_rows": "filler"}, loaded)
    while time.time() <= loaded + 0.02:  # a file system counts in ticks of the kernel
        pass
    change(programme, site)
    assert code_digest(programme, {"filler_of_rows": "filler"}, loaded) == ""


def test_pictures_are_read_again(tmp_path, picture):
    """The same bytes under the same name are the same picture; one byte more, no file, or another name for it are not."""
    picture("dawn.png")
    known = {"dawn.png": reference_to("dawn.png", LocalImage.read(tmp_path / "dawn.png"))}
    assert same_pictures(known, tmp_path)
    assert not same_pictures(known, tmp_path / "elsewhere")
    assert not same_pictures({"./dawn.png": known["dawn.png"]}, tmp_path)
    with (tmp_path / "dawn.png").open("ab") as file:
        file.write(b"\0")
    assert not same_pictures(known, tmp_path)
    (tmp_path / "dawn.png").unlink()
    assert not same_pictures(known, tmp_path)


READ = """
import hashlib, json, sys
from pathlib import Path
from pipelines.batch import read_batch
digests = []
jobs = read_batch(Path(sys.argv[1]), occurrence=None, recall=lambda batch, inputs: digests.append(inputs)).jobs
print(json.dumps([digests, hashlib.sha256("".join(job.model_dump_json() for job in jobs).encode()).hexdigest()]))
"""


@pytest.mark.long
def test_language_time_zone_home_and_hash_seed_decide_nothing(tmp_path):
    """Wherever a batch is read, its jobs are the same; that is why the digest need not know of these."""
    shutil.copytree(HOUSE / "docs" / "examples", tmp_path / "examples")
    batch = tmp_path / "examples" / "every-mode.yaml"
    found = []
    for seed, zone, language in [("1", "UTC", "C"), ("2", "Pacific/Kiritimati", "tr_TR.UTF-8")]:
        (tmp_path / seed).mkdir()
        surroundings = {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": language, "HOME": str(tmp_path / seed)}
        environment = os.environ | surroundings | {"PYTHONPATH": str(HOUSE)}
        command = [sys.executable, "-c", READ, str(batch)]
        read = subprocess.run(command, env=environment, cwd=tmp_path / seed, capture_output=True, check=True, text=True)
        found.append(json.loads(read.stdout))
    assert found[0] == found[1]
    assert len(found[0][0]) == 1
    assert len(found[0][0][0]) == 64
