"""The body of an order under the names that a mode of a profile gives its parts. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from pipelines.core.image import Image, LocalImage
from pipelines.core.job import Order
from pipelines.core.shape import pixels_of
from pipelines.providers.profile.field_path import nested
from pipelines.providers.profile.model import Mode, Profile
from pipelines.providers.profile.order_parts import Images, Seconds, Size
from pipelines.providers.protocol import BodyEncoding, Supplies, Upload


def order_body(order: Order, profile: Profile, supplies: Supplies) -> dict[str, Any]:
    """Everything that is sent with an order, each part at its place, such as `input.prompt`.

    Length and size are always said: their defaults differ between servers.

    Raises:
        ValueError: the order is a remix and nobody says of what; sent like this it would buy something else.
    """
    mode = profile.mode(order.mode)
    if order.remix_of is not None and supplies.parent_id is None:
        raise ValueError(f"a remix of {order.remix_of} needs the id of that clip")
    if order.remix_of is not None and mode.remix is not None and mode.remix.only_prompt:
        return nested({mode.prompt_field: order.prompt} | remix_fields(mode, supplies))
    body: dict[str, Any] = {}
    if mode.model_field is not None:
        body[mode.model_field] = order.model
    body |= prompt_and_images(order.prompt, supplies.images, mode)
    body |= length_and_shape(order, mode)
    if order.character_url is not None:
        body["character_url"] = order.character_url
        body["character_start"] = order.character_start
        body["character_end"] = order.character_end
    fixed = mode.fixed if order.remix_of is None else remix_fields(mode, supplies)
    return nested(
        body
        | callback(mode, profile, supplies)
        | ({profile.attempt_field: supplies.attempt} if profile.attempt_field is not None and supplies.attempt else {})
        | profile.fixed
        | fixed
        | default_parameters(mode, order.model)
        | order.extra
    )


def prompt_and_images(prompt: str, images: Sequence[Image], mode: Mode) -> dict[str, Any]:
    """The prompt and the reference images, each under its own name or together as one list of typed items."""
    if mode.prompt_style == "content":
        return {mode.prompt_field: content_items(prompt, images, mode.images)}
    return ({mode.prompt_field: prompt} if prompt else {}) | image_fields(images, mode.images)


def content_items(prompt: str, images: Sequence[Image], rule: Images) -> list[dict[str, Any]]:
    """One list of typed items, the prompt first."""
    items: list[dict[str, Any]] = [{"type": "text", "text": prompt}] if prompt else []
    for image, role in _with_roles(images, rule):
        item = {"type": "image_url", "image_url": {"url": image_value(image, rule)}}
        items.append(item if role is None else item | {"role": role})
    return items


def callback(mode: Mode, profile: Profile, supplies: Supplies) -> dict[str, Any]:
    """The address to call when the job ends, where the provider takes one with the order."""
    field = profile.callback_field_of(mode.name)
    return {} if field is None or supplies.callback_url is None else {field: supplies.callback_url}


def default_parameters(mode: Mode, model: str) -> dict[str, Any]:
    """The defaults of the parameters that a row says nothing of, as far as the model takes them."""
    sent = {rule.field or name: rule.default_for(model) for name, rule in mode.parameters.items()}
    return {field: value for field, value in sent.items() if value is not None}


def remix_fields(mode: Mode, supplies: Supplies) -> dict[str, Any]:
    """The fields that mark a submission as a remix of another clip, beside its path."""
    if mode.remix is None:
        return {}
    named = {mode.remix.field: supplies.parent_id} if mode.remix.field is not None else {}
    return {**mode.remix.fixed, **named}


def length_and_shape(order: Order, mode: Mode) -> dict[str, Any]:
    """Length, size and orientation, as far as the mode takes them."""
    fields: dict[str, Any] = {}
    if mode.seconds is not None and order.seconds is not None:
        fields[mode.seconds.field] = length_value(mode.seconds, order.seconds)
    if mode.size is not None and order.size is not None:
        fields |= size_fields(mode.size, order.size)
    if mode.orientation is not None and order.orientation is not None:
        fields[mode.orientation.field] = mode.orientation.values[order.orientation]
    return fields


def length_value(rule: Seconds, seconds: int) -> str | int:
    """A length as the provider counts and writes it: `"5"`, 5, 5000, `"5s"`, or 81 frames."""
    counted = {"second": seconds, "millisecond": seconds * 1000, "frame": seconds * (rule.fps or 1) + rule.more_frames}
    number = counted[rule.unit]
    return f"{number}{rule.suffix}" if rule.type == "string" else number


def size_fields(rule: Size, size: str) -> dict[str, Any]:
    """A size as the provider takes it: one word, two numbers, or ratio and resolution."""
    width, height = pixels_of(size) or (0, 0)
    if not width:
        return {rule.field: size}
    if not rule.is_divided:
        return {rule.field: size.replace("x", rule.between)}
    ratio = Fraction(width, height)
    text = f"{ratio.numerator}:{ratio.denominator}"
    said = {
        rule.width_field: width,
        rule.height_field: height,
        rule.ratio_field: {"7:3": "21:9", "3:7": "9:21"}.get(text, text),
        rule.resolution_field: f"{min(width, height)}p",
    }
    return {field: value for field, value in said.items() if field is not None}


def image_fields(images: Sequence[Image], rule: Images) -> dict[str, Any]:
    """The reference images, in the form and under the names that the provider takes."""
    if not images:
        return {}
    values = [image_value(image, rule) for image in images]
    if isinstance(values[0], Upload):
        return {rule.file_field or rule.field: values[0]}
    if rule.style == "each":
        return dict(zip(rule.fields, values, strict=False))
    if rule.style == "frames":
        frames = [(image_value(image, rule), role) for image, role in _with_roles(images, rule)]
        items = [(value if isinstance(value, dict) else {rule.item_field: value}, role) for value, role in frames]
        return {rule.field: [item if role is None else item | {rule.role_field: role} for item, role in items]}
    if rule.style == "list":
        return {rule.field: values}
    one: Any = {"image_url": values[0]} if rule.style.startswith("object") else values[0]
    return {rule.field: json.dumps(one) if rule.style == "object_text" else one}


def _with_roles(images: Sequence[Image], rule: Images) -> list[tuple[Image, str | None]]:
    roles: list[str | None] = [*rule.roles, *rule.roles[-1:] * len(images)]
    return list(zip(images, roles or [None] * len(images), strict=False))


def image_value(image: Image, rule: Images) -> str | Upload | dict[str, Any]:
    """One image in the form that the provider takes: an address as it is, a local file in the last form that fits."""
    value, kind = (image, None) if not isinstance(image, LocalImage) else ("", image.type)
    if isinstance(image, LocalImage):
        if rule.sent_as == "file":
            return Upload(image.name, image.type, image.data)
        value = image.base64() if rule.sent_as == "base64" else image.data_url()
    beside = rule.item_fixed | ({rule.type_field: kind} if rule.type_field is not None and kind is not None else {})
    return {rule.item_field: value, **beside} if beside else value


def encoding_of(body: Mapping[str, Any], profile: Profile) -> BodyEncoding:
    """Decide how a body goes out: as its profile says, and with a file in it as multipart/form-data."""
    if any(isinstance(value, Upload) for value in body.values()):
        return "multipart"
    return "json" if profile.encoding == "auto" else profile.encoding
