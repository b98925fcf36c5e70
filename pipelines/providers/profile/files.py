"""Find and read the files in which a user describes providers of their own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.core.errors import Problem
from pipelines.core.text.strict_yaml import YamlRefused, parse_yaml
from pipelines.providers.profile.extends import ProfileDraft

PROFILES_FOLDER = "reelbatch.providers"  # beside a batch file, or where a command is given
_SUFFIXES = (".yaml", ".yml")
_MOST_BYTES = 1 << 20


def profile_files(files: Iterable[Path], beside: Path | None, problems: list[Problem]) -> Iterator[tuple[int, Path]]:
    """Every file to read and its rank, each file once, at its nearest place."""
    home = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    config = home if home.is_absolute() else Path(os.path.expanduser("~/.config"))  # noqa: PTH111 - no home is no error
    folders = [*([beside.parent / PROFILES_FOLDER] if beside is not None else []), Path(PROFILES_FOLDER)]
    folders.append(config / "reelbatch" / "providers")
    seen: set[Path] = set()
    for rank, paths in enumerate([list(files), *(_files_of(folder, problems) for folder in folders)]):
        for path in paths:
            if path.resolve() not in seen:
                seen.add(path.resolve())
                yield rank, path


def _files_of(folder: Path, problems: list[Problem]) -> list[Path]:
    try:
        paths = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        problems.append(Problem(_short(folder), f"cannot be read: {error.strerror}."))
        return []
    return [path for path in paths if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")]


def read_draft(path: Path, rank: int, problems: list[Problem]) -> Iterator[ProfileDraft]:
    """The draft in a file, or nothing and a problem."""
    file = _short(path)
    try:
        source = parse_yaml(_text_of(path))
    except YamlRefused as refused:
        line = f", line {refused.line}, column {refused.column}" if refused.line else ""
        problems.append(Problem(f"{file}{line}", f"{refused}."))
    except (OSError, ValueError) as error:
        problems.append(Problem(file, f"cannot be read: {getattr(error, 'strerror', None) or error}."))
    else:
        if isinstance(source.value, dict):
            yield ProfileDraft(file, path, rank, source)
        else:
            problems.append(Problem(file, "is not a mapping.", "Write `name: value` lines; see docs/profiles.md."))


def _text_of(path: Path) -> str:
    if not path.is_file():
        raise ValueError("there is no such file" if not path.exists() else "it is not a file")
    with path.open("rb") as file:
        raw = file.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise ValueError(f"it is larger than {_MOST_BYTES >> 20} MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start})") from None


def _short(path: Path) -> str:
    """A path as a person in this folder would write it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
