"""Check that the rules of a further parameter agree with each other, and its default with them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipelines.providers.profile.checks.findings import Disagreement, at, in_full, not_among, unknown_models
from pipelines.providers.profile.model import Mode, Parameter

_MOST_CLIPS = 1_000  # that one order may make; a bound keeps prices in range
_FITS: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list | tuple) and all(isinstance(item, str) for item in value),
    "json": lambda value: value is not None,
}


def parameter_findings(rule: Parameter, mode: Mode) -> Iterator[Disagreement]:
    """What contradicts something else in a parameter of a mode."""
    if rule.least is not None and rule.most is not None and rule.least > rule.most:
        yield ("most",), f"{in_full(rule.most)} is less than `least`, {in_full(rule.least)}."
    if rule.default is not None:
        yield from at(("default",), _default(rule, mode))
    for index, value in enumerate(rule.allowed):
        if isinstance(value, str) is not (rule.type in ("string", "list")):
            yield ("allowed", index), f"{value!r} is no {rule.type}."
    for value, models in rule.only.items():
        if rule.allowed and value not in map(str, rule.allowed):
            yield ("only", value), not_among(value, rule.allowed)
        yield from unknown_models(("only", value), models, mode)
    yield from unknown_models(("models",), rule.models, mode)
    for key, others in (("needs", rule.needs), ("excludes", rule.excludes)):
        for other in others:
            if other not in mode.parameters:
                yield (key, other), not_among(other, sorted(mode.parameters))
    yield from _json(rule)
    if rule.multiplies_price:
        yield from at(("multiplies_price",), _number_of_clips(rule))


def _json(rule: Parameter) -> Iterator[Disagreement]:
    for key in ("shape", "keys"):
        if getattr(rule, key) and rule.type != "json":
            yield (key,), "needs `type: json`."
    if rule.keys and rule.shape not in ("object", "objects"):
        yield ("keys",), "needs `shape: object` or `shape: objects`."


def _default(rule: Parameter, mode: Mode) -> Iterator[str]:
    """A default is sent as it is: what no row could say would be ordered by every row that says nothing."""
    if not _FITS[rule.type](rule.default):
        yield f"{rule.default!r} is no {rule.type}."
        return
    values = rule.default if rule.type == "list" else [rule.default]
    if rule.allowed:
        yield from (not_among(value, rule.allowed) for value in values if value not in rule.allowed)
    yield from _range(rule)
    for value in map(str, values):
        without = [model for model in rule.models or mode.models if model not in rule.only.get(value, (model,))]
        if without:
            yield f"{value} is not taken by {' and '.join(without)}, and would be sent."


def _range(rule: Parameter) -> Iterator[str]:
    """`least` and `most` are about a number, and `most` about the length of a text too."""
    if rule.type == "string":
        if rule.most is not None and len(rule.default) > rule.most:
            yield f"has {len(rule.default)} characters; `most` is {in_full(rule.most)}."
    elif rule.type in ("integer", "number"):
        if rule.least is not None and rule.default < rule.least:
            yield f"{in_full(rule.default)} is less than `least`, {in_full(rule.least)}."
        if rule.most is not None and rule.default > rule.most:
            yield f"{in_full(rule.default)} is more than `most`, {in_full(rule.most)}."


def _number_of_clips(rule: Parameter) -> Iterator[str]:
    """A factor of the price: none, or fewer than none, would slip through every budget."""
    ends = rule.allowed or (rule.least, rule.most)
    if rule.type != "integer":
        yield "needs `type: integer`."
    elif not all(isinstance(end, int | float) and 1 <= end <= _MOST_CLIPS for end in ends):
        yield f"needs `least: 1` or more, and a `most` of at most {_MOST_CLIPS}; or numbers in `allowed` between them."
