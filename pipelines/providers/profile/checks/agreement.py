"""Whether the parts of a profile agree with each other: what would otherwise be silently wrong at the first order. Pure.

pydantic checks each value by itself; here stands what holds between values. Every finding names its place in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

from pipelines.providers.profile.checks.findings import Finding, Place, not_among, unknown_models, within
from pipelines.providers.profile.checks.parameters import parameter_findings
from pipelines.providers.profile.checks.paths import addressing, remix_addressing
from pipelines.providers.profile.checks.request import clashes, clashes_of_all

if TYPE_CHECKING:
    from pipelines.providers.profile.model import Images, Mode, Price, Profile, Seconds, Size

_PATH = re.compile(r"[\w-]+(\[\])?(\.[\w-]+(\[\])?)*")
_PIXELS = re.compile(r"[1-9]\d*x[1-9]\d*")
_ONE_IMAGE = ("url", "object", "object_text")  # styles that hold a single image
_VEO_IMAGES = 2  # the first and the last frame


def check_agreement(profile: Profile) -> None:
    """Refuse a profile whose parts contradict each other.

    Raises:
        ValidationError: with everything that is wrong, each at its place.
    """
    errors = [
        InitErrorDetails(type="value_error", loc=place, input=None, ctx={"error": ValueError(words)})
        for place, words in disagreements(profile)
    ]
    if errors:
        raise ValidationError.from_exception_data(type(profile).__name__, errors)


def disagreements(profile: Profile) -> list[Finding]:
    """What contradicts something else in a profile, and where."""
    found = [*addressing(profile), *_asking(profile), *_reading(profile), *_models(profile), *clashes_of_all(profile)]
    found += _not_offered(profile)
    names: set[str] = set()
    for index, mode in enumerate(profile.modes):
        place: Place = ("modes", index)
        if mode.name in names:
            found.append(((*place, "name"), f'"{mode.name}" is the name of another mode too.'))
        names.add(mode.name)
        found += within(place, _mode(mode, profile))
    for index, price in enumerate(profile.prices):
        found += within(("prices", index), _price(price, profile))
    return found


def _asking(profile: Profile) -> Iterator[Finding]:
    spoken = {profile.contract, *(mode.contract for mode in profile.modes if mode.contract is not None)}
    if profile.limits.batch_query > 1 and spoken != {"acedata"}:
        yield ("limits", "batch_query"), "is for the contract acedata only: no other one asks about many jobs at once."


def _reading(profile: Profile) -> Iterator[Finding]:
    for name, words in (("words", profile.words), ("refusals", profile.refusals), ("errors", profile.errors)):
        for word in words:
            if not word.strip():
                yield (name, word), "is empty, so it would fit everything or nothing."
            elif name != "errors" and word != word.strip().lower():
                yield (name, word), "would never be found: words are compared in small letters."
    for name in ("id_path", "status_path"):
        path = getattr(profile, name)
        if path is not None and not _PATH.fullmatch(path):
            yield (name,), _no_path(path)
    yield from _results(profile.results)


def _results(paths: Iterable[str]) -> Iterator[Finding]:
    for index, path in enumerate(paths):
        if not _PATH.fullmatch(path):
            yield ("results", index), _no_path(path)


def _no_path(path: str) -> str:
    return f'"{path}" is no path. Write for example task_result.videos[].url.'


def _models(profile: Profile) -> Iterator[Finding]:
    known = {model for mode in profile.modes for model in mode.models}
    if profile.default_model not in known:
        yield ("default_model",), not_among(profile.default_model, sorted(known))
    for model in profile.retired_models:
        if model not in known:
            yield ("retired_models", model), not_among(model, sorted(known))


def _not_offered(profile: Profile) -> Iterator[Finding]:
    for mode in profile.modes:
        for name in (*mode.fixed, *mode.parameters):
            if name in profile.not_offered:
                yield ("not_offered", name), f"is in `fixed` or `parameters` of the mode {mode.name}: it has an effect."


def _mode(mode: Mode, profile: Profile) -> Iterator[Finding]:
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
    yield from _results(mode.results)


def _seconds(rule: Seconds, mode: Mode) -> Iterator[Finding]:
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


def _size(rule: Size, mode: Mode, *, open_models: bool) -> Iterator[Finding]:
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


def _images(rule: Images, mode: Mode, profile: Profile) -> Iterator[Finding]:
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
        yield from _veo_images(rule)


def _veo_images(rule: Images) -> Iterator[Finding]:
    if rule.forms != ("base64",):
        yield ("forms",), "the contract veo sends images as they are. Write [base64]."
    if rule.most > _VEO_IMAGES:
        yield ("most",), "the contract veo takes a first and a last frame, and no more images."


def _style(rule: Images) -> Iterator[Finding]:
    if rule.style == "each" and len(rule.fields) < rule.most:
        yield (
            ("fields",),
            f"names {len(rule.fields)}, but up to {rule.most} images are taken: the others would be lost.",
        )
    if rule.most > 1 and rule.style in _ONE_IMAGE:
        yield ("style",), f"{rule.style} holds one image, but up to {rule.most} are taken. Write list, each or frames."
    if rule.most > 1 and "file" in rule.forms:
        yield ("forms",), f"has `file`, which sends one image, but up to {rule.most} are taken."


def _price(price: Price, profile: Profile) -> Iterator[Finding]:
    modes = {mode.name: mode for mode in profile.modes}
    if price.mode is not None and price.mode not in modes:
        yield ("mode",), not_among(price.mode, modes)
        return
    concerned = [modes[price.mode]] if price.mode is not None else list(modes.values())
    models = {model for mode in concerned for model in mode.models}
    if price.model != "*" and price.model not in models and not profile.open_models:
        yield ("model",), not_among(price.model, sorted(models))
    fields = {rule.field or name for mode in concerned for name, rule in mode.parameters.items()}
    for name in price.parameters:
        if name not in fields:
            yield ("parameters", name), not_among(name, sorted(fields))
