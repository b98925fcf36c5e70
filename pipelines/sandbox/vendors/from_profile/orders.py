"""Orders on a server that only its operator knows: what they may hold follows from the profile that describes it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pipelines.core.job import Order
from pipelines.providers.profile.model import Mode, Profile
from pipelines.providers.profile.order_parts import Images, Parameter, Seconds, Size
from pipelines.sandbox.media.pixels import pixels
from pipelines.sandbox.orders.bill import ParsedOrder, Purchase
from pipelines.sandbox.requests.fields import Field, read_fields
from pipelines.sandbox.requests.references import check_pixels
from pipelines.sandbox.vendors.from_profile.fields import exactly, fields_of
from pipelines.sandbox.vendors.openai.orders import parsed_size
from pipelines.sandbox.vendors.refusals import RefusalError, wrong_field

Fields = Mapping[str, Any]
SHAPES = {"landscape": "16:9", "portrait": "9:16", "square": "1:1"}
USUAL_SECONDS = 5  # of a clip whose length the server decides


def parse_profile_order(profile: Profile, modes: Iterable[Mode], given: Fields, *, form: bool) -> ParsedOrder:
    """A valid order in the first of these modes that it fits."""
    refusals: list[RefusalError] = []
    for mode in sorted(modes, key=lambda mode: _strangeness(profile, mode, given)):
        try:
            fields = _read(mode, fields_of(profile, mode, given), given, form=form)
            return _parsed(profile, mode, fields, given)
        except RefusalError as refusal:
            refusals.append(refusal)
    raise refusals[0]


def parse_profile_remix(profile: Profile, mode: Mode, source: Purchase, given: Fields, *, form: bool) -> ParsedOrder:
    """A valid order of a clip after another one."""
    assert mode.remix is not None
    fixed = profile.fixed | mode.remix.fixed if not mode.remix.only_prompt else mode.remix.fixed
    if mode.remix.only_prompt:
        table = {mode.prompt_field: Field(least=1, required=True)}
    else:
        table = fields_of(profile, mode.model_copy(update={"fixed": {}}), given)
    table |= {name: exactly(value) for name, value in fixed.items()}
    if mode.remix.field is not None:
        table[mode.remix.field] = Field(required=True)
    fields = _read(mode, table, given, form=form)
    if not mode.remix.only_prompt:
        return _parsed(profile, mode, fields, given, source.id)
    return ParsedOrder.remix(
        source,
        _checked_prompt(profile, mode, fields),
        contract=profile.name,
        fields={**given, "remix_of": source.id},
        service=mode.name,
        price=source.price,
        usual_s=_usual_s(profile, mode, source.seconds),
    )


def _strangeness(profile: Profile, mode: Mode, given: Fields) -> int:
    """How much speaks against a mode, at a glance: unknown fields, other fixed values, another mode's model."""
    known, fixed = fields_of(profile, mode, given), profile.fixed | mode.fixed
    unknown = sum(name not in known for name in given)
    other = sum(str(given.get(name)) != str(value) for name, value in fixed.items())
    return unknown + other + (mode.model_field is not None and given.get(mode.model_field) not in mode.models)


def _read(mode: Mode, table: Mapping[str, Field], given: Fields, *, form: bool) -> dict[str, Any]:
    given = dict(given)
    name = mode.images.field
    if mode.images.style == "object_text" and not form and name in given:
        if not isinstance(given[name], str):
            raise wrong_field(name, "expected it as JSON text")
        try:
            given[name] = json.loads(given[name])
        except ValueError:
            raise wrong_field(name, "this is not JSON text") from None
    return read_fields(table, given, form=form)


def _parsed(
    profile: Profile, mode: Mode, fields: Fields, given: Fields, remixed_from: str | None = None
) -> ParsedOrder:
    model = fields.get(mode.model_field or "", mode.default_model or mode.models[0])
    prompt, first_image = _prompt_and_image(profile, mode, fields)
    seconds = USUAL_SECONDS
    if mode.seconds is not None:
        value = fields.get(mode.seconds.field, mode.seconds.default)
        seconds = in_seconds(mode.seconds, int(str(value).removesuffix(mode.seconds.suffix)))
    size = size_ordered(mode.size, fields) if mode.size is not None else ""
    _check_models(mode, model, seconds, size, fields)
    frame = _frame(mode, size, fields)
    if mode.images.must_match_size and first_image is not None:
        check_pixels(first_image, frame, mode.images.field)
    parsed = ParsedOrder(
        contract=profile.name,
        model=model,
        prompt=prompt,
        seconds=seconds,
        size=size,
        pixels=frame,
        fields=dict(given),
        callback_url=fields.get(profile.callback_field_of(mode.name) or ""),
        remixed_from=remixed_from,
        service=mode.name,
        usual_s=_usual_s(profile, mode, seconds),
    )
    extra = {rule.field or name: fields.get(rule.field or name) for name, rule in mode.parameters.items()}
    return _priced(profile, mode, parsed, {name: value for name, value in extra.items() if value is not None})


def in_seconds(rule: Seconds, number: int) -> int:
    """A length that came in the server's own unit."""
    if rule.unit == "frame":
        return (number - rule.more_frames) // (rule.fps or 1)
    return number // 1000 if rule.unit == "millisecond" else number


