"""A digest of all that decides the jobs of a batch: two readings with the same one make the very same jobs."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from pipelines.batch.files.source import BatchSource
from pipelines.batch.matching.image_files import Picture, read_picture
from pipelines.batch.planning.drafts import Surroundings
from pipelines.core.job import digest_of

_PROGRAMME = Path(__file__).parents[2]
_LOADED = time.time()  # seconds; about when this process read its code

#: The rooms whose code decides what a row means and costs.
DECIDING_ROOMS = ("core", "net", "providers", "pricing", "batch")

#: The libraries that read and fill in what a person wrote, by the name that they are imported by.
READING_LIBRARIES = {
    "jinja2": "jinja2",
    "openpyxl": "openpyxl",
    "pandas": "pandas",
    "PIL": "pillow",
    "pydantic": "pydantic",
    "pydantic_core": "pydantic-core",
    "yaml": "pyyaml",
}


def inputs_digest(source: BatchSource, around: Surroundings, elsewhere: frozenset[str]) -> str:
    """SHA-256 of the bytes of the file, its place, the profiles, the choices, the occurrence and this programme.

    Pictures are not in it: whoever compares reads them again (`same_pictures`). Empty where this programme cannot be told
    from another version of itself: then nothing is known again.

    Args:
        source: the file as it was read.
        around: what it is planned in.
        elsewhere: providers whose address the operator has set.
    """
    profiles = {name: profile.model_dump_json() for name, profile in around.profiles.items()}
    place = {"name": around.name, "folder": str(around.folder.absolute()), "suffix": source.suffix}
    chosen = {"provider": around.provider, "fallback": around.fallback, "elsewhere": sorted(elsewhere)}
    file = {"source": source.sha256, "file": source.path.name, "occurrence": dict(around.occurrence)}
    programme = _programme()
    return digest_of({**place, **chosen, **file, "profiles": profiles, "programme": programme}) if programme else ""


def same_pictures(known: Mapping[str, str], folder: Path) -> bool:
    """Tell whether every local picture is as it was: each is read again.

    Args:
        known: as rows named them, and as orders did, with the SHA-256 of their bytes.
        folder: where relative paths begin.
    """
    for written, reference in known.items():
        found = read_picture(written, folder)
        if not isinstance(found, Picture) or found.reference != reference:
            return False
    return True


def code_digest(programme: Path, libraries: Mapping[str, str], loaded: float) -> str:
    """A digest of the code that makes jobs of rows, and of the libraries that it leaves reading to.

    Empty where the files are no witness of the code that runs: there is no source, a library does not tell its version,
    or any of them was put in place after this process had read it, as in a server that outlives an upgrade.

    Args:
        programme: the folder of the rooms.
        libraries: by the name that they are imported by, the name that they are installed by.
        loaded: when this process had read its code, in seconds since 1970.
    """
    digest = hashlib.sha256(sys.version.encode())
    files = [(room, path) for room in DECIDING_ROOMS for path in sorted((programme / room).rglob("*.py"))]
    if {room for room, _ in files} != {*DECIDING_ROOMS}:
        return ""
    try:
        for name, distribution in libraries.items():
            found = find_spec(name)
            if found is None or found.origin is None or Path(found.origin).stat().st_ctime > loaded:
                return ""
            digest.update(f"{name} {version(distribution)}\n".encode())
        for _, path in files:
            if path.stat().st_ctime > loaded:
                return ""
            code = path.read_bytes()
            digest.update(f"{path.relative_to(programme).as_posix()} {len(code)}\n".encode() + code)
    except (OSError, PackageNotFoundError):
        return ""
    return digest.hexdigest()


@cache
def _programme() -> str:
    return code_digest(_PROGRAMME, READING_LIBRARIES, _LOADED)
