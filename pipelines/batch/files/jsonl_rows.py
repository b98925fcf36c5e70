"""A JSONL file becomes rows: one object, or one bare prompt, a line."""

from __future__ import annotations

import json
from typing import Any

from pipelines.batch.files.document import Document, Scalar, Value, align, check_count, json_text, refuse_constant
from pipelines.batch.files.source import BatchSource
from pipelines.batch.findings import Report
from pipelines.core.text.excerpt import quoted

_EXAMPLE = 'Write one JSON object a line: {"prompt": "..."}'


def read_jsonl(source: BatchSource, report: Report) -> Document:
    """Read a JSONL file. Lines that are not an object or a text go to the report.

    Raises:
        BatchError: it has no rows, or far too many different keys.
    """
    file = source.path.name
    records: list[dict[str, Value]] = []
    lines: list[int] = []
    broken: set[int] = set()
    for number, line in enumerate(source.text.split("\n"), start=1):  # U+2028 is text in JSON, so not splitlines()
        if not line or line.isspace():
            continue
        lines.append(number)
        check_count(len(lines), file)
        try:
            records.append(record_of(line))
        except (ValueError, RecursionError) as error:
            what = "is nested too deeply" if isinstance(error, RecursionError) else str(error)
            if isinstance(error, json.JSONDecodeError):  # it counts lines within the one that it was given
                what = f"is not JSON at character {error.pos + 1}: {error.msg[:1].lower()}{error.msg[1:]}"
            report.problem(f"{file}, line {number}", f"{what}.", _EXAMPLE)
            broken.add(len(records))
            records.append({})
    if not records:
        report.problem(file, "has no rows.", _EXAMPLE)
        report.stop_if_wrong()
    header, rows = align(records, file)
    return Document(file, "jsonl", header, rows, tuple(lines), frozenset(broken), notes=source.notes)


def record_of(line: str) -> dict[str, Value]:
    """One line of a JSONL file as cells by column; a bare text is a prompt.

    Raises:
        ValueError: it is not JSON, neither an object nor a text, or has a key twice.
        RecursionError: it is nested too deeply.
    """
    # Numbers stay as they are written: they become text, and text has no rounding.
    parsed = json.loads(
        line, object_pairs_hook=_unique, parse_int=Scalar, parse_float=Scalar, parse_constant=refuse_constant
    )
    if isinstance(parsed, str) and line.lstrip().startswith('"'):  # a number is text by now, but no prompt
        return {"prompt": parsed}
    if not isinstance(parsed, dict):
        raise ValueError("is neither an object nor a text")  # noqa: TRY004 - a ValueError is what JSON errors are too
    return {key: as_value(value) for key, value in parsed.items()}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        twin = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"has the key {quoted(twin, 40)} twice")
    return record


def as_value(parsed: Any) -> Value:
    """A parsed JSON or YAML value as a cell: scalars and lists of them as text, anything deeper as JSON text."""
    if isinstance(parsed, str):
        return str(parsed)
    if parsed is None:
        return None
    if isinstance(parsed, bool):
        return "true" if parsed else "false"
    if isinstance(parsed, list) and all(isinstance(item, str) for item in parsed):
        return tuple(parsed)
    return json_text(parsed)
