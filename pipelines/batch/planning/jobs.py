"""Rows become jobs: each is fitted to a mode of its provider, filled in, priced and named. Finds all problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.batch.columns.names import Column
from pipelines.batch.columns.vendor_words import list_keys
from pipelines.batch.files.document import MOST_ROWS, Document
from pipelines.batch.findings import Report, RowFinding
from pipelines.batch.matching.image_files import Pictures
from pipelines.batch.matching.mode import NO_PROMPT
from pipelines.batch.planning.draft import RowDraft
from pipelines.batch.planning.fallbacks import Fallbacks, check_entries
from pipelines.batch.planning.orders import Orders
from pipelines.batch.planning.provider import cells_of, provider_named, providers_of, structured_keys
from pipelines.batch.planning.remix_graph import Remix, RemixGraph
from pipelines.batch.planning.remixes import remix_fit
from pipelines.batch.planning.translation import Translator
from pipelines.batch.rows.claims import Claims
from pipelines.batch.rows.defaults import ValueLayers
from pipelines.batch.rows.filename import filename_problem, with_ending, with_take
from pipelines.batch.rows.ids import derived_id, id_problem, matrix_suffix
from pipelines.batch.rows.row import BatchRow, fallback_names, read_row
from pipelines.batch.rows.template import TemplateRefused, fill, is_template
from pipelines.core.job import Choice, Job, Order
from pipelines.core.text.excerpt import quoted
from pipelines.core.text.suggestion import did_you_mean
from pipelines.providers.profile.model import Profile

_JOB_FIELDS = set(Job.model_fields)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a batch file is planned in."""

    name: str  # of the batch
    folder: Path  # where the paths of its pictures begin
    profiles: Mapping[str, Profile]  # by name
    provider: str | None  # of rows that name none, from the command line
    fallback: tuple[str, ...]  # the same for fallbacks; empty: as the file says


