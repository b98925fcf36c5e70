"""The rows of a document, read one by one: each becomes a draft, with its provider's words understood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.batch.columns.names import Column
from pipelines.batch.columns.vendor_words import list_keys
from pipelines.batch.files.document import MOST_ROWS, Document
from pipelines.batch.findings import Report
from pipelines.batch.matching.image_files import Pictures
from pipelines.batch.planning.draft import RowDraft
from pipelines.batch.planning.provider import provider_named, providers_of, structured_keys
from pipelines.batch.planning.translation import Translator
from pipelines.batch.rows.claims import Claims
from pipelines.batch.rows.defaults import ValueLayers
from pipelines.batch.rows.ids import matrix_suffix
from pipelines.batch.rows.row import read_row
from pipelines.core.text.excerpt import quoted
from pipelines.core.text.suggestion import did_you_mean
from pipelines.providers.profile.model import Profile


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The surroundings that a batch file is planned in."""

    name: str  # of the batch
    folder: Path  # where the paths of its pictures begin
    profiles: Mapping[str, Profile]  # by name
    provider: str | None  # of rows that name none, from the command line
    fallback: tuple[str, ...]  # the same for fallbacks; empty: as the file says
    occurrence: Mapping[str, str] = field(default_factory=dict)  # what templates may name of it


class Drafts:
    """Reads the rows of one document. Use it once."""

    def __init__(
        self, document: Document, columns: Mapping[str, Column], around: Surroundings, claims: Claims, report: Report
    ) -> None:
        """Prepare the layers below the rows.

        Args:
            document: as it was written.
            columns: what each of its columns means.
            around: what it is planned in.
            claims: takes the ids that rows give themselves.
            report: takes what is wrong with the document as a whole.
        """
        self._document, self._around, self._claims, self._report = document, around, claims, report
        lists = list_keys(providers_of(document, around.profiles, around.provider))
        self._layers = ValueLayers(document, columns, structured_keys(around.profiles.values()) | lists)
        asked = around.provider or self._layers.default_provider or document.settings.provider
        self._provider = asked if isinstance(asked, str) else None
        self._translator = Translator(columns)
        self.pictures = Pictures(around.folder)
        self._without_provider: list[int] = []
        self.default_fallback = self._layers.default_fallback
        self.own_columns = self._layers.own_columns()  # the user's own, in order

    def read(self) -> Iterator[RowDraft]:
        """Every row in every combination of the matrix, read and not yet judged."""
        document = self._document
        suffixes = [matrix_suffix(one.values()) for one in document.combinations]
        places = list(enumerate(suffixes)) if suffixes else [(None, "")]
        if len(document.rows) * len(places) > MOST_ROWS:
            what = f"makes {len(document.rows) * len(places):,} jobs; the most is {MOST_ROWS:,}."
            self._report.problem(document.file, what, "Split it into several batches.")
            return
        for index in range(len(document.rows)):
            if index not in document.broken:
                for combination, suffix in places:
                    yield self._draft(index, combination, suffix)

    def _draft(self, index: int, combination: int | None, suffix: str) -> RowDraft:
        values, problems = self._layers.of(index, combination)
        row, wrong, warnings = read_row(values.canonical)
        draft = RowDraft(index, values, suffix, row, (), None, [*problems, *wrong], warnings)
        name, profiles = row.provider or self._provider, self._around.profiles
        if name is None:
            self._without_provider.append(draft.index)
        elif (profile := provider_named(name, profiles)) is None:
            hint = did_you_mean(name, sorted(profiles))
            draft.refuse("provider", f"there is no provider {quoted(name, 40)}.", hint)
        else:
            draft.profile = profile
            self._translator.translate(draft, profile)
        draft.pictures, unusable = self.pictures.of(draft.row.image_url)
        draft.problems += unusable
        if draft.base is not None:
            for job_id in draft.ids(draft.base):
                self._claims.take_id(job_id, index)
        return draft

    def report_without_provider(self, column: str) -> None:
        """Report the rows without a provider, once; the column is as the file writes it."""
        if not self._without_provider:
            return
        more = f" (and {len(self._without_provider) - 1} more)" if len(self._without_provider) > 1 else ""
        where = self._document.where(self._without_provider[0], column)
        known = ", ".join(sorted(self._around.profiles))
        self._report.problem(
            f"{where}{more}", "no provider is given.", f"Give --provider, or a column provider: {known}."
        )
