from __future__ import annotations

import base64
import json
from email import message_from_bytes
from urllib.parse import parse_qsl

import pytest

from pipelines.core.image import LocalImage
from pipelines.core.job import Order
from pipelines.providers.client import encoded
from pipelines.providers.contracts.request_body import encoding_of, image_fields, order_body
from pipelines.providers.profile.model import Profile
from pipelines.providers.profile.order_parts import Images
from pipelines.providers.protocol import Request, Supplies, Upload

A, B, C = "https://x/a.png", "https://x/b.png", "https://x/c.png"
CAT = LocalImage("cat.png", "image/png", b"\x89PNG cat", 2, 2)
RAW = base64.b64encode(CAT.data).decode()
DATA_URL = f"data:image/png;base64,{RAW}"


def profile_of(encoding="auto", callback_field=None, fixed=None, **mode):
    mode = {"name": "video", "models": ["m"], **mode}
    return Profile(
        name="fox",
        title="Fox",
        contract="openai",
        base_url="https://fox.example/v1",
        default_model="m",
        prompt_most=500,
        encoding=encoding,
        callback_field=callback_field,
        fixed=fixed or {},
        modes=(mode,),
    )


def order_of(**more):
    return Order(provider="fox", mode="video", model="m", prompt="a cat", **more)


def body_of(profile, order=None, **supplies):
    return order_body(order or order_of(), profile, Supplies(**supplies))


@pytest.mark.parametrize(
    ("rule", "images", "fields"),
    [
        ({"most": 3}, (A, B), {"image_urls": [A, B]}),
        ({"most": 1, "field": "first", "style": "list"}, (A,), {"first": [A]}),
        ({"most": 1, "field": "ref", "style": "url"}, (A,), {"ref": A}),
        ({"most": 1, "field": "ref", "style": "object"}, (A,), {"ref": {"image_url": A}}),
        ({"most": 1, "field": "ref", "style": "object_text"}, (A,), {"ref": f'{{"image_url": "{A}"}}'}),
        ({"most": 2, "style": "each", "fields": ("first", "last")}, (A,), {"first": A}),
        ({"most": 2, "style": "each", "fields": ("first", "last")}, (A, B), {"first": A, "last": B}),
        ({"most": 3, "field": "l", "style": "frames"}, (A, B), {"l": [{"image": A}, {"image": B}]}),
        (
            {"most": 2, "field": "l", "style": "frames", "item_field": "image_url", "roles": ("first", "end")},
            (A, B),
            {"l": [{"image_url": A, "type": "first"}, {"image_url": B, "type": "end"}]},
        ),
        (
            {"most": 3, "field": "l", "style": "frames", "roles": ("first", "more")},
            (A, B, C),
            {"l": [{"image": A, "type": "first"}, {"image": B, "type": "more"}, {"image": C, "type": "more"}]},
        ),
        ({"most": 3}, (), {}),
        ({"most": 1, "style": "url", "forms": ("url", "data_url")}, (CAT,), {"image_urls": DATA_URL}),
        ({"most": 1, "style": "url", "forms": ("url", "base64")}, (CAT,), {"image_urls": RAW}),
        ({"most": 1, "style": "url", "forms": ("url", "data_url", "base64")}, (CAT,), {"image_urls": RAW}),
        ({"most": 1, "style": "object", "forms": ("url", "data_url")}, (CAT,), {"image_urls": {"image_url": DATA_URL}}),
        ({"most": 2, "forms": ("url", "base64")}, (A, CAT), {"image_urls": [A, RAW]}),
        (
            {"most": 2, "field": "l", "style": "frames", "roles": ("f",), "forms": ("base64",)},
            (CAT,),
            {"l": [{"image": RAW, "type": "f"}]},
        ),
        (
            {"most": 1, "style": "object", "forms": ("url", "file"), "file_field": "ref"},
            (CAT,),
            {"ref": Upload("cat.png", "image/png", CAT.data)},
        ),
        ({"most": 1, "field": "ref", "forms": ("file",)}, (CAT,), {"ref": Upload("cat.png", "image/png", CAT.data)}),
        ({"most": 1, "field": "ref", "style": "url", "forms": ("url", "file")}, (A,), {"ref": A}),
    ],
)
def test_t22_images_go_in_the_style_and_form_of_the_profile(rule, images, fields):
    """Every style with addresses, and every form of a local file; an address is never changed."""
    assert image_fields(images, Images(**rule)) == fields