class Planner:
    """Plans one document. Use it once."""

    def __init__(self, document: Document, columns: Mapping[str, Column], around: Surroundings, report: Report) -> None:
        self._document, self._report, self._around = document, report, around
        lists = list_keys(providers_of(document, around.profiles, around.provider))
        self._layers = ValueLayers(document, columns, structured_keys(around.profiles.values()) | lists)
        self._written = {column.name: written for written, column in columns.items()}
        asked = around.provider or self._layers.default_provider or document.settings.provider
        self._provider = asked if isinstance(asked, str) else None
        self._orders = Orders(columns, around.profiles, around.name)
        self._fallbacks = Fallbacks(self._orders, around.profiles, self._general_fallback())
        self._translator = Translator(columns)
        self._pictures = Pictures(around.folder)
        self._claims = Claims()
        self._wrong: list[RowDraft] = []
        self._without_provider: list[int] = []  # rows without a provider
        self._off: set[str] = set()  # jobs that will not be made
        self._remixed = {name.strip().casefold() for name in cells_of(document, "remix_of")}  # as far as rows say it

    def plan(self) -> tuple[Job, ...]:
        """All jobs in the order of the file. What is wrong goes to the report."""
        jobs: list[Job] = []
        remixes: list[Remix] = []
        many = 0
        for draft in self._drafts():
            many += draft.row.takes
            if many > MOST_ROWS:
                what = f"makes more than {MOST_ROWS:,} jobs."
                self._report.problem(self._document.file, what, "Ask for fewer takes, or split the batch.")
                break
            if draft.row.remix_of is not None and draft.profile is not None:
                remixes.append(Remix.of(draft, len(jobs)))
            else:
                jobs += self._jobs_of(draft)
        if remixes:
            jobs = self._with_remixes(jobs, remixes)
        for draft in sorted(self._wrong, key=lambda draft: draft.index):
            for finding in draft.problems:
                self._report.problem(self._place(draft, finding), finding.what, finding.fix)
        self._claims.report(self._document, self._report)
        self._report_without_provider()
        return tuple(jobs)

    def own_columns(self) -> tuple[str, ...]:
        """The user's own columns, in order."""
        return self._layers.own_columns()

    def _general_fallback(self) -> tuple[str, ...]:
        """The fallbacks of rows that name none: of the command line, of `defaults`, or of the file as a whole."""
        document, by_default = self._document, self._layers.default_fallback
        if self._around.fallback:
            names, where = fallback_names(self._around.fallback), "--fallback"
        elif by_default:
            names, where = fallback_names(by_default), f'{document.file}, "defaults"'
        else:
            names, where = fallback_names(document.settings.fallback), f'{document.file}, "fallback"'
        return names if check_entries(names, self._around.profiles, where, self._report) else ()

    def _drafts(self) -> Iterator[RowDraft]:
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
        draft.profile = self._profile_of(row, draft)
        if draft.profile is not None:
            self._translator.translate(draft, draft.profile)
        draft.pictures, unusable = self._pictures.of(draft.row.image_url)
        draft.problems += unusable
        if draft.base is not None:
            for job_id in draft.ids(draft.base):
                self._claims.take_id(job_id, index)
        return draft

    def _profile_of(self, row: BatchRow, draft: RowDraft) -> Profile | None:
        name = row.provider or self._provider
        if name is None:
            self._without_provider.append(draft.index)
            return None
        profile = provider_named(name, self._around.profiles)
        if profile is None:
            hint = did_you_mean(name, sorted(self._around.profiles))
            draft.refuse("provider", f"there is no provider {quoted(name, 40)}.", hint)
        return profile

    def _with_remixes(self, jobs: list[Job], remixes: list[Remix]) -> list[Job]:
        """The jobs of all rows in the order of the file: remixes are planned when what they are made of is."""
        self._off.update(job.id for job in jobs if not job.enabled)
        for remix, parent in RemixGraph(remixes, jobs, self._claims).in_order():
            remix.jobs = self._jobs_of(remix.draft, parent)
        merged: list[Job] = []
        start = 0
        for remix in remixes:
            merged += jobs[start : remix.place]
            merged += remix.jobs
            start = remix.place
        return self._without_fallbacks_of_parents([*merged, *jobs[start:]])

    def _without_fallbacks_of_parents(self, jobs: list[Job]) -> list[Job]:
        parents = {job.parent for job in jobs}
        for place, job in enumerate(jobs):
            if job.fallbacks and job.id in parents:
                jobs[place] = job.model_copy(update={"fallbacks": ()})
                self._warn_of_fallback(job.row - 1)
        return jobs

    def _warn_of_fallback(self, index: int) -> None:
        what = "is not heeded for clips that are remixed, and for remixes: they are made where the other one is."
        self._report.warn(self._where(index, "fallback"), what)

    def _jobs_of(self, draft: RowDraft, parent: Job | None = None) -> list[Job]:
        """The takes of one row; none when something is wrong with it."""
        order = self._order(draft, parent)
        fallbacks = self._choices(draft, order)
        base = draft.base
        if base is None and order is not None and not draft.problems:
            base = self._claims.occurrence(derived_id(order.prompt, order.fingerprint(), draft.suffix))
            for job_id in draft.ids(base):
                self._claims.take_id(job_id, draft.index)
        jobs: list[Job] = []
        if base is not None and (wrong := id_problem(base)):
            draft.refuse("id", f"{quoted(base)} {wrong}", "Choose a shorter id.")
        if base is not None and order is not None:
            for take, job_id in enumerate(draft.ids(base), start=1):
                jobs += self._job(job_id, take, draft, order, fallbacks, parent)
        for finding in draft.warnings:
            self._report.warn(self._place(draft, finding), finding.what, finding.fix)
        if draft.problems:
            self._wrong.append(draft)
            return []
        return jobs

    def _order(self, draft: RowDraft, parent: Job | None) -> Order | None:
        """What the row buys, or None where something is wrong with it."""
        profile, row = draft.profile, draft.row
        if profile is None:
            if not row.prompt and not any(problem.column == "prompt" for problem in draft.problems):
                draft.refuse("prompt", "is empty.", NO_PROMPT)
            return None
        if row.remix_of is None:
            fit = self._orders.fit(profile, self._orders.requested(draft, profile))
        else:
            fit = remix_fit(draft, profile, parent, self._orders)
        draft.problems += fit.problems
        draft.warnings += fit.warnings
        for column in self._orders.idle(draft, profile):
            draft.warn(
                column, f"has no effect: {profile.name} does not take it.", "It is kept as a column of your own."
            )
        order = self._orders.order(draft, profile, fit, parent.id if parent is not None else row.remix_of)
        if row.remix_of is not None:
            self._warn_of_remix(draft, order, parent)
        return None if draft.problems else order

    def _warn_of_remix(self, draft: RowDraft, order: Order, parent: Job | None) -> None:
        if parent is None and self._orders.quote(order) is None:
            fix = "Give model, seconds and size of that clip to know it."
            draft.warn("remix_of", "is made of a clip of which nothing is known here, so its price is unknown.", fix)
        if parent is not None and parent.id in self._off and draft.row.enabled and not draft.row.skip:
            draft.warn("remix_of", f"names {parent.id}, which is not to be made: this row is skipped with it.")

    def _choices(self, draft: RowDraft, order: Order | None) -> tuple[Choice, ...]:
        if order is None or not self._fallbacks.names_of(draft):
            return ()
        own = {draft.row.id, *draft.ids(draft.base)} if self._remixed and draft.row.id and draft.base else set()
        if order.remix_of is not None or any(name in self._remixed for name in map(str.casefold, own)):
            self._warn_of_fallback(draft.index)
            return ()
        return self._fallbacks.choices(draft, order, self._orders.quote(order))

    def _job(
        self, job_id: str, take: int, draft: RowDraft, order: Order, fallbacks: tuple[Choice, ...], parent: Job | None
    ) -> Iterator[Job]:
        filename = self._filename(job_id, take, draft, order)
        if draft.problems:
            return
        self._claims.take_file(filename, draft.index)
        row, price = draft.row, self._orders.quote(order)
        enabled = row.enabled and not row.skip
        if parent is not None and (not enabled or parent.id in self._off):
            self._off.add(job_id)
        yield Job.model_construct(
            _fields_set=_JOB_FIELDS,
            id=job_id,
            row=draft.index + 1,
            campaign=row.campaign or self._around.name,
            take=take,
            order=order,
            filename=filename,
            tags=row.tags,
            own=draft.values.own,
            enabled=enabled,
            cost_estimated=price.amount if price else None,
            currency=price.currency if price else None,
            parent=parent.id if parent is not None else None,
            fallbacks=fallbacks,
            fallback_index=0,
        )

    def _filename(self, job_id: str, take: int, draft: RowDraft, order: Order) -> str:
        wanted = draft.row.filename or self._document.settings.output.filename
        if not wanted:
            return f"{job_id}.mp4"
        try:
            name = self._filled_name(wanted, job_id, take, draft, order)
            if take > 1 and name == self._filled_name(wanted, job_id.removesuffix(f"-t{take}"), 1, draft, order):
                name = with_take(name, take)
        except TemplateRefused as refused:
            draft.refuse("filename", f"{refused}.", refused.fix)
            return ""
        wrong = filename_problem(name)
        if wrong:
            fix = "Use a plain relative name; {{ column | slug }} makes one of any text."
            draft.refuse("filename", f"{quoted(name)} {wrong}", fix)
        return name

    def _filled_name(self, wanted: str, job_id: str, take: int, draft: RowDraft, order: Order) -> str:
        if not is_template(wanted):
            return with_ending(wanted)
        variables = {"row": str(draft.index + 1), "name": self._around.name}
        variables |= self._orders.variables(draft, order, order.provider)
        variables |= {"id": job_id, "take": str(take), "prompt": order.prompt}
        return with_ending(fill(wanted, variables).strip())

    def _place(self, draft: RowDraft, finding: RowFinding) -> str:
        return self._where(draft.index, draft.called.get(finding.column, finding.column))

    def _where(self, index: int, column: str) -> str:
        return self._document.where(index, self._written.get(column, column))

    def _report_without_provider(self) -> None:
        if not self._without_provider:
            return
        more = f" (and {len(self._without_provider) - 1} more)" if len(self._without_provider) > 1 else ""
        where = self._where(self._without_provider[0], "provider")
        known = ", ".join(sorted(self._around.profiles))
        self._report.problem(
            f"{where}{more}", "no provider is given.", f"Give --provider, or a column provider: {known}."
        )
