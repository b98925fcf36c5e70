"""Hold the default of a further parameter against the parameter's own rules. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipelines.providers.profile.checks.findings import in_full, not_among
from pipelines.providers.profile.model import Mode
from pipelines.providers.profile.order_parts import Parameter

_FITS: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list | tuple) and all(isinstance(item, str) for item in value),
    "json": lambda value: value is not None,
}


def default_findings(rule: Parameter, mode: Mode) -> Iterator[str]:
    """Find a default that no row could say: it would be ordered by every row that says nothing."""
    if not _FITS[rule.type](rule.default):
        yield f"{rule.default!r} is no {rule.type}."
        return
    values = rule.default if rule.type == "list" else [rule.default]
    if rule.allowed:
        yield from (not_among(value, rule.allowed) for value in values if value not in rule.allowed)
    if rule.type == "string" and rule.most is not None and len(rule.default) > rule.most:
        yield f"has {len(rule.default)} characters; `most` is {in_full(rule.most)}."
    if rule.type in ("integer", "number"):
        if rule.least is not None and rule.default < rule.least:
            yield f"{in_full(rule.default)} is less than `least`, {in_full(rule.least)}."
        if rule.most is not None and rule.default > rule.most:
            yield f"{in_full(rule.default)} is more than `most`, {in_full(rule.most)}."
    for value in map(str, values):
        without = [model for model in rule.models or mode.models if model not in rule.only.get(value, (model,))]
        if without:
            yield f"{value} is not taken by {' and '.join(without)}, and would be sent."
