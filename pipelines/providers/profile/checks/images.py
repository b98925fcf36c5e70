"""Find what contradicts itself in how a mode takes reference images. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.providers.profile.checks.findings import Disagreement, not_among
from pipelines.providers.profile.model import Mode, Profile
from pipelines.providers.profile.order_parts import Images

_ONE_IMAGE = ("url", "object", "object_text")  # styles that hold a single image
_VEO_IMAGES = 2  # the first and the last frame


def image_findings(rule: Images, mode: Mode, profile: Profile) -> Iterator[Disagreement]:
    """Find what contradicts something else in how a mode takes images."""
    if rule.least > rule.most:
        yield ("most",), f"{rule.most} is less than `least`, {rule.least}."
    if not rule.forms:
        yield ("forms",), "is empty. Give at least one: url, data_url, base64 or file."
    if rule.most and mode.prompt_style == "text":
        yield from style_findings(rule)
    for form in rule.doubtful:
        if form not in rule.forms:
            yield ("doubtful",), not_among(form, rule.forms)
    if "file" in rule.forms and profile.encoding in ("json", "urlencoded"):
        yield ("forms",), "has `file`, which needs `encoding: auto` or `encoding: multipart`."
    if rule.type_field is not None and (
        set(rule.forms) - {"base64", "data_url"} or rule.style not in ("url", "list", "each")
    ):
        yield ("type_field",), "needs `forms: [base64]` and the style url, list or each: an address has no media type."
    yield from item_findings(rule, mode)
    if rule.must_match_size and mode.size is None:
        yield ("must_match_size",), "needs a `size` to match."
    if rule.most and (mode.contract or profile.contract) == "veo":
        if rule.forms != ("base64",):
            yield ("forms",), "the contract veo sends images as they are. Write [base64]."
        if rule.most > _VEO_IMAGES:
            yield ("most",), "the contract veo takes a first and a last frame, and no more images."


def item_findings(rule: Images, mode: Mode) -> Iterator[Disagreement]:
    """Find keys about the object around an image where none is made."""
    if rule.item_fixed and (mode.prompt_style != "text" or rule.style.startswith("object") or "file" in rule.forms):
        yield ("item_fixed",), "needs the style url, list, each or frames, and no form `file`."
    for key, value in rule.item_fixed.items():
        if key in (rule.item_field, rule.type_field) or (rule.roles and key == rule.role_field):
            yield ("item_fixed", key), f"{value!r} would stand in the place of something else of the image."
    if rule.role_field != "type" and not (rule.style == "frames" and rule.roles and mode.prompt_style == "text"):
        yield ("role_field",), "needs `style: frames` and `roles`."


def style_findings(rule: Images) -> Iterator[Disagreement]:
    """Find images that a way to send them would lose."""
    if rule.style == "each" and len(rule.fields) < rule.most:
        yield (
            ("fields",),
            f"names {len(rule.fields)}, but up to {rule.most} images are taken: the others would be lost.",
        )
    if rule.most > 1 and rule.style in _ONE_IMAGE:
        yield ("style",), f"{rule.style} holds one image, but up to {rule.most} are taken. Write list, each or frames."
    if rule.most > 1 and "file" in rule.forms:
        yield ("forms",), f"has `file`, which sends one image, but up to {rule.most} are taken."