def test_prompt_and_images_may_be_one_list_of_items():
    """Where the prompt is a part of a list, each image follows as an item of its own, with its role."""
    mode = {"prompt_field": "content", "prompt_style": "content", "images": {"most": 2, "roles": ("first", "last")}}
    profile = profile_of(**mode)
    text = {"type": "text", "text": "a cat"}
    assert body_of(profile) == {"model": "m", "content": [text]}
    assert body_of(profile, images=(A, B))["content"] == [
        text,
        {"type": "image_url", "image_url": {"url": A}, "role": "first"},
        {"type": "image_url", "image_url": {"url": B}, "role": "last"},
    ]
    silent = order_of().model_copy(update={"prompt": ""})
    assert body_of(profile, silent, images=(A,))["content"] == [
        {"type": "image_url", "image_url": {"url": A}, "role": "first"}
    ]


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({}, {"seconds": "8"}),
        ({"type": "integer"}, {"seconds": 8}),
        ({"field": "duration", "type": "integer"}, {"duration": 8}),
        ({"field": "duration", "suffix": "s"}, {"duration": "8s"}),
    ],
)
def test_t14_the_length_is_text_or_a_number_as_the_profile_says(rule, value):
    """Some want "8", some 8, some "8s", under one name or another."""
    profile = profile_of(seconds={"allowed": [4, 8], "default": 4, **rule})
    assert body_of(profile, order_of(seconds=8)) == {"model": "m", "prompt": "a cat", **value}


def test_t16_length_and_size_are_always_said():
    """What the order holds is sent, so that no server's own default decides; what it does not hold is not."""
    profile = profile_of(
        seconds={"allowed": [4], "default": 4},
        size={"allowed": ["1280x720"], "default": "1280x720", "field": "resolution"},
        orientation={"values": {"landscape": "16:9"}, "default": "landscape", "field": "ratio"},
    )
    order = order_of(seconds=4, size="1280x720", orientation="landscape")
    sent = {"model": "m", "prompt": "a cat", "seconds": "4", "resolution": "1280x720", "ratio": "16:9"}
    assert body_of(profile, order) == sent
    assert body_of(profile) == {"model": "m", "prompt": "a cat"}
    assert body_of(profile_of(), order) == {"model": "m", "prompt": "a cat"}


def test_the_model_may_be_left_out():
    """Where a path or a service implies it, it is not sent."""
    assert body_of(profile_of(model_field=None, prompt_field="text")) == {"text": "a cat"}
    assert body_of(profile_of(model_field="engine"))["engine"] == "m"


def test_further_parameters_have_the_last_word():
    """The profile's own values go before a parameter's default, and both before what the row says."""
    parameters = {"tone": {"field": "toneOfVoice", "default": "calm"}, "seed": {"type": "integer"}}
    profile = profile_of(fixed={"async": True, "n": 1}, parameters=parameters)
    assert body_of(profile) == {"model": "m", "prompt": "a cat", "async": True, "n": 1, "toneOfVoice": "calm"}
    body = body_of(profile, order_of(extra={"toneOfVoice": "wild", "seed": 5, "n": 2}))
    assert (body["toneOfVoice"], body["seed"], body["n"]) == ("wild", 5, 2)


def test_a_default_may_be_false():
    """Only what is not given at all is left out."""
    assert body_of(profile_of(parameters={"bgm": {"type": "boolean", "default": False}}))["bgm"] is False


@pytest.mark.parametrize(
    ("of_profile", "of_mode", "address", "field"),
    [
        ("callback_url", None, "https://me/t", "callback_url"),
        (None, "webhook", "https://me/t", "webhook"),
        ("callback_url", "webhook", "https://me/t", "webhook"),
        (None, None, "https://me/t", None),
        ("callback_url", None, None, None),
    ],
)
def test_the_address_to_call_goes_along_where_the_provider_takes_one(of_profile, of_mode, address, field):
    """Under the mode's name for it, or the profile's; without either, or without an address, not at all."""
    profile = profile_of(callback_field=of_profile)
    mode = profile.modes[0].model_copy(update={"callback_field": of_mode})
    body = body_of(profile.model_copy(update={"modes": (mode,)}), callback_url=address)
    assert {name for name, value in body.items() if value == address} == ({field} if field else set())


REMIX = order_of(seconds=4, extra={"seed": 5}, remix_of="parent")


def test_a_remix_is_made_of_its_prompt_alone():
    """Model, length, size, fixed values and parameters are those of the other clip."""
    profile = profile_of(fixed={"async": True}, seconds={"allowed": [4], "default": 4}, remix={})
    assert body_of(profile, REMIX, parent_id="v-1") == {"prompt": "a cat"}