def size_ordered(rule: Size, fields: Fields) -> str:
    """The size that an order says, in one word or in several fields."""
    if not rule.is_divided:
        return re.sub(rf"(?<=\d){re.escape(rule.between)}(?=\d)", "x", str(fields.get(rule.field, rule.default)))
    width, height = (fields.get(name or "") for name in (rule.width_field, rule.height_field))
    if width and height:
        return f"{width}x{height}"
    said = {name: fields[name] for name in (rule.ratio_field, rule.resolution_field) if name and name in fields}
    for size in (rule.default, *rule.allowed):
        width, height = parsed_size(size)
        part = math.gcd(width, height)
        ratio = f"{width // part}:{height // part}"
        ours = {rule.ratio_field: {"7:3": "21:9", "3:7": "9:21"}.get(ratio, ratio)}
        ours[rule.resolution_field] = f"{min(width, height)}p"
        if all(ours.get(name) == value for name, value in said.items()):
            return size
    raise wrong_field(next(iter(said), rule.field), f"there is no size of {' and '.join(map(str, said.values()))}")


def _priced(profile: Profile, mode: Mode, parsed: ParsedOrder, extra: dict[str, Any]) -> ParsedOrder:
    """The order with the number of its clips, and the price that the profile has for it."""
    size, seconds = parsed.size or None, int(parsed.seconds)
    asked = Order(
        provider=profile.name,
        mode=mode.name,
        model=parsed.model,
        prompt=parsed.prompt,
        seconds=seconds,
        size=size,
        extra=extra,
    )
    counters = [(rule.field or name, rule) for name, rule in mode.parameters.items() if rule.multiplies_price]
    clips = math.prod(extra.get(name, rule.default or 1) for name, rule in counters)
    row = profile.price_of(asked)
    each = 0.0 if row is None else float(row.amount) * (seconds if row.per == "second" else 1)
    return replace(parsed, clips=clips, price=each * clips)


def _prompt_and_image(profile: Profile, mode: Mode, fields: Fields) -> tuple[str, Any]:
    """The prompt, and the first image if there is one."""
    if mode.prompt_style == "text":
        return _checked_prompt(profile, mode, fields), _first_image(mode.images, fields)
    items = fields[mode.prompt_field]
    texts = [item["text"] for item in items if "text" in item]
    images = [item["image_url"]["url"] for item in items if "image_url" in item]
    if not texts and not mode.prompt_optional:
        raise wrong_field(mode.prompt_field, "there is no text in it")
    if len(images) > mode.images.most:
        raise wrong_field(mode.prompt_field, f"at most {mode.images.most} images")
    return " ".join(texts), images[0] if images else None


def _first_image(rule: Images, fields: Fields) -> Any:
    for name in (rule.file_field or rule.field, rule.field, *rule.fields):
        value = fields.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, dict):
            value = value.get("image_url", value.get(rule.item_field))
        if value:
            return value
    return None


def _checked_prompt(profile: Profile, mode: Mode, fields: Fields) -> str:
    prompt: str = fields.get(mode.prompt_field, "")
    measures = {
        "characters": len(prompt),
        "bytes": len(prompt.encode("utf-8", "surrogatepass")),
        "utf16": len(prompt.encode("utf-16-le", "surrogatepass")) // 2,
    }
    most = mode.prompt_most or profile.prompt_most
    if measures[profile.prompt_counted_in] > most:
        raise wrong_field(mode.prompt_field, f"at most {most} {profile.prompt_counted_in}")
    return prompt


def _check_models(mode: Mode, model: str, seconds: int, size: str, fields: Fields) -> None:
    """What only some of a mode's models take."""
    if mode.seconds is not None and model not in mode.seconds.only.get(seconds, (model,)):
        raise wrong_field(mode.seconds.field, f"{model} does not make {seconds} seconds")
    if mode.size is not None and model not in mode.size.only.get(size, (model,)):
        raise wrong_field(mode.size.field, f"{model} does not make {size}")
    for name, rule in mode.parameters.items():
        field = rule.field or name
        if field not in fields:
            continue
        if model not in (rule.models or (model,)) or model not in rule.only.get(str(fields[field]), (model,)):
            raise wrong_field(field, f"{model} does not take it")
        if fields[field] is not False:
            _check_company(mode, field, rule, fields)


def _check_company(mode: Mode, field: str, rule: Parameter, fields: Fields) -> None:
    """What a parameter needs beside it, and what it does not go with."""
    values = {name: fields.get(other.field or name) for name, other in mode.parameters.items()}
    for name, wanted in rule.needs.items():
        if values[name] in (None, False) or (wanted and str(values[name]) not in wanted):
            raise wrong_field(field, f"it needs {name} {' or '.join(wanted)}".rstrip())
    for name, unwanted in rule.excludes.items():
        if values[name] not in (None, False) and (not unwanted or str(values[name]) in unwanted):
            raise wrong_field(field, f"it does not go with {name}")


def _frame(mode: Mode, size: str, fields: Fields) -> tuple[int, int]:
    """Width and height, as far as an order says anything about them."""
    if re.fullmatch(r"[1-9]\d*x[1-9]\d*", size):
        return parsed_size(size)
    shape = "landscape"
    if mode.orientation is not None:
        theirs = fields.get(mode.orientation.field, mode.orientation.values[mode.orientation.default])
        shape = next(word for word, value in mode.orientation.values.items() if value == theirs)
    return pixels(SHAPES.get(shape, shape), size)


def _usual_s(profile: Profile, mode: Mode, seconds: float) -> float:
    timing = mode.timing or profile.timing
    return timing.typical.get(int(seconds), timing.otherwise)
