"""A profile in words, the same ones for the command line and for the documents. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipelines.providers.profile.checks.findings import in_full
from pipelines.providers.profile.model import Mode, Profile
from pipelines.providers.profile.order_parts import Images, Parameter, Size
from pipelines.providers.profile.terms import Price

_FORMS = {"url": "by address", "data_url": "a local file", "base64": "a local file", "file": "a local file"}
_UNITS = {"characters": "characters", "bytes": "bytes", "utf16": "UTF-16 units"}
_FEW = 3
_PER = {"second": "s", "clip": "clip"}
_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "yes or no", "list": "list"}
_SHAPES = {"object": "a JSON object", "list": "a JSON list", "objects": "a JSON list of objects"}


def contracts(profile: Profile) -> list[str]:
    """The contracts that it speaks, the profile's own first if some mode speaks it."""
    every = [profile.contract_of(mode.name) for mode in profile.modes]
    return sorted(dict.fromkeys(every), key=lambda contract: contract != profile.contract)


def models(profile: Profile) -> list[str]:
    """Every model once, in order."""
    return list(dict.fromkeys(model for mode in profile.modes for model in mode.models))


def span(profile: Profile) -> str:
    """The lengths that its modes make: `4, 8, 12 s`, or from the shortest to the longest where there are many."""
    rules = [mode.seconds for mode in profile.modes if mode.seconds]
    every = sorted({n for rule in rules for n in (*rule.allowed, rule.least, rule.most) if n is not None})
    if not every:
        return "its own"
    few = len(every) <= _FEW and all(rule.least is None for rule in rules)
    return (", ".join(map(str, every)) if few else f"{every[0]} to {every[-1]}") + " s"


def all_sizes(profile: Profile) -> list[str]:
    """Every picture size and shape that some mode takes."""
    sizes = [size for mode in profile.modes if mode.size for size in mode.size.allowed]
    shapes = [shape for mode in profile.modes if mode.orientation for shape in mode.orientation.values]
    free = ["any"] if any(mode.size and mode.size.any_pixels for mode in profile.modes) else []
    return list(dict.fromkeys([*sizes, *shapes, *free]))


def lengths(mode: Mode) -> str:
    """`4 (default), 8, 12 s; 12 s by sora-2-pro only`."""
    rule = mode.seconds
    if rule is None:
        return "decided by the provider"
    if rule.least is None:
        listed = f"{_with_default(map(str, rule.allowed), str(rule.default))} s"
    else:
        listed = f"{', '.join([f'{rule.least} to {rule.most}', *map(str, rule.allowed)])} s, default {rule.default}"
    return "; ".join([listed, *_only(rule.only, " s")])


def sizes(mode: Mode) -> str:
    """`720x1280 (default), 1280x720; 1080x1920 by sora-2-pro only`."""
    rule = mode.size
    if rule is None:
        return "decided by the provider"
    listed = ", or ".join(filter(None, [_with_default(rule.allowed, rule.default), any_pixels(rule)]))
    return "; ".join([listed, *_only(rule.only), *_only(rule.doubtful, " surely")])


def any_pixels(rule: Size) -> str:
    """`any WIDTHxHEIGHT up to 1920x1080`, or nothing where there are only the sizes that are listed."""
    if not rule.any_pixels:
        return ""
    least = f" from {rule.least_side} pixels" if rule.least_side > 1 else ""
    return f"any WIDTHxHEIGHT{least}" + (f" up to {rule.within}" if rule.within else "")


def shapes(mode: Mode) -> str:
    """The orientations that are a parameter of their own, or how they are had."""
    rule = mode.orientation
    if rule is not None:
        return _with_default(rule.values, rule.default)
    return "by the size" if mode.size is not None else "decided by the provider"


def images(rule: Images) -> str:
    """`up to 2, by address or a local file; pixels equal to the size`."""
    if not rule.most:
        return "none"
    if rule.least == rule.most:
        count = f"exactly {rule.most}"
    else:
        count = f"{rule.least} to {rule.most}" if rule.least else f"up to {rule.most}"
    words = [f"{count}, {' or '.join(dict.fromkeys(_FORMS[form] for form in rule.forms))}"]
    if rule.assumed:
        words.append("how many is a limit of ours")
    if rule.doubtful:
        words.append(f"{' or '.join(dict.fromkeys(_FORMS[form] for form in rule.doubtful))} is doubtful")
    if rule.roles:
        words.append(f"as {', '.join(rule.roles)}")
    if rule.ignored_beyond is not None:
        words.append(
            "only the first is looked at"
            if rule.ignored_beyond == 1
            else f"only the first {rule.ignored_beyond} are looked at"
        )
    if rule.must_match_size:
        words.append("pixels equal to the size")
    return "; ".join(words)


def remix_words(mode: Mode) -> str:
    """`yes, only the prompt is new`, or `no` where a mode makes none."""
    if mode.remix is None:
        return "no"
    return "yes, only the prompt is new" if mode.remix.only_prompt else "yes"


