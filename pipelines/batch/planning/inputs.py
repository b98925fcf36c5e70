"""A digest of all that decides the jobs of a batch: two readings with the same one make the very same jobs."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from pipelines.batch.files.source import BatchSource
from pipelines.batch.matching.image_files import Picture, read_picture
from pipelines.batch.planning.drafts import Surroundings
from pipelines.core.job import digest_of

_PROGRAMME = Path(__file__).parents[2]
_ROOMS = ("core", "providers", "pricing", "batch")  # whose code decides what a row means and costs
_LIBRARIES = ("jinja2", "pydantic", "pyyaml", "openpyxl")  # that read and fill in what a person wrote


def inputs_digest(source: BatchSource, around: Surroundings, elsewhere: frozenset[str]) -> str:
    """SHA-256 of the bytes of the file, its place, the profiles, the choices, the occurrence and this programme.

    Pictures are not in it: whoever compares reads them again (`same_pictures`).

    Args:
        source: the file as it was read.
        around: what it is planned in.
        elsewhere: providers whose address the operator has set.
    """
    profiles = {name: profile.model_dump_json() for name, profile in around.profiles.items()}
    place = {"name": around.name, "folder": str(around.folder.absolute()), "suffix": source.suffix}
    chosen = {"provider": around.provider, "fallback": around.fallback, "elsewhere": sorted(elsewhere)}
    file = {"source": source.sha256, "file": source.path.name, "occurrence": dict(around.occurrence)}
    return digest_of({**place, **chosen, **file, "profiles": profiles, "programme": _programme()})


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


@cache
def _programme() -> str:
    """A digest of the code that makes jobs of rows, and of the libraries that it leaves reading to."""
    digest = hashlib.sha256(sys.version.encode())
    digest.update("".join(f"{name} {version(name)}\n" for name in _LIBRARIES).encode())
    for room in _ROOMS:
        for path in sorted((_PROGRAMME / room).rglob("*.py")):
            digest.update(path.relative_to(_PROGRAMME).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
