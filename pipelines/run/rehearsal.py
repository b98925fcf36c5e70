"""Who plays a provider in a rehearsal: the sandbox knows the shipped ones, and learns the user's own from their profiles."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pipelines.core.errors import SetupError
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.profile.model import Profile

#: What two profiles may differ in and still be played alike: who pays, how much, how fast, and what is said of them.
_NOT_SPOKEN = frozenset(
    {
        "name",
        "title",
        "key_env",
        "base_url",
        "base_url_env",
        "needs_key",
        "prices",
        "timing",
        "limits",
        "bills_failures",
        "answer_within_s",
        "on_server_error",
        "retired_on",
        "retired_models",
        "sandbox",
        "notes",
        "wants_https",
        "not_offered",
    }
)


def dialect_of(profile: Profile) -> str | None:
    """The sandbox's dialect that plays a provider; None where it must learn the provider from its profile."""
    if profile.sandbox is not None:
        return profile.sandbox
    twins = (shipped for shipped in shipped_profiles().values() if _speaks_like(profile, shipped))
    return next((twin.sandbox or twin.name for twin in twins), None)


def write_own_profiles(profiles: Iterable[Profile], folder: Path) -> tuple[Path, ...]:
    """Write down those that the sandbox must learn, whole, whatever they build upon; their files.

    Raises:
        SetupError: a file cannot be written.
    """
    written = []
    for profile in profiles:
        if dialect_of(profile) is None:
            path = folder / "sandbox-profiles" / f"{profile.name}.yaml"
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(profile.model_dump(mode="json"), ensure_ascii=False, indent=1), "utf-8")
            except OSError as error:
                raise SetupError(f"{path} cannot be written ({error.strerror}).") from None
            written.append(path)
    return tuple(written)


def _speaks_like(profile: Profile, other: Profile) -> bool:
    return all(
        getattr(profile, name) == getattr(other, name) for name in Profile.model_fields if name not in _NOT_SPOKEN
    )
