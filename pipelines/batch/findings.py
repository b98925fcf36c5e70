"""Problems and warnings of a batch, collected while it is read, so that the author sees all of them at once."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.core.errors import BatchError, Problem


@dataclass(frozen=True, slots=True)
class RowFinding:
    """One thing about one column of one row; the collector knows where the row is."""

    column: str  # canonical name; empty where the row as a whole is meant
    what: str
    fix: str = ""


class Report:
    """Collects problems in the order of the file, and warnings grouped by what they say."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._warnings: dict[tuple[str, str], list[str | int]] = {}

    def problem(self, where: str, what: str, fix: str = "") -> None:
        """Note something that must be mended before anything is sent."""
        self.problems.append(Problem(where, what, fix))

    def warn(self, where: str, what: str, fix: str = "") -> None:
        """Note something worth knowing. The same words about many rows become one warning with a count."""
        first_and_count = self._warnings.setdefault((what, fix), [where, 0])
        first_and_count[1] = int(first_and_count[1]) + 1

    def warnings(self) -> tuple[Problem, ...]:
        """The warnings, each with its first place and how many more there are."""
        made = []
        for (what, fix), (where, count) in self._warnings.items():
            more = f" (and {int(count) - 1} more)" if int(count) > 1 else ""
            made.append(Problem(f"{where}{more}", what, fix))
        return tuple(made)

    def stop_if_wrong(self) -> None:
        """End here when there are problems.

        Raises:
            BatchError: with all problems so far.
        """
        if self.problems:
            raise BatchError(self.problems)
