"""Rows become jobs: each is fitted to a mode of its provider, filled in, priced and named. Finds all problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from pipelines.batch.claims import Claims
from pipelines.batch.columns import Column, normalised, variable_name
from pipelines.batch.document import MOST_ROWS, Document
from pipelines.batch.excerpt import excerpt
from pipelines.batch.filename import filename_problem, with_ending, with_take
from pipelines.batch.findings import Finding, Report, did_you_mean
from pipelines.batch.identity import derived_id, id_problem, matrix_suffix
from pipelines.batch.layers import Layers, Values
from pipelines.batch.mode import Fit, Wish, best_fit, selecting_names
from pipelines.batch.row import Row, read_row
from pipelines.batch.template import TemplateRefused, fill, is_template
from pipelines.job import Job, Order
from pipelines.money.price import Quote, quote
from pipelines.providers.profile import Profile

_ORDER_FIELDS = set(Order.model_fields)
_JOB_FIELDS = set(Job.model_fields)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One job on its way: a row in one combination of the matrix."""

    index: int
    values: Values
    suffix: str  # from the matrix


class Planner:
    """Plans one document. Use it once."""

    def __init__(
        self,
        document: Document,
        columns: Mapping[str, Column],
        profiles: Mapping[str, Profile],
        provider: str | None,
        name: str,
        report: Report,
    ) -> None:
        self._document, self._profiles, self._report, self._name = document, profiles, report, name
        self._layers = Layers(document, columns)
        self._written = {column.name: written for written, column in columns.items()}
        self._keys = {written: column.name for written, column in columns.items() if column.own}
        self._variables = {written: column.variable for written, column in columns.items()}
        asked = provider or self._layers.default_provider or document.settings.provider
        self._provider = asked if isinstance(asked, str) else None
        self._claims = Claims()
        self._fits: dict[tuple[str, Wish], Fit] = {}
        self._quotes: dict[tuple[str, str, str, int, str], Quote | None] = {}
        self._selecting = {profile.name: selecting_names(profile) for profile in profiles.values()}
        self._homeless: list[int] = []  # rows without a provider
        self._used: dict[str, Profile] = {}

    def plan(self) -> tuple[Job, ...]:
        """All jobs in the order of the file. What is wrong goes to the report."""
        document = self._document
        combinations: Iterable[int | None] = range(len(document.combinations)) if document.combinations else (None,)
        many = len(document.rows) * max(1, len(document.combinations))
        if many > MOST_ROWS:
            what = f"makes {many:,} jobs; the most is {MOST_ROWS:,}."
            self._report.problem(document.file, what, "Split it into several batches.")
            return ()
        suffixes = [matrix_suffix(one.values()) for one in document.combinations]
        jobs: list[Job] = []
        for index in range(len(document.rows)):
            if index in document.broken:
                continue
            for combination in combinations:
                values, problems = self._layers.of(index, combination)
                suffix = suffixes[combination] if combination is not None else ""
                jobs.extend(self._jobs_of(Candidate(index, values, suffix), problems))
            if len(jobs) > MOST_ROWS:
                what = f"makes more than {MOST_ROWS:,} jobs."
                self._report.problem(document.file, what, "Ask for fewer takes, or split the batch.")
                break
        self._claims.report(document, self._report)
        self._report_homeless()
        self._warn_retired()
        return tuple(jobs)

    def own_columns(self) -> tuple[str, ...]:
        """The user's own columns, in order."""
        return self._layers.own_columns()

    def _jobs_of(self, candidate: Candidate, problems: list[Finding]) -> list[Job]:
        """The takes of one candidate; none when something is wrong with it."""
        index = candidate.index
        row, wrong, warnings = read_row(candidate.values.canonical)
        problems += wrong
        profile = self._profile_of(row, index, problems)
        order = self._order(row, profile, candidate, problems, warnings) if profile else None
        base = f"{row.id}-{candidate.suffix}" if row.id and candidate.suffix else row.id
        if base is None and order is not None and not problems:
            base = self._claims.occurrence(derived_id(order.prompt, order.fingerprint(), candidate.suffix))
        jobs: list[Job] = []
        if base is not None:
            make = partial(self._job, row=row, order=order, candidate=candidate, problems=problems)
            for take in range(1, row.takes + 1):
                self._claims.take_id(base if take == 1 else f"{base}-t{take}", index)
                job = make(base, take)
                if job:
                    jobs.append(job)
        for finding in problems:
            self._report.problem(self._where(index, finding.column), finding.what, finding.fix)
        for finding in warnings:
            self._report.warn(self._where(index, finding.column), finding.what, finding.fix)
        return [] if problems else jobs

    def _where(self, index: int, column: str) -> str:
        return self._document.where(index, self._written.get(column, column))

    def _profile_of(self, row: Row, index: int, problems: list[Finding]) -> Profile | None:
        name = row.provider or self._provider
        if name is None:
            self._homeless.append(index)
            return None
        profile = self._profiles.get(name) or self._profiles.get(normalised(name))
        if profile is None:
            what = f"there is no provider {excerpt(name, 40)}."
            problems.append(Finding("provider", what, did_you_mean(name, sorted(self._profiles))))
            return None
        return self._used.setdefault(profile.name, profile)

    def _order(
        self, row: Row, profile: Profile, candidate: Candidate, problems: list[Finding], warnings: list[Finding]
    ) -> Order | None:
        fit = self._fit(row, profile, candidate.values.own)
        problems.extend(fit.problems)
        warnings.extend(fit.warnings)
        if row.remix_of:
            fix = "Leave remix_of empty."
            if not profile.remix:
                problems.append(Finding("remix_of", f"{profile.name} cannot remix yet.", fix))
        prompt = self._prompt(row, profile, fit, candidate, problems)
        if problems:
            return None
        # The values were checked one by one; checking them again would double the time for 100,000 rows.
        return Order.model_construct(
            _fields_set=_ORDER_FIELDS,
            provider=profile.name,
            mode=fit.mode,
            model=fit.model,
            prompt=prompt,
            seconds=fit.seconds,
            size=fit.size,
            orientation=fit.orientation,
            image_urls=row.image_url,
            character_url=row.character_url,
            character_start=row.character_start,
            character_end=row.character_end,
            remix_of=row.remix_of,
            extra=dict(fit.parameters),
        )

    def _fit(self, row: Row, profile: Profile, own: Mapping[str, str]) -> Fit:
        names = self._selecting[profile.name]
        given = tuple((key, own[name]) for name, key in self._keys.items() if key in names and own.get(name))
        images, character = len(row.image_url), row.character_url is not None
        wish = Wish(row.model, row.seconds, row.size, row.orientation, images, character, given)
        key = (profile.name, wish)
        if key not in self._fits:
            self._fits[key] = best_fit(profile, wish)
        return self._fits[key]

    def _prompt(self, row: Row, profile: Profile, fit: Fit, candidate: Candidate, problems: list[Finding]) -> str:
        prompt = row.prompt
        if is_template(prompt):
            variables = self._variables_of(candidate.values, row, profile, fit)
            variables.pop("prompt", None)
            try:
                prompt = fill(prompt, variables).strip()
            except TemplateRefused as refused:
                problems.append(Finding("prompt", f"{refused}.", "Add the column, or correct the name."))
                return ""
            if not prompt:
                problems.append(Finding("prompt", "is empty once its columns are filled in.", "Fill the columns."))
        if len(prompt) > profile.prompt_most:
            what = f"has {len(prompt):,} characters: {excerpt(prompt)}."
            fix = f"{profile.name} takes at most {profile.prompt_most:,}."
            problems.append(Finding("prompt", what, fix))
        return prompt

    def _variables_of(self, values: Values, row: Row, profile: Profile, fit: Fit) -> dict[str, str]:
        """What a prompt may name: the user's own columns, the canonical ones, and what the defaults decided."""
        variables = {"provider": profile.name, "model": fit.model, "seconds": str(fit.seconds), "size": fit.size}
        variables["orientation"] = fit.orientation or row.orientation or ""
        variables["campaign"] = row.campaign or self._name
        for name, value in values.canonical.items():
            if name not in variables:
                variables[name] = value if isinstance(value, str) else " ".join(value or ())
        variables.update({self._variables.get(name) or variable_name(name): text for name, text in values.own.items()})
        return variables

    def _job(
        self, base: str, take: int, *, row: Row, order: Order | None, candidate: Candidate, problems: list[Finding]
    ) -> Job | None:
        job_id = base if take == 1 else f"{base}-t{take}"
        if take == 1 and (wrong := id_problem(base)):
            problems.append(Finding("id", f"{excerpt(base)} {wrong}", "Choose a shorter id."))
        if order is None:
            return None
        filename = self._filename(job_id, take, row, order, candidate, problems)
        if problems:
            return None
        self._claims.take_file(filename, candidate.index)
        quoted = self._quote(order)
        return Job.model_construct(
            _fields_set=_JOB_FIELDS,
            id=job_id,
            row=candidate.index + 1,
            campaign=row.campaign or self._name,
            take=take,
            order=order,
            filename=filename,
            tags=row.tags,
            own=candidate.values.own,
            enabled=row.enabled and not row.skip,
            cost_estimated=quoted.amount if quoted else None,
            currency=quoted.currency if quoted else None,
        )

    def _filename(
        self, job_id: str, take: int, row: Row, order: Order, candidate: Candidate, problems: list[Finding]
    ) -> str:
        wanted = row.filename or self._document.settings.output.filename
        if not wanted:
            return f"{job_id}.mp4"
        try:
            name = self._filled_name(wanted, job_id, take, row, order, candidate)
            if take > 1 and name == self._filled_name(
                wanted, job_id.removesuffix(f"-t{take}"), 1, row, order, candidate
            ):
                name = with_take(name, take)
        except TemplateRefused as refused:
            problems.append(Finding("filename", f"{refused}.", "Add the column, or correct the name."))
            return ""
        wrong = filename_problem(name)
        if wrong:
            fix = "Use a plain relative name; {{ column | slug }} makes one of any text."
            problems.append(Finding("filename", f"{excerpt(name)} {wrong}", fix))
        return name

    def _filled_name(self, wanted: str, job_id: str, take: int, row: Row, order: Order, candidate: Candidate) -> str:
        if not is_template(wanted):
            return with_ending(wanted)
        profile = self._profiles[order.provider]
        variables = {"row": str(candidate.index + 1), "name": self._name}
        variables |= self._variables_of(candidate.values, row, profile, self._fit(row, profile, candidate.values.own))
        variables |= {"id": job_id, "take": str(take), "prompt": order.prompt}
        return with_ending(fill(wanted, variables).strip())

    def _quote(self, order: Order) -> Quote | None:
        key = (order.provider, order.mode, order.model, order.seconds or 0, order.size or "")
        if key not in self._quotes:
            self._quotes[key] = quote(order, self._profiles[order.provider])
        return self._quotes[key]

    def _report_homeless(self) -> None:
        if not self._homeless:
            return
        more = f" (and {len(self._homeless) - 1} more)" if len(self._homeless) > 1 else ""
        where = self._where(self._homeless[0], "provider")
        known = ", ".join(sorted(self._profiles))
        self._report.problem(
            f"{where}{more}", "no provider is given.", f"Give --provider, or a column provider: {known}."
        )

    def _warn_retired(self) -> None:
        for profile in self._used.values():
            if profile.retired_on:
                what = f"{profile.title} closed {profile.base_url} on {profile.retired_on}."
                variable = " or ".join(profile.base_url_env)
                self._report.warn(
                    self._document.file, what, f"Set {variable} to a server that carries its contract on."
                )
