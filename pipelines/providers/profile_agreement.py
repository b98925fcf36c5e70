"""Whether the parts of a profile agree with each other: what would otherwise be silently wrong at the first order. Pure.

pydantic checks each value by itself; here stands what holds between values. Every finding names its place in the file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

if TYPE_CHECKING:
    from pipelines.providers.profile import Images, Mode, Parameter, Price, Profile, Remix, Seconds, Size

Place = tuple[str | int, ...]  # keys and indexes, from the top of the file
Finding = tuple[Place, str]

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
    found = [*_address(profile), *_addressing(profile), *_reading(profile), *_models(profile)]
    names: set[str] = set()
    for index, mode in enumerate(profile.modes):
        place: Place = ("modes", index)
        if mode.name in names:
            found.append(((*place, "name"), f'"{mode.name}" is the name of another mode too.'))
        names.add(mode.name)
        found += [((*place, *inner), words) for inner, words in _mode(mode, profile)]
    for index, price in enumerate(profile.prices):
        found += [(("prices", index, *inner), words) for inner, words in _price(price, profile)]
    return found


def _address(profile: Profile) -> Iterator[Finding]:
    try:
        parts = urlsplit(profile.base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        yield ("base_url",), "is no address. Write for example https://api.example.com/v1."


def _addressing(profile: Profile) -> Iterator[Finding]:
    for name, path in profile.paths.items():
        if not path.startswith("/"):
            yield ("paths", name), f'"{path}" does not begin with a slash.'
        asks_by_id = name in ("content", "delete") or (name == "status" and profile.contract != "acedata")
        if asks_by_id and "{id}" not in path:
            yield ("paths", name), f'"{path}" does not say where the id goes. Put {{id}} into it.'
    spoken = {profile.contract, *(mode.contract for mode in profile.modes if mode.contract is not None)}
    if profile.limits.batch_query > 1 and spoken != {"acedata"}:
        yield ("limits", "batch_query"), "is for the contract acedata only: no other one asks about many jobs at once."


def _reading(profile: Profile) -> Iterator[Finding]:
    for word in (*profile.words, *profile.refusals):
        if word != word.strip().lower():
            where = "words" if word in profile.words else "refusals"
            yield (where, word), "would never be found: words are compared in small letters."
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
        yield ("default_model",), _not_among(profile.default_model, sorted(known))
    for model in profile.retired_models:
        if model not in known:
            yield ("retired_models", model), _not_among(model, sorted(known))


def _mode(mode: Mode, profile: Profile) -> Iterator[Finding]:
    if mode.default_model is not None and mode.default_model not in mode.models:
        yield ("default_model",), _not_among(mode.default_model, mode.models)
    if mode.seconds is not None:
        yield from _within("seconds", _seconds(mode.seconds, mode))
    if mode.size is not None:
        yield from _within("size", _size(mode.size, mode, open_models=profile.open_models))
    if mode.orientation is not None and mode.orientation.default not in mode.orientation.values:
        yield ("orientation", "default"), _not_among(mode.orientation.default, mode.orientation.values)
    yield from _within("images", _images(mode.images, mode, profile))
    for name, parameter in mode.parameters.items():
        if name in mode.fixed:
            yield ("parameters", name), "is in `fixed` too, so no row could change it."
        yield from ((("parameters", name, *inner), words) for inner, words in _parameter(parameter, mode))
    if mode.remix is not None:
        yield from _within("remix", _remix(mode.remix, mode.contract or profile.contract))
    yield from _results(mode.results)


def _within(name: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    return (((name, *inner), words) for inner, words in findings)


def _seconds(rule: Seconds, mode: Mode) -> Iterator[Finding]:
    if (rule.least is None) is not (rule.most is None):
        yield (("least" if rule.least is None else "most"),), "is missing: `least` and `most` go together."
    elif rule.least is not None and rule.most is not None and rule.least > rule.most:
        yield ("most",), f"{rule.most} is less than `least`, {rule.least}."
    elif not rule.takes(rule.default):
        yield ("default",), _not_among(rule.default, rule.wording())
    for length, models in rule.only.items():
        if not rule.takes(length):
            yield ("only", str(length)), _not_among(length, rule.wording())
        yield from _known_models(("only", str(length)), models, mode)
    if rule.suffix and rule.type != "string":
        yield ("suffix",), "needs `type: string`."


def _size(rule: Size, mode: Mode, *, open_models: bool) -> Iterator[Finding]:
    if rule.default not in rule.allowed and not (rule.any_pixels and _PIXELS.fullmatch(rule.default)):
        yield ("default",), _not_among(rule.default, rule.allowed)
    for name, table in (("only", rule.only), ("doubtful", rule.doubtful)):
        for size, models in table.items():
            if size not in rule.allowed:
                yield (name, size), _not_among(size, rule.allowed)
            if not open_models:
                yield from _known_models((name, size), models, mode)


def _images(rule: Images, mode: Mode, profile: Profile) -> Iterator[Finding]:
    if rule.least > rule.most:
        yield ("most",), f"{rule.most} is less than `least`, {rule.least}."
    if not rule.forms:
        yield ("forms",), "is empty. Give at least one: url, data_url, base64 or file."
    if rule.most and mode.prompt_style == "text":
        yield from _style(rule)
    if "file" in rule.forms and profile.encoding == "json":
        yield ("forms",), "has `file`, which needs `encoding: auto` or `encoding: multipart`."
    if rule.must_match_size and mode.size is None:
        yield ("must_match_size",), "needs a `size` to match."
    if rule.most and (mode.contract or profile.contract) == "veo":
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


def _parameter(rule: Parameter, mode: Mode) -> Iterator[Finding]:
    if rule.least is not None and rule.most is not None and rule.least > rule.most:
        yield ("most",), f"{rule.most:g} is less than `least`, {rule.least:g}."
    if rule.allowed and rule.default is not None and rule.default not in rule.allowed:
        yield ("default",), _not_among(rule.default, rule.allowed)
    for index, value in enumerate(rule.allowed):
        if isinstance(value, str) is not (rule.type in ("string", "list")):
            yield ("allowed", index), f"{value!r} is no {rule.type}."
    for value, models in rule.only.items():
        if rule.allowed and value not in map(str, rule.allowed):
            yield ("only", value), _not_among(value, rule.allowed)
        yield from _known_models(("only", value), models, mode)
    yield from _known_models(("models",), rule.models, mode)
    for key, others in (("needs", tuple(rule.needs)), ("excludes", rule.excludes)):
        unknown = [other for other in others if other not in mode.parameters]
        yield from (((key, other), _not_among(other, sorted(mode.parameters))) for other in unknown)
    if rule.multiplies_price and rule.type != "integer":
        yield ("multiplies_price",), "needs `type: integer`."


def _remix(rule: Remix, contract: str) -> Iterator[Finding]:
    if rule.path is not None and "{id}" not in rule.path and rule.field is None:
        yield ("path",), f'"{rule.path}" does not name the other clip. Put {{id}} into it, or give a `field`.'
    elif rule.path is None and rule.field is None and contract != "openai":
        yield ("field",), f"is missing: the contract {contract} names the other clip in a field."


def _price(price: Price, profile: Profile) -> Iterator[Finding]:
    modes = {mode.name: mode for mode in profile.modes}
    if price.mode is not None and price.mode not in modes:
        yield ("mode",), _not_among(price.mode, modes)
        return
    concerned = [modes[price.mode]] if price.mode is not None else list(modes.values())
    models = {model for mode in concerned for model in mode.models}
    if price.model != "*" and price.model not in models and not profile.open_models:
        yield ("model",), _not_among(price.model, sorted(models))
    fields = {rule.field or name for mode in concerned for name, rule in mode.parameters.items()}
    for name in price.parameters:
        if name not in fields:
            yield ("parameters", name), _not_among(name, sorted(fields))


def _known_models(place: Place, models: Iterable[str], mode: Mode) -> Iterator[Finding]:
    return ((place, _not_among(model, mode.models)) for model in models if model not in mode.models)


def _not_among(value: Any, allowed: Collection[Any] | Mapping[Any, Any]) -> str:
    known = ", ".join(map(str, allowed))
    return f"{value} is not among what there is: {known}." if known else f"{value} is not there, nor is any other."