def test_a_remix_may_name_the_other_clip_in_a_field():
    """Such a provider takes everything else too, and another action than for a new clip."""
    remix = {"field": "ref", "fixed": {"action": "remix"}, "only_prompt": False}
    profile = profile_of(fixed={"async": True}, remix=remix)
    mode = profile.modes[0].model_copy(update={"fixed": {"action": "generate"}})
    profile = profile.model_copy(update={"modes": (mode,)})
    body = body_of(profile, REMIX, parent_id="v-1")
    assert body == {"model": "m", "prompt": "a cat", "async": True, "action": "remix", "ref": "v-1", "seed": 5}
    assert body_of(profile)["action"] == "generate"


def test_a_remix_of_nobody_is_never_sent():
    """Without the other clip's id the request would buy something else, so there is none."""
    with pytest.raises(ValueError, match="needs the id"):
        body_of(profile_of(remix={}), REMIX)


@pytest.mark.parametrize(
    ("encoding", "has_file", "sent"),
    [
        ("json", False, "json"),
        ("auto", False, "json"),
        ("auto", True, "multipart"),
        ("multipart", False, "multipart"),
        ("multipart", True, "multipart"),
        ("urlencoded", False, "urlencoded"),
    ],
)
def test_t19_the_encoding_is_the_profiles(encoding, has_file, sent):
    """JSON-only servers get JSON, form-only servers forms, and the others a form only with a file in it."""
    body = {"prompt": "a cat"} | ({"ref": Upload("cat.png", "image/png", CAT.data)} if has_file else {})
    assert encoding_of(body, profile_of(encoding)) == sent


def test_t19_json_is_utf_8():
    """A body without a form is one JSON object, its text as it is."""
    content_type, content = encoded(Request("POST", "/videos", {"prompt": "猫 🎬", "n": 1, "on": True}))
    assert content_type == "application/json"
    assert "猫 🎬".encode() in content
    assert json.loads(content) == {"prompt": "猫 🎬", "n": 1, "on": True}


def test_t19_a_form_has_a_part_for_each_field():
    """Texts as they are, numbers and truth values as JSON writes them, what is nested as JSON, a file with its type."""
    body = {
        "prompt": 'a "cat"\r\n猫',
        "seconds": "8",
        "seed": 5,
        "cfg": 0.5,
        "loop": True,
        "lora": {"name": "x"},
        "ref": Upload("cat.png", "image/png", CAT.data),
    }
    content_type, content = encoded(Request("POST", "/videos", body, encoding="multipart"))
    assert content_type.startswith("multipart/form-data; boundary=")
    message = message_from_bytes(b"content-type: " + content_type.encode() + b"\r\n\r\n" + content)
    parts = {
        part.get_param("name", header="content-disposition"): (part.get_filename(), part.get_payload(decode=True))
        for part in message.get_payload()
    }
    assert parts == {
        "prompt": (None, 'a "cat"\r\n猫'.encode()),
        "seconds": (None, b"8"),
        "seed": (None, b"5"),
        "cfg": (None, b"0.5"),
        "loop": (None, b"true"),
        "lora": (None, b'{"name": "x"}'),
        "ref": ("cat.png", CAT.data),
    }
    [file] = [part for part in message.get_payload() if part.get_filename()]
    assert file.get_content_type() == "image/png"


def test_t19_a_form_without_a_file_is_still_a_form():
    """Servers that take forms only get one for a mere text too, and never a url-encoded body."""
    content_type, content = encoded(Request("POST", "/videos", {"prompt": "a cat"}, encoding="multipart"))
    assert content_type.startswith("multipart/form-data")
    assert b'name="prompt"' in content


def test_t19_a_urlencoded_form_is_one_line_of_text():
    """Every value is text, what is nested is JSON text, and no sign of a value can end it."""
    body = {"prompt": "a=b&c 猫\n", "seconds": 8, "loop": True, "input": {"words": ["a", 1]}}
    content_type, content = encoded(Request("POST", "/videos", body, encoding="urlencoded"))
    assert content_type == "application/x-www-form-urlencoded"
    said = dict(parse_qsl(content.decode("ascii"), strict_parsing=True))
    nested = said.pop("input")
    assert said == {"prompt": "a=b&c 猫\n", "seconds": "8", "loop": "true"}
    assert json.loads(nested) == {"words": ["a", 1]}
