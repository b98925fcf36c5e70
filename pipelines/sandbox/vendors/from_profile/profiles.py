"""The profiles of servers that only the operator knows, from the files that the sandbox was given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.providers.profile.model import Profile


def profiles_in(files: Sequence[Path]) -> tuple[Profile, ...]:
    """The profiles in these files. A ValueError says which of them holds none, and why."""
    if not files:
        return ()
    from pipelines.core.errors import ProfileError  # noqa: PLC0415 - only for those who have profiles
    from pipelines.providers.profile.load import find_profiles  # noqa: PLC0415 - as above

    try:
        found = find_profiles(files)
    except ProfileError as error:
        raise ValueError(str(error)) from None
    wanted = {path.resolve() for path in files}
    names = [name for name, path in found.files.items() if path.resolve() in wanted]
    return tuple(found.profiles[name] for name in names)
