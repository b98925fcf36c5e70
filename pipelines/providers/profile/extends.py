"""Make profiles of drafts, each of which may be written as its difference to another. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.core.errors import Problem
from pipelines.core.text.strict_yaml import Located
from pipelines.core.text.suggestion import did_you_mean
from pipelines.providers.profile.checks.agreement import checked_profile
from pipelines.providers.profile.model import Profile
from pipelines.providers.profile.problems import EXTENDS, problems_of, shown_value, where

#: Says who somebody is: a name is never taken over, and another one has another key, under a variable of its own.
_OF_THE_NAME = frozenset({"name", "key_env", "base_url_env", "sandbox"})
#: Is said about one server: who gives another address speaks of another server.
_OF_THE_ADDRESS = frozenset({"prices", "retired_on", "retired_models", "notes"})


@dataclass(frozen=True, slots=True, eq=False)
class ProfileDraft:
    """One profile as its file has it."""

    file: str  # how messages name it
    path: Path | None  # None: shipped
    rank: int  # where it was found; of the drafts of one name, the lowest stands for it
    source: Located  # of a mapping

    @property
    def data(self) -> Mapping[str, Any]:
        """The content of the file."""
        found: Mapping[str, Any] = self.source.value
        return found

    @property
    def name(self) -> str:
        """The profile's name; empty where the file gives none."""
        name = self.data.get("name")
        return name if isinstance(name, str) else ""


class ProfileLayers:
    """All drafts, and the profiles that come of them. What is wrong with any draft goes to `problems`."""

    def __init__(self, drafts: Sequence[ProfileDraft]) -> None:
        self.problems: list[Problem] = []
        self._by_name: dict[str, list[ProfileDraft]] = {}
        self._made: dict[ProfileDraft, Profile | None] = {}
        for draft in sorted(drafts, key=lambda draft: draft.rank):
            namesakes = self._by_name.setdefault(draft.name, [])
            other = next((other for other in namesakes if other.rank == draft.rank and draft.name), None)
            if other is not None:
                what = f"{shown_value(draft.name)} is the name of {other.file} too."
                place = where(draft.file, ("name",), draft.source)
                self.problems.append(Problem(place, what, "Give one of them another."))
            namesakes.append(draft)

    def profiles(self) -> dict[str, tuple[Profile, ProfileDraft]]:
        """Each name with the profile that it stands for, and the draft that this comes of."""
        every = [(draft, self._made_of(draft)) for _, drafts in sorted(self._by_name.items()) for draft in drafts]
        return {
            draft.name: (profile, draft)
            for draft, profile in every
            if profile is not None and draft is self._by_name[draft.name][0]
        }

    def behind(self, draft: ProfileDraft) -> ProfileDraft | None:
        """The draft of the same name that this one stands before, if there is one."""
        namesakes = self._by_name[draft.name]
        place = namesakes.index(draft) + 1
        return namesakes[place] if place < len(namesakes) else None

    def base_of(self, draft: ProfileDraft, name: object) -> ProfileDraft | None:
        """The draft that another one builds upon under this name, if there is one. Its own name means the one that it stands before.

        A shipped one builds upon shipped ones only: a file that takes the name of one speaks for nobody else.
        """
        if name == draft.name:
            return self.behind(draft)
        named = self._by_name.get(name, []) if isinstance(name, str) and name else []
        return next((base for base in named if base.path is None or draft.path is not None), None)

    def _made_of(self, draft: ProfileDraft) -> Profile | None:
        if draft in self._made:
            return self._made[draft]
        self._made[draft] = None
        chain = self._chain(draft)
        if chain is None:
            return None
        data: dict[str, Any] = {}
        for each in chain:
            data = overlaid(data, each.data)
        sound_base = len(chain) == 1 or self._made_of(chain[-2]) is not None
        try:
            self._made[draft] = checked_profile(data)
        except ValidationError as error:
            self.problems += problems_of(error, draft.file, draft.source, only_written=not sound_base)
        return self._made[draft]

    def _chain(self, draft: ProfileDraft) -> list[ProfileDraft] | None:
        """The drafts that a draft builds upon, the lowest first, and itself; None where that leads nowhere."""
        chain = [draft]
        while (name := chain[0].data.get(EXTENDS)) is not None:
            base = self.base_of(chain[0], name)
            if base is not None and base not in chain:
                chain.insert(0, base)
                continue
            if base is draft or (base is None and len(chain) == 1):  # else it is said of the draft where it begins
                others = sorted({*self._by_name} - {draft.name, ""})
                what, fix = f"there is no profile {shown_value(name)} to build upon.", did_you_mean(str(name), others)
                if len(chain) > 1:
                    circle = [draft.name, *(each.name for each in reversed(chain[:-1])), draft.name]
                    what = f"leads back to itself: {' extends '.join(circle)}."
                    fix = "End it at a profile that extends none."
                self.problems.append(Problem(where(draft.file, (EXTENDS,), draft.source), what, fix))
            return None
        return chain


def overlaid(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """A profile written over its base: mappings are joined key by key, null forgets, everything else is replaced."""
    dropped: set[str] = set()
    if over.get("name") != base.get("name"):
        dropped |= _OF_THE_NAME
    if over.get("base_url", base.get("base_url")) != base.get("base_url"):
        dropped |= _OF_THE_ADDRESS
    joined = _joined({key: value for key, value in base.items() if key not in dropped}, over)
    joined.pop(EXTENDS, None)
    return joined


def _joined(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), Mapping):
            joined[key] = _joined(base[key], value)
        elif value is None:
            joined.pop(key, None)
        else:
            joined[key] = value
    return joined
