"""A YAML batch becomes a document: settings, defaults, presets, matrix and jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pipelines.batch.files.document import Document, Scalar, Value, align
from pipelines.batch.files.jsonl_rows import as_value
from pipelines.batch.files.matrix import combinations
from pipelines.batch.files.settings import parse_settings
from pipelines.batch.files.source import BatchSource
from pipelines.batch.findings import Report
from pipelines.core.text.excerpt import quoted
from pipelines.core.text.strict_yaml import YamlMapping, YamlRefused, parse_long_yaml
from pipelines.core.text.suggestion import did_you_mean

_SETTINGS = ("name", "provider", "fallback", "limits", "budget", "output", "delivery")
_KEYS = ("version", *_SETTINGS, "defaults", "presets", "matrix", "jobs")

#: Settings that people look for at the top because they are there in other tools.
_ELSEWHERE = {
    "concurrency": "limits.in_flight",
    "output_directory": "output.dir",
    "rows": "jobs",
    "prompts": "jobs",
    "videos": "jobs",
}

#: What JSON has a literal for. `no` and 012 are not among it.
_LITERAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|True|TRUE|false|False|FALSE")


def read_yaml(source: BatchSource, report: Report) -> Document:
    """Read a YAML batch. What is wrong with its settings goes to the report.

    Raises:
        BatchError: it is not YAML as read here, or defaults, presets, matrix or jobs cannot be read.
    """
    file = source.path.name
    document = _parsed(source, file, report)
    before = len(report.problems)
    defaults = _columns(document.get("defaults"), f'{file}, "defaults"', report)
    fix = "Write a name, and below it the columns that it sets."
    presets = {
        name: _columns(columns, f'{file}, "presets", {quoted(name, 40)}', report)
        for name, columns in _mapping(document.get("presets"), f'{file}, "presets"', fix, report).items()
    }
    matrix = combinations(document.get("matrix"), f'{file}, "matrix"', report)
    # Without these every job would seem wrong, so these come first.
    cannot_go_on = len(report.problems) > before
    for key in document:
        if key not in _KEYS:
            hint = f'Use "{_ELSEWHERE[key]}".' if key in _ELSEWHERE else did_you_mean(key, _KEYS)
            report.problem(f"{file}, {quoted(key, 40)}", "is not a key of a batch.", hint)
    version = document.get("version", "1")
    if version != "1":
        report.problem(f'{file}, "version"', f"{quoted(str(version), 40)} is not known.", "Write `version: 1`.")
    settings = parse_settings({k: v for k in _SETTINGS if (v := document.get(k)) is not None}, file, report)
    records, lines, broken = _jobs(document, file, report)
    if cannot_go_on or not records:
        report.stop_if_wrong()
    header, rows = align(records, file)
    notes = source.notes if "version" in document else (*source.notes, "no version given: read as version 1")
    return Document(file, "yaml", header, rows, tuple(lines), broken, defaults, presets, matrix, settings, notes)


def _parsed(source: BatchSource, file: str, report: Report) -> YamlMapping:
    def as_written(text: str) -> str:  # an unquoted text stays text, so that `no` is not False and `012` is not 10
        return Scalar(text) if text[0] in "-0123456789tTfF" and _LITERAL.fullmatch(text) else text

    try:
        document = parse_long_yaml(source.text, as_written, "; use defaults or presets")
    except YamlRefused as refused:
        report.problem(f"{file}, line {refused.line}" if refused.line else file, f"{refused}.")
        document = None
    if not isinstance(document, YamlMapping) and not report.problems:
        report.problem(file, "is not a mapping.", "Begin with `version: 1` and a list `jobs:`.")
    report.stop_if_wrong()
    assert isinstance(document, YamlMapping)
    return document


def _columns(node: Any, where: str, report: Report) -> dict[str, Value]:
    """A mapping of columns to values, such as `defaults`."""
    items = _mapping(node, where, "Write `column: value` lines.", report).items()
    return {key.strip(): as_value(value) for key, value in items}


def _mapping(node: Any, where: str, fix: str, report: Report) -> Mapping[str, Any]:
    if isinstance(node, YamlMapping):
        return node
    if node is not None:
        report.problem(where, "is not a mapping.", fix)
    return {}


def _jobs(document: YamlMapping, file: str, report: Report) -> tuple[list[dict[str, Value]], list[int], frozenset[int]]:
    jobs = document.get("jobs")
    if not isinstance(jobs, list) or not jobs:
        report.problem(f'{file}, "jobs"', "there are no jobs.", "Write a list: `jobs:` and below it `- prompt: ...`")
        return [], [], frozenset()
    records: list[dict[str, Value]] = []
    lines: list[int] = []
    broken: set[int] = set()
    line = document.line
    for number, job in enumerate(jobs, start=1):
        if isinstance(job, YamlMapping):
            line = job.line
            records.append({key.strip(): as_value(value) for key, value in job.items()})
        elif isinstance(job, str):
            records.append({"prompt": job})
        else:
            report.problem(f"{file}, job {number}", "is not a mapping.", "Write `- prompt: ...`")
            records.append({})
            broken.add(number - 1)
        lines.append(line)
    return records, lines, frozenset(broken)
