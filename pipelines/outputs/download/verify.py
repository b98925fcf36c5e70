"""Check that a file on disk is still the one that was catalogued."""

from __future__ import annotations

import hashlib
from pathlib import Path


def verify_file(path: Path, sha256: str, length: int) -> str | None:
    """The reason why a file is not the catalogued one, or None. Blocks: 2 GB a second at best.

    Args:
        path: of the file.
        sha256: in hexadecimal digits, as catalogued.
        length: in bytes, as catalogued.
    """
    try:
        with path.open("rb") as file:
            found = file.seek(0, 2)
            if found != length:
                return f"it has {found} bytes instead of {length}"
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    return None if digest == sha256 else "its content has changed"
