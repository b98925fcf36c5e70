"""What the jobs of a batch were made of, so that a later run knows whether it would make the very same ones again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from pipelines.core.errors import Problem


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a batch file: what decided its jobs, and what reading it brought beside them."""

    inputs: str  # SHA-256 of all that decides them but the pictures: the file, profiles, choices, the programme itself
    pictures: Mapping[str, str] = field(default_factory=dict)  # by path as rows name it, as orders do: with its SHA-256
    columns: tuple[str, ...] = ()  # the user's own, in order
    warnings: tuple[Problem, ...] = ()

    def makes_the_same(self, other: Self) -> bool:
        """Tell whether another reading has made the very same jobs."""
        return (self.inputs, self.pictures) == (other.inputs, other.pictures)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def of(cls, known: Mapping[str, Any]) -> Self:
        """The same from JSON."""
        said = tuple(Problem(**each) for each in known["warnings"])
        return cls(known["inputs"], known["pictures"], tuple(known["columns"]), said)
