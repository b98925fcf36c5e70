"""The values of matching: the clip that a row asks for, and its fit in one mode."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipelines.batch.findings import RowFinding
from pipelines.core.text.counts import first_of
from pipelines.providers.profile.model import Mode, Profile

#: How far a row is from a mode: a model that is another mode's, a value that the mode does not have at all, or one
#: that only another model has.
OTHER_MODE, FOREIGN, OTHER_MODEL = 100, 2, 1


#: Stands in a requested for a value that decides nothing, such as a seed; each row has its own. No cell can contain it.
ANY = "\0"


@dataclass(frozen=True, slots=True)
class RequestedClip:
    """The clip that a row asks for, as far as that decides the mode. None: not given."""

    model: str | None = None
    seconds: int | None = None
    size: str | None = None
    orientation: str | None = None
    images: int = 0
    local_images: int = 0  # those of them that are sent along, and not opened by the provider
    image_fields: tuple[str, ...] = ()  # names that the provider's requests have for them, as far as the row uses these
    character: bool = False
    remix: bool = False
    silent: bool = False  # there is no prompt
    given: tuple[tuple[str, str], ...] = ()  # fixed keys and parameters that the row gives, with their texts
    spoken: frozenset[str] = frozenset()  # those of them that its templates name: they may be meant as words only


@dataclass(frozen=True, slots=True)
class Fit:
    """A row in one mode: everything filled in, and what does not fit."""

    mode: str
    model: str
    seconds: int | None  # None: the provider decides
    size: str | None
    orientation: str | None
    parameters: tuple[tuple[str, Any], ...]  # as the request takes them
    problems: tuple[RowFinding, ...]
    warnings: tuple[RowFinding, ...]
    distance: int  # 0: it fits


@dataclass(slots=True)
class Fitting:
    """One requested while it is fitted to one mode of a profile."""

    profile: Profile
    mode: Mode
    requested: RequestedClip
    model: str
    problems: list[RowFinding] = field(default_factory=list)
    warnings: list[RowFinding] = field(default_factory=list)
    distance: int = 0

    def refuse(self, column: str, what: str, fix: str, distance: int = FOREIGN) -> None:
        """Note something that the mode does not take."""
        self.problems.append(RowFinding(column, what, fix))
        self.distance += distance

    def warn(self, column: str, what: str, fix: str = "") -> None:
        """Note something that may not be meant."""
        self.warnings.append(RowFinding(column, what, fix))

    @property
    def label(self) -> str:
        """The name of the mode in messages."""
        return f"{self.profile.name} {self.mode.name}" if len(self.profile.modes) > 1 else self.profile.name

    @property
    def unlisted(self) -> bool:
        """True for a model that an open profile does not know, so that nobody here knows its limits."""
        return self.profile.open_models and self.model not in self.mode.models

    @property
    def inherited(self) -> bool:
        """True where everything but the prompt is that of the clip that is remixed."""
        return self.requested.remix and self.mode.remix is not None and self.mode.remix.only_prompt

    def modes_with_model(self) -> list[Mode]:
        """The modes that have the model; all of them where none does."""
        modes = self.profile.modes
        return [mode for mode in modes if self.model in mode.models] or list(modes)

    def others(self, able: list[Mode]) -> str:
        """A sentence that names the modes that can, and what else they want of the row, if there are any."""
        named = []
        for mode in able:
            seconds, terms = self.requested.seconds, []
            if self.model not in mode.models and not self.unlisted:
                terms.append(f"model {first_of(mode.models, 3)}")
            if seconds is not None and mode.seconds and not mode.seconds.takes(seconds):
                terms.append(f"{', '.join(mode.seconds.wording())} s")
            named.append(f"{mode.name} ({'; '.join(terms)})" if terms else mode.name)
        return f"{self.profile.name} {first_of(named, 5)} can." if named else ""

    def alternatives(self, here: tuple[str, ...], other: dict[str, tuple[str, ...]]) -> str:
        """A sentence that names what is allowed here, and in the modes beside."""
        others = [f"{name} takes {', '.join(allowed)}" for name, allowed in other.items() if name != self.mode.name]
        return f"Allowed: {', '.join(here)}" + (f" ({'; '.join(others)})." if others else ".")
