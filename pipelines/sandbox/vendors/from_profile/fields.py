"""The fields of an order on a server that only its operator knows, as its profile has them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipelines.providers.profile.field_path import flattened, nested
from pipelines.providers.profile.model import Mode, Profile
from pipelines.providers.profile.order_parts import Images, Parameter, Seconds, Size
from pipelines.sandbox.requests.fields import JSON_TYPES, Field
from pipelines.sandbox.requests.forms import UploadedFile
from pipelines.sandbox.requests.references import Kind
from pipelines.sandbox.vendors.refusals import wrong_field

JSON_NAMES = {types[-1]: name for name, types in JSON_TYPES.items()}


def fields_of(profile: Profile, mode: Mode, given: Mapping[str, Any]) -> dict[str, Field]:
    """Every field that an order in this mode may hold; a file takes other places than an address."""
    table: dict[str, Field] = {}
    if mode.model_field is not None:
        table[mode.model_field] = Field(allowed=() if profile.open_models else mode.models, required=True)
    if mode.prompt_style == "content":
        item = {
            "type": Field(allowed=("text", "image_url") if mode.images.most else ("text",), required=True),
            "text": Field(least=1),
            "image_url": Field("object", inside={"url": Field("image", kinds=kinds_of(mode.images), required=True)}),
            **({"role": Field(allowed=mode.images.roles)} if mode.images.roles else {}),
        }
        table[mode.prompt_field] = Field("list", least=1, inside=item, required=True)
    else:
        table[mode.prompt_field] = Field(least=1, required=not mode.prompt_optional)
        table |= _images(mode.images, given)
    if mode.seconds is not None:
        table[mode.seconds.field] = _seconds(mode.seconds, is_open=profile.open_models)
    if mode.size is not None and mode.size.is_divided:
        table |= _divided(mode.size)
    elif mode.size is not None:
        between = mode.size.between
        known = tuple(re.sub(r"(?<=\d)x(?=\d)", between, size) for size in mode.size.allowed)
        sizes = [*map(re.escape, known), rf"[1-9]\d{{1,3}}{re.escape(between)}[1-9]\d{{1,3}}"]
        is_open = mode.size.any_pixels or profile.open_models
        table[mode.size.field] = Field(pattern="|".join(sizes)) if is_open else Field(allowed=known)
    if mode.orientation is not None:
        table[mode.orientation.field] = Field(allowed=tuple(mode.orientation.values.values()))
    if mode.character:
        table |= {"character_url": Field(), "character_start": Field("integer"), "character_end": Field("integer")}
    if profile.attempt_field is not None:
        table[profile.attempt_field] = Field(least=1)
    callback = profile.callback_field_of(mode.name)
    if callback is not None:
        table[callback] = Field(pattern=r"https?://\S+")
    table |= {rule.field or name: _parameter(rule) for name, rule in mode.parameters.items()}
    return table | {name: exactly(value) for name, value in (profile.fixed | mode.fixed).items()}


def _seconds(rule: Seconds, *, is_open: bool) -> Field:
    seconds = (*rule.allowed, *(range(rule.least, rule.most + 1) if rule.least and rule.most else ()))
    lengths = tuple(in_its_unit(rule, length) for length in seconds)
    if rule.type == "integer":
        return Field("integer", least=1, most=in_its_unit(rule, 999)) if is_open else Field("integer", allowed=lengths)
    if is_open:
        return Field(pattern=r"[1-9]\d{0,2}" + re.escape(rule.suffix))
    return Field(allowed=tuple(f"{length}{rule.suffix}" for length in lengths))


def in_its_unit(rule: Seconds, seconds: int) -> int:
    """A length in the unit that the server counts."""
    if rule.unit == "frame":
        return seconds * (rule.fps or 1) + rule.more_frames
    return seconds * 1000 if rule.unit == "millisecond" else seconds


def _divided(rule: Size) -> dict[str, Field]:
    """The fields of a size that comes as two numbers, or as ratio and resolution."""
    fields = {name: Field("integer", least=1, most=9999) for name in (rule.width_field, rule.height_field) if name}
    if rule.ratio_field:
        fields[rule.ratio_field] = Field(pattern=r"[1-9]\d*:[1-9]\d*")
    if rule.resolution_field:
        fields[rule.resolution_field] = Field(pattern=r"[1-9]\d*p")
    return fields


def body_paths(profile: Profile, modes: Sequence[Mode]) -> frozenset[str]:
    """Every place in a body that an order in one of these modes may fill, and those of constants beside them."""
    bare = profile.model_copy(update={"fixed": {}})
    own = {path for mode in modes for path in fields_of(bare, mode.model_copy(update={"fixed": {}}), {})}
    constants = (flattened(nested(fixed), frozenset(own)) for fixed in (profile.fixed, *(mode.fixed for mode in modes)))
    return frozenset(own.union(*constants))


def form_fields(form: Mapping[str, Any], paths: frozenset[str]) -> dict[str, Any]:
    """The fields of a form by their paths: where places lie in a field, it is JSON text, and nothing else."""
    fields: dict[str, Any] = {}
    for name, value in form.items():
        if not any(path.startswith((f"{name}.", f"{name}[")) for path in paths):
            fields[name] = value
            continue
        try:
            within = flattened({name: json.loads(value)}, paths)
        except (ValueError, TypeError, RecursionError):
            raise wrong_field(name, "expected it as JSON text") from None
        fields |= {path: inner if isinstance(inner, str) else json.dumps(inner) for path, inner in within.items()}
    return fields


def plain_profile(profile: Profile) -> Profile:
    """The same profile with its constants by their paths, as the fields of a body are read."""
    paths = body_paths(profile, profile.modes)
    modes = [mode.model_copy(update={"fixed": flattened(nested(mode.fixed), paths)}) for mode in profile.modes]
    fixed = flattened(nested(profile.fixed), paths)
    return profile.model_copy(update={"fixed": fixed, "modes": tuple(modes)})


def _images(rule: Images, given: Mapping[str, Any]) -> dict[str, Field]:
    """How reference images may come: a file in a form, or else in the style of the profile."""
    if not rule.most:
        return {}
    required, file = rule.least > 0, rule.file_field or rule.field
    if rule.forms == ("file",) or ("file" in rule.forms and isinstance(given.get(file), UploadedFile)):
        return {file: Field("image", kinds=("file",), required=required)}
    image = Field("image", kinds=kinds_of(rule), required=True)
    beside = {name: exactly(value) for name, value in rule.item_fixed.items()}
    beside |= {rule.type_field: Field(required=True)} if rule.type_field is not None else {}
    if beside and rule.style != "frames":
        image = Field("object", inside={rule.item_field: image, **beside}, required=True)
    if rule.style == "each":
        names = enumerate(rule.fields[: rule.most])
        return {name: replace(image, required=number < rule.least) for number, name in names}
    if rule.style == "list":
        items = {"inside": image.inside} if beside else {"each": image}
        return {rule.field: Field("list", least=rule.least, most=rule.most, required=required, **items)}
    if rule.style == "frames":
        role = {rule.role_field: Field(allowed=rule.roles, required=True)} if rule.roles else {}
        frame = {rule.item_field: image, **beside, **role}
        return {rule.field: Field("list", least=rule.least, most=rule.most, inside=frame, required=required)}
    if rule.style == "url":
        return {rule.field: replace(image, required=required)}
    return {rule.field: Field("object", inside={"image_url": image}, required=required)}


def kinds_of(rule: Images) -> tuple[Kind, ...]:
    """The forms of an image that is no file."""
    return tuple(form for form in rule.forms if form != "file")


def _parameter(rule: Parameter) -> Field:
    if rule.type == "json":
        return Field("any", required=rule.required)
    if rule.type == "list":
        each = Field(allowed=rule.allowed)
        return Field("list", least=rule.least, most=rule.most, each=each, required=rule.required)
    return Field(rule.type, allowed=rule.allowed, least=rule.least, most=rule.most, required=rule.required)


def exactly(value: Any) -> Field:
    """A field that must be there and say just this."""
    return Field(JSON_NAMES.get(type(value), "any"), allowed=(value,), required=True)
