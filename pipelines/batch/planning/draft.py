"""A row on its way to jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pipelines.batch.findings import RowFinding
from pipelines.batch.matching.image_files import Picture
from pipelines.batch.rows.defaults import Values
from pipelines.batch.rows.row import BatchRow
from pipelines.providers.profile.model import Profile


@dataclass(slots=True)
class RowDraft:
    """One row in one combination of the matrix, as it was read, and what was found in it so far."""

    index: int
    values: Values
    suffix: str  # of its ids, from the matrix
    row: BatchRow
    pictures: tuple[Picture, ...]
    profile: Profile | None  # None: no provider, or none that is known
    problems: list[RowFinding]
    warnings: list[RowFinding]
    called: dict[str, str] = field(default_factory=dict)  # columns of ours, and those that were read as them
    image_fields: tuple[
        str, ...
    ] = ()  # names that the provider's requests have for its images, as far as it uses these

    @property
    def base(self) -> str | None:
        """The id that the row gives itself, that of its first take."""
        return f"{self.row.id}-{self.suffix}" if self.row.id and self.suffix else self.row.id

    def ids(self, base: str) -> Iterator[str]:
        """The ids of its takes."""
        yield base
        for take in range(2, self.row.takes + 1):
            yield f"{base}-t{take}"

    def refuse(self, column: str, what: str, fix: str = "") -> None:
        """Note something that must be mended."""
        self.problems.append(RowFinding(column, what, fix))

    def warn(self, column: str, what: str, fix: str = "") -> None:
        """Note something worth knowing."""
        self.warnings.append(RowFinding(column, what, fix))