def fixed(values: Mapping[str, Any]) -> str:
    """Fields and values that are always sent: `version '2.0', async True`."""
    return ", ".join(
        f"{name} {value!r}" if isinstance(value, str) else f"{name} {value}" for name, value in values.items()
    )


def parameter(rule: Parameter) -> str:
    """The values of one further column: `calm, wild; needs seed; default calm`."""
    words = [", ".join(map(str, rule.allowed)) or _TYPES.get(rule.type) or _SHAPES.get(rule.shape or "", "JSON")]
    unit = {"string": " characters", "list": " items", "json": " items"}.get(rule.type, "")
    low, high = (None if end is None else in_full(end) for end in (rule.least, rule.most))
    if low is not None or high is not None:
        words.append(
            f"{low} to {high}{unit}" if low and high else f"at least {low}{unit}" if low else f"at most {high}{unit}"
        )
    words += [f"with {' and '.join(rule.keys)}"] if rule.keys else []
    words += _only(rule.only)
    words += [f"of {' and '.join(rule.models)} only"] if rule.models else []
    words += ["required"] if rule.required else []
    words += [" ".join(["needs", other, " or ".join(values)]).rstrip() for other, values in rule.needs.items()]
    words += [" ".join(["not with", other, " or ".join(said)]).rstrip() for other, said in rule.excludes.items()]
    words += [f"default {rule.default}"] if rule.default is not None else []
    words += ["multiplies the price"] if rule.multiplies_price else []
    words += [f"sent as {rule.field}"] if rule.field else []
    return "; ".join(words)


def prompt(profile: Profile, mode: Mode | None = None) -> str:
    """`at most 2,500 characters, may be left out`."""
    most = profile.prompt_most_of(mode.name) if mode else profile.prompt_most
    optional = ", may be left out" if mode and mode.prompt_optional else ""
    return f"at most {most:,} {_UNITS[profile.prompt_counted_in]}{optional}"


def price_words(row: Price) -> str:
    """`0.50 USD a clip`."""
    return f"{row.amount} {row.currency} a {row.per}"


def price_is_for(row: Price) -> str:
    """The orders that a price holds for: `sora-2-pro, 1024x1792, mode v1`."""
    words = ["any model" if row.model == "*" else row.model, row.size, f"{row.seconds} s" if row.seconds else None]
    words += [f"mode {row.mode}" if row.mode else None, fixed(row.parameters) or None]
    return ", ".join(filter(None, words))


def cheapest(profile: Profile) -> str:
    """The lowest price, a second's before a clip's, with an asterisk where it is assumed."""
    if not profile.prices:
        return "unknown"
    least = min(profile.prices, key=lambda row: (row.per == "clip", row.amount))
    return f"{least.amount} {least.currency}/{_PER[least.per]}" + ("*" if least.assumed else "")


def first_and_count(names: Sequence[str], most: int = 40) -> str:
    """The first of many names, cut to a length, and how many more there are: `sora-2 +4`."""
    if not names:
        return ""
    first = names[0] if len(names[0]) <= most else names[0][: most - 1] + "…"
    return f"{first} +{len(names) - 1}" if len(names) > 1 else first


def limits(profile: Profile) -> str:
    """`5 jobs at once, 30 submissions a minute, 1 status query a second`."""
    rule = profile.limits
    words = [
        f"{rule.in_flight} job{_s(rule.in_flight)} at once",
        f"{rule.submit_per_minute:g} submission{_s(rule.submit_per_minute)} a minute",
        f"{rule.status_per_second:g} status quer{'y' if rule.status_per_second == 1 else 'ies'} a second",
    ]
    return ", ".join(words + ([f"{rule.batch_query} jobs a query"] if rule.batch_query else []))


def _s(number: float) -> str:
    return "" if number == 1 else "s"


def capabilities(profile: Profile) -> str:
    """The further requests that can be made: `list, delete, callback`."""
    calls = any(profile.calls_back(mode.name) for mode in profile.modes)
    return ", ".join([*profile.supports, *(["callback"] if calls else [])]) or "nothing further"


def state(profile: Profile, environment: Mapping[str, str]) -> str:
    """`key set`, `no key set`, `needs no key` or `retired`: tells whether orders can be placed now."""
    _, own_address = profile.base_url_from(environment)
    if profile.retired_on and not own_address:
        return "retired"
    if profile.key_from(environment):
        return "key set"
    return "no key set" if profile.needs_key else "needs no key"


def _with_default(values: Iterable[str], default: str) -> str:
    return ", ".join(f"{value} (default)" if value == default else value for value in values)


def _only(rule: Mapping[Any, tuple[str, ...]], unit: str = "") -> Iterator[str]:
    """Values that only some models take, those of the same models together."""
    by_models: dict[tuple[str, ...], list[str]] = {}
    for value, names in rule.items():
        by_models.setdefault(names, []).append(str(value))
    for names, values in by_models.items():
        yield f"{', '.join(values)}{unit} by {' and '.join(names)} only"
