"""Orders on `/v1/videos`, and what each dialect of that contract allows in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipelines.providers.sandbox.desk import Wish
from pipelines.providers.sandbox.forms import Upload, check_image
from pipelines.providers.sandbox.refusals import RefusalError, unknown_field, wrong_field

FIELDS = ("model", "prompt", "seconds", "size", "input_reference")  # [O1 Q1]
MOST_DATA_URL = 20_971_520  # characters [O1]
HD = ("720x1280", "1280x720")
PRO = (*HD, "1024x1792", "1792x1024", "1080x1920", "1920x1080")
SIZES = {  # [O7]: sora-2 itself makes the 720p pair only
    "sora-2": HD,
    "sora-2-2025-10-06": HD,
    "sora-2-2025-12-08": HD,
    "sora-2-pro": PRO,
    "sora-2-pro-2025-10-06": PRO,
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to speak the contract."""

    name: str
    prefix: str
    contract: str  # as it stands on the bill
    sizes: dict[str, tuple[str, ...]]  # by model
    seconds: tuple[str, ...]  # strings, in and out [O1 Q1]
    prompt_most: int
    model_required: bool = False
    forms: bool = True  # multipart as well as JSON
    object_reference: bool = True
    url_reference: bool = False
    content: bool = True  # GET .../content
    task_result: bool = False  # a finished answer carries a direct link
    manages: bool = True  # list and delete


OPENAI = Dialect("openai", "/openai/v1", "openai", SIZES, ("4", "8", "12", "16", "20"), 32_000)
QINIU = Dialect(
    "qiniu",
    "/qiniu/v1",
    "qiniu",
    {"sora-2": HD},
    ("4", "8", "12"),
    2_500,
    model_required=True,
    forms=False,
    object_reference=False,
    url_reference=True,
    content=False,
    task_result=True,
    manages=False,
)
#: Whatever client comes: OpenAI's contract, and what Qiniu's clients look for besides.
EITHER = Dialect(
    "either", "/v1", "openai", SIZES, OPENAI.seconds, OPENAI.prompt_most, url_reference=True, task_result=True
)


def order(dialect: Dialect, fields: dict[str, Any]) -> Wish:
    """A valid order.

    Raises:
        RefusalError: the dialect does not allow it; the message names the field.
    """
    for name in fields:
        if name not in FIELDS:
            raise unknown_field(name)
    prompt = _prompt(dialect, fields)
    if dialect.model_required and "model" not in fields:
        raise wrong_field("model", "it is required")
    model = _text(fields, "model", "sora-2")
    if model not in dialect.sizes:
        raise _no_such_model(dialect, model)
    seconds = _one_of(fields, "seconds", dialect.seconds, "4")
    size = _one_of(fields, "size", dialect.sizes[model], "720x1280")
    width, _, height = size.partition("x")
    pixels = (int(width), int(height))
    if "input_reference" in fields:
        _check_reference(dialect, fields["input_reference"], pixels)
    return Wish(dialect.contract, model, prompt, int(seconds), size, pixels, fields)


def remix_prompt(dialect: Dialect, fields: dict[str, Any]) -> str:
    """The new prompt of a remix, its only field [O1 Q1].

    Raises:
        RefusalError: it is missing or not alone.
    """
    for name in fields:
        if name != "prompt":
            raise unknown_field(name)
    return _prompt(dialect, fields)


def _prompt(dialect: Dialect, fields: dict[str, Any]) -> str:
    prompt = _text(fields, "prompt", "")
    if not 1 <= len(prompt) <= dialect.prompt_most:
        raise wrong_field("prompt", f"expected 1 to {dialect.prompt_most} characters, got {len(prompt)}")
    return prompt


def _text(fields: dict[str, Any], name: str, default: str) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise wrong_field(name, f"expected a string, got {type(value).__name__}")
    return value


def _one_of(fields: dict[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = _text(fields, name, default)
    if value not in allowed:
        raise wrong_field(name, f"{value!r} is not one of {', '.join(allowed)}")
    return value


def _no_such_model(dialect: Dialect, model: str) -> RefusalError:
    if dialect.contract == "qiniu":  # [Q8]
        return RefusalError(400, f"no available channels for model {model}", field="model", code="model_not_found")
    return wrong_field("model", f"{model!r} is not one of {', '.join(dialect.sizes)}")


def _check_reference(dialect: Dialect, reference: Any, pixels: tuple[int, int]) -> None:
    name = "input_reference"
    if isinstance(reference, str):
        if not dialect.url_reference:
            raise wrong_field(name, "expected a file or an object, got a string")
        if not reference.startswith(("https://", "http://")):  # [Q1]: no Base64
            raise wrong_field(name, "expected a public http or https URL")
    elif isinstance(reference, Upload):
        check_image(reference, pixels, name)
    elif isinstance(reference, dict) and dialect.object_reference:
        _check_object(reference, pixels)
    else:
        raise wrong_field(name, f"a {type(reference).__name__} is not allowed here")


def _check_object(reference: dict[str, Any], pixels: tuple[int, int]) -> None:
    name = "input_reference"
    if set(reference) not in ({"image_url"}, {"file_id"}) or not all(isinstance(v, str) for v in reference.values()):
        raise wrong_field(name, "expected exactly one of image_url and file_id, as a string")
    url = reference.get("image_url")
    if url is not None:
        if len(url) > MOST_DATA_URL:
            raise wrong_field(name, f"at most {MOST_DATA_URL} characters")
        check_image(url, pixels, f"{name}.image_url")
