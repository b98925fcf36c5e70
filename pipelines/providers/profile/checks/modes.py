"""Find what contradicts itself in one mode of a profile. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.providers.profile.checks.answer_paths import unreadable_results
from pipelines.providers.profile.checks.findings import Disagreement, not_among, unknown_models, within
from pipelines.providers.profile.checks.parameters import parameter_findings
from pipelines.providers.profile.checks.paths import remix_addressing
from pipelines.providers.profile.checks.request import clashes
from pipelines.providers.profile.model import Images, Mode, Profile, Seconds, Size

_PIXELS = re.compile(r"[1-9]\d*x[1-9]\d*")
_ONE_IMAGE = ("url", "object", "object_text")  # styles that hold a single image
_VEO_IMAGES = 2  # the first and the last frame


def mode_findings(mode: Mode, profile: Profile) -> Iterator[Disagreement]:
    """What contradicts something else in a mode."""
    if mode.default_model is not None and mode.default_model not in mode.models:
        yield ("default_model",), not_among(mode.default_model, mode.models)
    if mode.seconds is not None:
        yield from within(("seconds",), _seconds(mode.seconds, mode))
    if mode.size is not None:
        yield from within(("size",), _size(mode.size, mode, open_models=profile.open_models))
    if mode.orientation is not None and mode.orientation.default not in mode.orientation.values:
        yield ("orientation", "default"), not_among(mode.orientation.default, mode.orientation.values)
    yield from within(("images",), _images(mode.images, mode, profile))
    yield from clashes(mode, profile)
    for name, parameter in mode.parameters.items():
        yield from within(("parameters", name), parameter_findings(parameter, mode))
    if mode.remix is not None:
        yield from within(("remix",), remix_addressing(mode.remix, mode.contract or profile.contract))
    yield from unreadable_results(mode.results)


def _seconds(rule: Seconds, mode: Mode) -> Iterator[Disagreement]:
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


def _size(rule: Size, mode: Mode, *, open_models: bool) -> Iterator[Disagreement]:
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


def _images(rule: Images, mode: Mode, profile: Profile) -> Iterator[Disagreement]:
    if rule.least > rule.most:
        yield ("most",), f"{rule.most} is less than `least`, {rule.least}."
    if not rule.forms:
        yield ("forms",), "is empty. Give at least one: url, data_url, base64 or file."
    if rule.most and mode.prompt_style == "text":
        yield from _style(rule)
    for form in rule.doubtful:
        if form not in rule.forms:
            yield ("doubtful",), not_among(form, rule.forms)
    if "file" in rule.forms and profile.encoding == "json":
        yield ("forms",), "has `file`, which needs `encoding: auto` or `encoding: multipart`."
    if rule.must_match_size and mode.size is None:
        yield ("must_match_size",), "needs a `size` to match."
    if rule.most and (mode.contract or profile.contract) == "veo":
        if rule.forms != ("base64",):
            yield ("forms",), "the contract veo sends images as they are. Write [base64]."
        if rule.most > _VEO_IMAGES:
            yield ("most",), "the contract veo takes a first and a last frame, and no more images."


def _style(rule: Images) -> Iterator[Disagreement]:
    if rule.style == "each" and len(rule.fields) < rule.most:
        yield (
            ("fields",),
            f"names {len(rule.fields)}, but up to {rule.most} images are taken: the others would be lost.",
        )
    if rule.most > 1 and rule.style in _ONE_IMAGE:
        yield ("style",), f"{rule.style} holds one image, but up to {rule.most} are taken. Write list, each or frames."
    if rule.most > 1 and "file" in rule.forms:
        yield ("forms",), f"has `file`, which sends one image, but up to {rule.most} are taken."
