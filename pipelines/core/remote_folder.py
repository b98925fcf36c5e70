"""Output folders in buckets: every address has one working folder on this machine, and every working folder one address.

`s3://studio/clips/spring` is worked on in `$XDG_CACHE_HOME/reelbatch/buckets/s3/studio/clips/spring`. So what is made of the
path of a folder, an occurrence or a rehearsal below it, is made of its address as well, and nobody else has to know of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pipelines.core.errors import SetupError

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.DOTALL)
_SAME = {"gcs": "gs", "s3a": "s3"}
_NO_PLACES = ("http", "https", "local", "sqlite", "postgresql", "postgres")
_NO_NAMES = ("", ".", "..")


def is_bucket_address(text: str) -> bool:
    """Tell whether it is the address of a folder in a bucket, and no path."""
    return _ADDRESS.fullmatch(text) is not None


def folder_named(text: str | Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Read an output folder as a person names it: a path as it is; of the address of a bucket the working folder.

    Args:
        text: such as `outputs/spring` or `s3://studio/clips`.
        environment: says where the user keeps what may vanish: `XDG_CACHE_HOME`.

    Raises:
        SetupError: the address cannot be read, or there is no home for working folders.
    """
    if "://" not in str(text):
        return Path(text)
    match = _ADDRESS.fullmatch(str(text))
    scheme, rest = (_SAME.get(match[1], match[1]), match[2].strip("/")) if match else ("", "")
    names = rest.split("/")
    if not scheme or scheme in _NO_PLACES or "@" in names[0]:  # the address is not shown: it may have a key in it
        raise SetupError(
            "An output folder is a path, or the address of a bucket such as s3://studio/clips, gs://... or file:///... "
            "Keys of a bucket are read from the environment, and never from its address."
        )
    rooted = match is not None and match[2].startswith("/")
    if rooted != (scheme == "file") or any(name in _NO_NAMES or re.search(r"[?#\\\x00-\x1f]", name) for name in names):
        raise SetupError(f"The output folder {text} cannot be read. Write it as s3://studio/clips.")
    return working_root(environment).joinpath(scheme, *names)


def working_root(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder below which runs work whose files go to buckets. What is in it may vanish between two runs.

    Raises:
        SetupError: the user has no home, and has named no other place.
    """
    cache = environment.get("XDG_CACHE_HOME", "").strip()
    if Path(cache).is_absolute():
        return Path(cache) / "reelbatch" / "buckets"
    try:
        return Path.home() / ".cache" / "reelbatch" / "buckets"
    except RuntimeError:
        raise SetupError("There is no home for working folders. Set XDG_CACHE_HOME to a folder.") from None


def bucket_address(folder: Path, environment: Mapping[str, str] = os.environ) -> str | None:
    """The address of which a folder is the working folder; None: it is a plain folder."""
    try:
        scheme, *names = folder.relative_to(working_root(environment)).parts
    except (SetupError, ValueError):
        return None
    return f"{scheme}://{'/' if scheme == 'file' else ''}{'/'.join(names)}" if names else None


def shown_place(path: Path) -> str:
    """A folder, or a file in one, as people find it: its address in a bucket, or its path as it is."""
    return bucket_address(path) or str(path)
