"""Check that the rules of a further parameter agree with each other, and its default with them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.providers.profile.checks.defaults import default_findings
from pipelines.providers.profile.checks.findings import Disagreement, at, in_full, not_among, unknown_models
from pipelines.providers.profile.model import Mode
from pipelines.providers.profile.order_parts import Parameter

_MOST_CLIPS = 1_000  # that one order may make; a bound keeps prices in range


def parameter_findings(rule: Parameter, mode: Mode) -> Iterator[Disagreement]:
    """Find what contradicts something else in a parameter of a mode."""
    if rule.least is not None and rule.most is not None and rule.least > rule.most:
        yield ("most",), f"{in_full(rule.most)} is less than `least`, {in_full(rule.least)}."
    if rule.default is not None:
        yield from at(("default",), default_findings(rule, mode))
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
    yield from shape_findings(rule)
    if rule.multiplies_price:
        yield from at(("multiplies_price",), factor_findings(rule))


def shape_findings(rule: Parameter) -> Iterator[Disagreement]:
    """Find a shape, or keys, of what is no JSON or has none."""
    for key in ("shape", "keys"):
        if getattr(rule, key) and rule.type != "json":
            yield (key,), "needs `type: json`."
    if rule.keys and rule.shape not in ("object", "objects"):
        yield ("keys",), "needs `shape: object` or `shape: objects`."


def factor_findings(rule: Parameter) -> Iterator[str]:
    """Find a factor of the price that is no number of clips: none, or fewer than none, would slip through every budget."""
    ends = rule.allowed or (rule.least, rule.most)
    if rule.type != "integer":
        yield "needs `type: integer`."
    elif not all(isinstance(end, int | float) and 1 <= end <= _MOST_CLIPS for end in ends):
        yield f"needs `least: 1` or more, and a `most` of at most {_MOST_CLIPS}; or numbers in `allowed` between them."
