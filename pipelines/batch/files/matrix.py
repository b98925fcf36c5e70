"""A matrix multiplies jobs: every combination of its lists, less `exclude`, and with `include`, as CI systems do it."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.batch.findings import Report
from pipelines.core.text.counts import first_of
from pipelines.core.text.excerpt import quoted

#: A matrix may make this many jobs of a batch.
MOST_COMBINATIONS = 100_000

#: `include` and `exclude` are compared with every combination, so there may not be many.
_MOST_ENTRIES = 200

_Combination = dict[str, str]


def combinations(node: Any, where: str, report: Report) -> tuple[Mapping[str, str], ...]:
    """All combinations of a matrix, in the order of its lists; none where there is no matrix.

    An entry of `include` that agrees with existing combinations adds its further variables to them; any other becomes
    a combination of its own. An entry of `exclude` removes every combination that it agrees with.
    """
    if node is None:
        return ()
    if not isinstance(node, Mapping):
        report.problem(where, "is not a mapping.", "Write `variable: [value, value]` lines.")
        return ()
    before = len(report.problems)
    lists = {
        str(name).strip(): _values(values, f"{where}, {quoted(str(name), 40)}", report)
        for name, values in node.items()
        if name not in {"include", "exclude"}
    }
    include = _entries(node.get("include"), f'{where}, "include"', report)
    exclude = _entries(node.get("exclude"), f'{where}, "exclude"', report)
    for name, value in (item for entry in exclude for item in entry.items()):
        if value not in lists.get(name, ()):
            what = f"{quoted(name, 40)} = {quoted(value, 40)} is not in the matrix, so it excludes nothing."
            report.problem(f'{where}, "exclude"', what, f"Variables: {first_of(list(lists), 20) or 'none'}.")
    size = math.prod(map(len, lists.values()))
    if size > MOST_COMBINATIONS:
        what = f"makes {size:,} combinations; the most is {MOST_COMBINATIONS:,}."
        report.problem(where, what, "Shorten its lists or split the batch.")
    if len(report.problems) > before:
        return ()
    result = multiplied(lists, include, exclude)
    if not result:
        report.problem(where, "leaves no combination.", "Remove it, or exclude less.")
    return tuple(result)


def multiplied(
    lists: Mapping[str, Sequence[str]], include: Sequence[_Combination], exclude: Sequence[_Combination]
) -> list[_Combination]:
    """Every combination of the lists, without those that are excluded, and with what is included."""
    every = itertools.product(*lists.values()) if lists else ()
    made = [dict(zip(lists, values, strict=True)) for values in every]
    kept = [one for one in made if not any(_agrees(entry, one) for entry in exclude)]
    result = [dict(one) for one in kept]
    for entry in include:
        shared = {name: value for name, value in entry.items() if name in lists}
        fitting = [new for new, one in zip(result, kept, strict=False) if _agrees(shared, one)]
        for combination in fitting:
            combination.update(entry)
        if not fitting:
            result.append(dict(entry))
    return result


def _agrees(entry: _Combination, combination: _Combination) -> bool:
    return all(combination.get(name) == value for name, value in entry.items())


def _values(node: Any, where: str, report: Report) -> list[str]:
    values = node if isinstance(node, list) else [node]
    if not values or not all(isinstance(value, str) for value in values):
        report.problem(where, "is not a list of values.", "Write `[value, value]`.")
        return []
    twins = [value for value, count in Counter(value.strip() for value in values).items() if count > 1]
    if twins:
        report.problem(
            where, f"names {first_of([quoted(twin, 40) for twin in twins], 20)} twice.", "Name each value once."
        )
    return [value.strip() for value in values]


def _entries(node: Any, where: str, report: Report) -> list[_Combination]:
    if node is None:
        return []
    entries = node if isinstance(node, list) else [node]
    good = [
        entry
        for entry in entries
        if isinstance(entry, Mapping) and entry and all(isinstance(value, str) for value in entry.values())
    ]
    if len(entries) > _MOST_ENTRIES:
        report.problem(where, f"has more than {_MOST_ENTRIES} entries.", "List the combinations as jobs instead.")
    elif len(good) < len(entries):
        report.problem(where, "is not a list of `variable: value` mappings.", "Write `- {variable: value}` lines.")
    return [{str(name).strip(): value.strip() for name, value in entry.items()} for entry in good]
