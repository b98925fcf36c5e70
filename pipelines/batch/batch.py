"""A batch: the jobs of one file, what the file says about the run, and the file's own rows to give back later."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pipelines.batch.columns.lookalikes import warn_of_lookalikes
from pipelines.batch.columns.names import Column, parameter_key, recognise
from pipelines.batch.columns.vendor_words import contrary_keys, hinted_names, vendor_keys
from pipelines.batch.files.csv_rows import read_csv
from pipelines.batch.files.document import CsvDialect, Document, Value
from pipelines.batch.files.excel_rows import read_excel
from pipelines.batch.files.jsonl_rows import read_jsonl
from pipelines.batch.files.settings import BudgetSetting, LimitSettings
from pipelines.batch.files.source import read_source
from pipelines.batch.files.yaml_document import read_yaml
from pipelines.batch.findings import Report
from pipelines.batch.planning.drafts import Surroundings
from pipelines.batch.planning.inputs import inputs_digest, same_pictures
from pipelines.batch.planning.jobs import Planner
from pipelines.batch.planning.provider import cells_of, fallbacks_of, parameter_keys, provider_named, providers_of
from pipelines.batch.planning.retired import warn_of_retired
from pipelines.batch.rows.defaults import FORBIDDEN, PRESET
from pipelines.batch.rows.duplicate_prompts import warn_of_duplicate_prompts
from pipelines.batch.rows.template import names_in
from pipelines.core.errors import Problem
from pipelines.core.job import Job
from pipelines.core.occurrence import Occurrence
from pipelines.core.reading import Reading
from pipelines.core.remote_folder import folder_named
from pipelines.core.text.excerpt import quoted
from pipelines.core.text.suggestion import did_you_mean
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.profile.model import Profile

_READERS = {".csv": read_csv, ".tsv": read_csv, ".xlsx": read_excel, ".jsonl": read_jsonl}  # YAML otherwise


@dataclass(frozen=True, slots=True)
class OutputPlace:
    """The place where a batch wants its videos."""

    dir: Path | None = None  # resolved against the batch file
    filename: str | None = None  # a template; already applied to every job


@dataclass(frozen=True, slots=True)
class Table:
    """The user's own rows as they were: the same columns, order and values."""

    header: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]  # None: the row does not have the column; a tuple: a list in YAML or JSON
    dialect: CsvDialect  # of the file, where it is a CSV file

    def texts(self, index: int) -> tuple[str, ...]:
        """One row as text, as a CSV file can hold it."""
        return tuple(cell if isinstance(cell, str) else " ".join(cell or ()) for cell in self.rows[index])


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch file, read, validated, expanded and priced."""

    name: str
    path: Path
    source_sha256: str  # of the very bytes that were parsed
    jobs: tuple[Job, ...]  # in the order of the file; disabled ones too
    columns: tuple[str, ...]  # the user's own columns, in order
    kept: tuple[str, ...]  # those of them that mean nothing to any provider of the batch
    table: Table
    limits: LimitSettings
    budget: BudgetSetting
    output: OutputPlace
    delivery: Literal["poll", "callback"]
    profiles: Mapping[str, Profile]  # every provider that was known when it was read, by name
    warnings: tuple[Problem, ...]  # things worth knowing, none of them in the way; also how the file was read
    reading: Reading | None = None  # what made these very jobs; None: something else had a part in them


#: Finds the jobs that an earlier run has made of the same inputs: takes the batch without its jobs, and the inputs' digest.
Recall = Callable[[Batch, str], tuple[Reading, tuple[Job, ...]] | None]


def read_batch(
    path: Path,
    *,
    provider: str | None = None,
    fallback: Sequence[str] = (),
    profiles: Mapping[str, Profile] | None = None,
    elsewhere: frozenset[str] = frozenset(),
    occurrence: Occurrence | None = None,
    recall: Recall | None = None,
) -> Batch:
    """Read a batch file and plan its jobs. Touches no network; reads the local pictures that the file names.

    A row's own provider wins, then `provider`, then `defaults` and `provider` of the file. So it is with `fallback`.

    Args:
        path: a file whose name ends in one of BATCH_SUFFIXES.
        provider: the provider of rows that name none, from the command line.
        fallback: the providers that such rows turn to when theirs surely did not take them, as `name` or `name:model`.
        profiles: by name; without it the shipped ones.
        elsewhere: providers whose address the operator has set: what their vendor closes does not concern them.
        occurrence: that the batch is made for; its templates may name it.
        recall: finds the jobs that were made of the same inputs before; they are not made again then.

    Raises:
        BatchError: with all problems at once. Nothing is sent then.
    """
    known = shipped_profiles() if profiles is None else profiles
    source = read_source(path)
    report = Report()
    document = _READERS.get(source.suffix, read_yaml)(source, report)
    for note in document.notes:
        report.warn(document.file, f"{note}.")
    columns, understood = _columns(document, known, provider, fallback, report)
    sure = _is_known(provider, "--provider", known, report)
    sure &= _is_known(document.settings.provider, f'{document.file}, "provider"', known, report)
    if not sure or all(column.name != "prompt" for column in columns.values()):
        report.stop_if_wrong()  # every row would seem wrong for the same reason
    name = document.settings.name or plain_name(path.stem)
    around = Surroundings(
        name, path.parent, known, provider, tuple(fallback), {} if occurrence is None else occurrence.variables
    )
    folder = document.settings.output.dir
    batch = Batch(
        name=name,
        path=path,
        source_sha256=source.sha256,
        jobs=(),
        columns=(),
        kept=(),
        table=Table(document.header, document.rows, document.dialect),
        limits=document.settings.limits,
        budget=document.settings.budget,
        output=OutputPlace(
            path.parent / folder_named(folder).expanduser() if folder else None, document.settings.output.filename
        ),
        delivery=document.settings.delivery,
        profiles=known,
        warnings=(),
    )
    inputs = "" if recall is None else inputs_digest(source, around, elsewhere)
    found = None if recall is None or report.problems else recall(batch, inputs)
    if found is None or not same_pictures(found[0].pictures, path.parent):
        planner = Planner(document, columns, around, report)
        jobs = planner.plan()
        report.stop_if_wrong()
        warn_of_duplicate_prompts(jobs, document, report)
        warn_of_retired(jobs, known, elsewhere, document.file, report)
        found = Reading(inputs, planner.pictures.local(), planner.own_columns, report.warnings()), jobs
    reading, jobs = found
    return replace(
        batch,
        jobs=jobs,
        columns=reading.columns,
        kept=tuple(name for name in reading.columns if parameter_key(name) not in understood),
        warnings=reading.warnings,
        reading=reading if inputs else None,
    )


def plain_name(stem: str) -> str:
    """The name of a batch from the name of its file, without what could not be a folder."""
    return re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff]+', "-", stem).strip(". ")[:100] or "batch"


def _columns(
    document: Document, profiles: Mapping[str, Profile], provider: str | None, fallback: Sequence[str], report: Report
) -> tuple[dict[str, Column], frozenset[str]]:
    """The columns of all layers with their meanings, and the names that providers understand besides."""
    layers = (document.defaults, *document.presets.values(), *document.combinations)
    every = dict.fromkeys((*document.header, *(name for layer in layers for name in layer)))
    where = f"{document.file}, line 1" if document.kind == "csv" else document.file
    for name in every:
        if FORBIDDEN.search(name):
            report.problem(where, f"the column {quoted(name, 40)} has a character that is not text.", "Rename it.")
    if any("id" in layer for layer in layers):
        report.problem(where, "defaults, presets and matrix cannot give an id.", "Give ids to the jobs.")
    for place, name in enumerate(document.header):
        if not name and any(row[place] and str(row[place]).strip() for row in document.rows):
            report.problem(where, f"column {place + 1} has cells and no name.", "Name it.")
    providers = providers_of(document, profiles, provider)
    first = parameter_keys(providers) | contrary_keys(providers)
    then = parameter_keys(fallbacks_of(document, profiles, fallback)) | vendor_keys(providers)
    then |= {PRESET} if document.kind == "yaml" else set()
    alone = any(mode.prompt_optional and mode.images.most for profile in providers for mode in profile.modes)
    columns = recognise(every, where, report, first, then, pictures_alone=alone)

    def spoken() -> frozenset[str]:  # the variables that the templates of the document name
        cells = (*cells_of(document, "prompt"), *cells_of(document, "filename"))
        return frozenset().union(*map(names_in, (*cells, document.settings.output.filename or "")))

    warn_of_lookalikes(columns.values(), first | then, spoken, where, report, hinted_names(providers))
    return columns, first | then


def _is_known(name: str | None, where: str, profiles: Mapping[str, Profile], report: Report) -> bool:
    if name is None or provider_named(name, profiles) is not None:
        return True
    report.problem(where, f"there is no provider {quoted(name, 40)}.", did_you_mean(name, sorted(profiles)))
    return False
