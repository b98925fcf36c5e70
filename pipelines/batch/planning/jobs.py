"""Rows become jobs: each is fitted to a mode of its provider, filled in, priced and named. Finds all problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipelines.batch.columns.names import Column
from pipelines.batch.files.document import MOST_ROWS, Document
from pipelines.batch.findings import Report, RowFinding
from pipelines.batch.matching.mode import NO_PROMPT
from pipelines.batch.planning.draft import RowDraft
from pipelines.batch.planning.drafts import Drafts, Surroundings
from pipelines.batch.planning.fallbacks import Fallbacks, check_entries
from pipelines.batch.planning.orders import Orders
from pipelines.batch.planning.provider import cells_of
from pipelines.batch.planning.remix_graph import RemixGraph, RemixRow
from pipelines.batch.planning.remixes import remix_fit
from pipelines.batch.rows.cells import fallback_names
from pipelines.batch.rows.claims import Claims
from pipelines.batch.rows.filename import filename_problem, with_ending, with_take
from pipelines.batch.rows.ids import derived_id, id_problem
from pipelines.batch.rows.template import TemplateRefused, fill, is_template
from pipelines.core.job import Choice, Job, Order, built
from pipelines.core.text.excerpt import quoted


class Planner:
    """Plans one document. Use it once."""

    def __init__(self, document: Document, columns: Mapping[str, Column], around: Surroundings, report: Report) -> None:
        self._document, self._report, self._around = document, report, around
        self._claims = Claims()
        self._drafts = Drafts(document, columns, around, self._claims, report)
        self.own_columns, self.pictures = self._drafts.own_columns, self._drafts.pictures
        self._written = {column.name: written for written, column in columns.items()}
        self._orders = Orders(columns, around.profiles, around.name, around.occurrence)
        self._fallbacks = Fallbacks(self._orders, around.profiles, self._general_fallback())
        self._wrong: list[RowDraft] = []
        self._off: set[str] = set()  # jobs that will not be made
        self._remixed = {name.strip().casefold() for name in cells_of(document, "remix_of")}  # as far as rows say it

    def plan(self) -> tuple[Job, ...]:
        """All jobs in the order of the file. What is wrong goes to the report."""
        jobs: list[Job] = []
        remixes: list[RemixRow] = []
        many = 0
        for draft in self._drafts.read():
            many += draft.row.takes
            if many > MOST_ROWS:
                what = f"makes more than {MOST_ROWS:,} jobs."
                self._report.problem(self._document.file, what, "Ask for fewer takes, or split the batch.")
                break
            if draft.row.remix_of is not None and draft.profile is not None:
                remixes.append(RemixRow.of(draft, len(jobs)))
            else:
                jobs += self._jobs_of(draft)
        if remixes:
            jobs = self._with_remixes(jobs, remixes)
        for draft in sorted(self._wrong, key=lambda draft: draft.index):
            for finding in draft.problems:
                self._report.problem(self._place(draft, finding), finding.what, finding.fix)
        self._claims.report(self._document, self._report)
        self._drafts.report_without_provider(self._written.get("provider", "provider"))
        return tuple(jobs)

    def _general_fallback(self) -> tuple[str, ...]:
        """The fallbacks of rows that name none: of the command line, of `defaults`, or of the file as a whole."""
        document, by_default = self._document, self._drafts.default_fallback
        if self._around.fallback:
            names, where = fallback_names(self._around.fallback), "--fallback"
        elif by_default:
            names, where = fallback_names(by_default), f'{document.file}, "defaults"'
        else:
            names, where = fallback_names(document.settings.fallback), f'{document.file}, "fallback"'
        return names if check_entries(names, self._around.profiles, where, self._report) else ()

    def _with_remixes(self, jobs: list[Job], remixes: list[RemixRow]) -> list[Job]:
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
        merged += jobs[start:]
        parents = {job.parent for job in merged}
        for place, job in enumerate(merged):
            if job.fallbacks and job.id in parents:
                merged[place] = job.model_copy(update={"fallbacks": ()})
                self._warn_of_fallback(job.row - 1)
        return merged

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
        """The order of a row, or None where something is wrong with it."""
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
        if parent is not None and parent.id in self._off and row.enabled and not row.skip:
            draft.warn("remix_of", f"names {parent.id}, which is not to be made: this row is skipped with it.")
        if parent is None and row.remix_of is not None and self._orders.quote(order) is None:
            fix = "Give model, seconds and size of that clip to know it."
            draft.warn("remix_of", "is made of a clip of which nothing is known here, so its price is unknown.", fix)
        return None if draft.problems else order

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
        values = {
            "id": job_id,
            "row": draft.index + 1,
            "campaign": row.campaign or self._around.name,
            "take": take,
            "order": order,
            "filename": filename,
            "tags": row.tags,
            "own": draft.values.own,
            "enabled": enabled,
            "cost_estimated": price.amount if price else None,
            "currency": price.currency if price else None,
            "price_assumed": price is not None and price.assumed,
            "parent": parent.id if parent is not None else None,
            "fallbacks": fallbacks,
            "fallback_index": 0,
        }
        yield built(Job, values)

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
