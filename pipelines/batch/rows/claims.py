"""The register of ids and files: no two jobs may share one, on any file system."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.batch.files.document import Document, rows_named
from pipelines.batch.findings import Report
from pipelines.batch.rows.filename import collision_key
from pipelines.core.text.excerpt import quoted


class _Register:
    """Takes names with the rows that use them. Only names used twice cost more than one entry."""

    def __init__(self) -> None:
        self.first: dict[str, int] = {}
        self.again: dict[str, list[int]] = {}

    def take(self, key: str, index: int) -> None:
        first = self.first.setdefault(key, -1)
        if first == -1:
            self.first[key] = index
        else:
            self.again.setdefault(key, [first]).append(index)


class Claims:
    """The ids and files of a batch."""

    def __init__(self) -> None:
        self._ids, self._files = _Register(), _Register()
        self._derived: dict[str, int] = {}

    def occurrence(self, derived: str) -> str:
        """A derived id, told apart from equal ones before it: rows that buy the same thing are numbered."""
        key = derived.casefold()
        number = self._derived[key] = self._derived.get(key, 0) + 1
        return derived if number == 1 else f"{derived}-{number}"

    def take_id(self, job_id: str, index: int) -> None:
        """Note that a row uses an id."""
        self._ids.take(job_id.casefold(), index)

    def has_id(self, key: str) -> bool:
        """Tell whether a row uses an id, given in small letters."""
        return key in self._ids.first

    def ids(self) -> Iterable[str]:
        """All ids, in small letters."""
        return self._ids.first

    def take_file(self, filename: str, index: int) -> None:
        """Note that a row writes a file."""
        self._files.take(collision_key(filename), index)

    def report(self, document: Document, report: Report) -> None:
        """Report every id and file that is used twice, naming all rows."""
        for key, rows in self._ids.again.items():
            what = f"the id {quoted(key)} is used {len(rows)} times: {rows_named(document, rows)}."
            report.problem(document.file, what, "Give each its own id (upper and lower case are the same).")
        for key, rows in self._files.again.items():
            if key.removesuffix(".mp4") in self._ids.again:
                continue  # said already
            what = f"{len(rows)} videos would be written to {quoted(key)}: {rows_named(document, rows)}."
            report.problem(document.file, what, "Put {{ id }} or a column that differs into the filename.")
        files = self._files.first
        for key, index in files.items():
            if "/" not in key:
                continue
            parents = [key[:place] for place, sign in enumerate(key) if sign == "/"]
            clash = next((parent for parent in parents if parent in files), None)
            if clash:
                what = f"{quoted(clash)} would be a file and a folder."
                report.problem(document.where(index, "filename"), what, "Rename one of them.")
