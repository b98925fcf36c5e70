"""Find what contradicts itself in one mode of a profile. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.core.shape import shape_named
from pipelines.providers.profile.checks.answer_paths import unreadable_results
from pipelines.providers.profile.checks.findings import Disagreement, not_among, unknown_models, within
from pipelines.providers.profile.checks.images import image_findings
from pipelines.providers.profile.checks.parameters import parameter_findings
from pipelines.providers.profile.checks.paths import remix_addressing
from pipelines.providers.profile.model import Mode, Profile
from pipelines.providers.profile.order_parts import Seconds, Size
from pipelines.providers.profile.path_template import refused_part

_PIXELS = re.compile(r"[1-9]\d*x[1-9]\d*")


def mode_findings(mode: Mode, profile: Profile) -> Iterator[Disagreement]:
    """Find what contradicts something else in a mode."""
    if mode.default_model is not None and mode.default_model not in mode.models:
        yield ("default_model",), not_among(mode.default_model, mode.models)
    for number, model in enumerate(mode.models if profile.has_model_in_path(mode) else ()):
        if reason := refused_part(model.split("/")):
            yield ("models", number), f'"{model}" cannot stand in the path: {reason}.'
    if mode.seconds is not None:
        yield from within(("seconds",), seconds_findings(mode.seconds, mode))
    if mode.size is not None:
        yield from within(("size",), size_findings(mode.size, mode, open_models=profile.open_models))
    if mode.orientation is not None and mode.orientation.default not in mode.orientation.values:
        yield ("orientation", "default"), not_among(mode.orientation.default, mode.orientation.values)
    for word in mode.orientation.values if mode.orientation is not None else ():
        if shape_named(word) != word:
            fix = "Write landscape, portrait, square, adaptive, or a ratio such as 21:9."
            yield ("orientation", "values", word), f"is no shape that a row could give. {fix}"
    yield from within(("images",), image_findings(mode.images, mode, profile))
    for name, parameter in mode.parameters.items():
        yield from within(("parameters", name), parameter_findings(parameter, mode))
    if mode.remix is not None:
        yield from within(("remix",), remix_addressing(mode.remix, mode.contract or profile.contract))
    yield from unreadable_results(mode.results)


def seconds_findings(rule: Seconds, mode: Mode) -> Iterator[Disagreement]:
    """Find what contradicts something else in the lengths that a mode makes."""
    if (rule.least is None) is not (rule.most is None):
        yield (("least" if rule.least is None else "most"),), "is missing: `least` and `most` go together."
    elif rule.least is not None and rule.most is not None and rule.least > rule.most:
        yield ("most",), f"{rule.most} is less than `least`, {rule.least}."
    elif not rule.takes(rule.default):
        yield ("default",), not_among(rule.default, rule.wording())
    for length, models in rule.only.items():
        if not rule.takes(length):
            yield ("only", str(length)), not_among(length, rule.wording())
        yield from unknown_models(("only", str(length)), models, mode)
    if rule.suffix and rule.type != "string":
        yield ("suffix",), "needs `type: string`."
    elif any(character.isnumeric() or character in ".," for character in rule.suffix):
        yield ("suffix",), f'"{rule.suffix}" would make another number of it.'


def size_findings(rule: Size, mode: Mode, *, open_models: bool) -> Iterator[Disagreement]:
    """Find what contradicts something else in the sizes that a mode makes."""
    if rule.default not in rule.allowed and not (rule.any_pixels and _PIXELS.fullmatch(rule.default)):
        yield ("default",), not_among(rule.default, rule.allowed)
    if rule.within is not None and not rule.any_pixels:
        yield ("within",), "needs `any_pixels: true`: else only what is `allowed` is made."
    elif rule.within is not None and min(map(int, rule.within.split("x"))) < rule.least_side:
        yield ("within",), f"{rule.within} is smaller than `least_side`, {rule.least_side}."
    for name, table in (("only", rule.only), ("doubtful", rule.doubtful)):
        for size, models in table.items():
            if size not in rule.allowed:
                yield (name, size), not_among(size, rule.allowed)
            if not open_models:
                yield from unknown_models((name, size), models, mode)
