from __future__ import annotations

import copy

import pytest
from pydantic import ValidationError

from pipelines.providers.profile import Profile

MODE = {
    "name": "video",
    "models": ["fox-1", "fox-2"],
    "seconds": {"allowed": [4, 8], "default": 4},
    "size": {"allowed": ["1280x720", "720x1280"], "default": "1280x720"},
    "orientation": {"values": {"landscape": "16:9"}, "default": "landscape"},
    "images": {"most": 1, "style": "url"},
    "parameters": {"mood": {"allowed": ["calm", "wild"]}, "seed": {"type": "integer"}},
    "remix": {},
}
FOX = {
    "name": "fox",
    "title": "Fox",
    "contract": "openai",
    "base_url": "https://fox.example/v1",
    "default_model": "fox-1",
    "prompt_most": 500,
    "modes": [MODE],
    "prices": [{"model": "fox-1", "amount": "0.1", "per": "second", "as_of": "2026-11-21", "source": "a page"}],
}


def changed(path, value):
    """The profile with one value put in another's place."""
    data = copy.deepcopy(FOX)
    place = data
    *way, last = path.split("/")
    for step in way:
        place = place[int(step)] if step.isdigit() else place.setdefault(step, {})
    if value is None:
        del place[last]
    else:
        place[int(last) if last.isdigit() and isinstance(place, list) else last] = value
    return data


def test_what_the_others_change_agrees_with_itself():
    """The profile that each test below spoils in one place is right."""
    assert Profile.model_validate(FOX).name == "fox"


@pytest.mark.parametrize(
    ("path", "value", "place", "words"),
    [
        ("default_model", "fox-3", "default_model", "fox-3 is not among what there is: fox-1, fox-2."),
        ("base_url", "fox.example", "base_url", "is no address"),
        ("base_url", "ftp://fox.example", "base_url", "is no address"),
        ("base_url", "http://[fox", "base_url", "is no address"),
        ("retired_models", {"fox-9": "2026-01-01"}, "retired_models.fox-9", "fox-9 is not among"),
        ("results", ["a..b"], "results.0", '"a..b" is no path'),
        ("results", ["data[0].url"], "results.0", "is no path"),
        ("modes/0/results", ["content", "$.url"], "modes.0.results.1", '"$.url" is no path'),
        ("id_path", "data/id", "id_path", "is no path"),
        ("status_path", "data[", "status_path", "is no path"),
        ("words", {"Done": "succeeded"}, "words.Done", "small letters"),
        ("refusals", {"No Channel": "row"}, "refusals.No Channel", "small letters"),
        ("paths", {"status": "/v/status"}, "paths.status", "Put {id} into it"),
        ("paths", {"content": "/v/content"}, "paths.content", "Put {id} into it"),
        ("paths", {"submit": "videos"}, "paths.submit", "does not begin with a slash"),
        ("limits", {"batch_query": 20}, "limits.batch_query", "acedata only"),
        ("modes/0/default_model", "fox-3", "modes.0.default_model", "fox-3 is not among"),
        ("modes/0/seconds/default", 5, "modes.0.seconds.default", "5 is not among what there is: 4, 8."),
        ("modes/0/seconds/only", {"6": ["fox-1"]}, "modes.0.seconds.only.6", "6 is not among"),
        ("modes/0/seconds/only", {"8": ["fx-1"]}, "modes.0.seconds.only.8", "fx-1 is not among"),
        ("modes/0/seconds", {"least": 3, "default": 3}, "modes.0.seconds.most", "go together"),
        ("modes/0/seconds", {"most": 3, "default": 3}, "modes.0.seconds.least", "go together"),
        ("modes/0/seconds", {"least": 9, "most": 3, "default": 5}, "modes.0.seconds.most", "3 is less than `least`, 9"),
        ("modes/0/seconds/suffix", "s", None, None),
        (
            "modes/0/seconds",
            {"allowed": [4], "default": 4, "type": "integer", "suffix": "s"},
            "modes.0.seconds.suffix",
            "needs `type: string`",
        ),
        ("modes/0/size/default", "1x1", "modes.0.size.default", "1x1 is not among"),
        ("modes/0/size/only", {"1x1": ["fox-1"]}, "modes.0.size.only.1x1", "1x1 is not among"),
        ("modes/0/size/doubtful", {"1280x720": ["f"]}, "modes.0.size.doubtful.1280x720", "f is not among"),
        ("modes/0/size/any_pixels", True, None, None),
        ("modes/0/orientation/default", "portrait", "modes.0.orientation.default", "portrait is not among"),
        ("modes/0/images", {"least": 2, "most": 1}, "modes.0.images.most", "1 is less than `least`, 2"),
        ("modes/0/images", {"most": 1, "forms": []}, "modes.0.images.forms", "is empty"),
        ("modes/0/images", {"most": 2, "style": "object"}, "modes.0.images.style", "object holds one image"),
        (
            "modes/0/images",
            {"most": 2, "style": "each", "fields": ["a"]},
            "modes.0.images.fields",
            "names 1, but up to 2",
        ),
        ("modes/0/images", {"most": 1, "forms": ["file"]}, "modes.0.images.forms", "needs `encoding: auto`"),
        ("modes/0/parameters/mood/default", "sad", "modes.0.parameters.mood.default", "sad is not among"),
        ("modes/0/parameters/mood/only", {"sad": ["fox-1"]}, "modes.0.parameters.mood.only.sad", "sad is not among"),
        ("modes/0/parameters/mood/models", ["fox-7"], "modes.0.parameters.mood.models", "fox-7 is not among"),
        ("modes/0/parameters/mood/needs", {"sea": []}, "modes.0.parameters.mood.needs.sea", "sea is not among"),
        ("modes/0/parameters/mood/excludes", ["sea"], "modes.0.parameters.mood.excludes.sea", "sea is not among"),
        ("modes/0/parameters/seed/allowed", ["1"], "modes.0.parameters.seed.allowed.0", "'1' is no integer"),
        ("modes/0/parameters/seed", {"type": "integer", "least": 9, "most": 1}, "modes.0.parameters.seed.most", "less"),
        ("modes/0/parameters/mood/multiplies_price", True, "modes.0.parameters.mood.multiplies_price", "integer"),
        ("modes/0/fixed", {"mood": "calm"}, "modes.0.parameters.mood", "is in `fixed` too"),
        ("modes/0/remix", {"path": "/remix"}, "modes.0.remix.path", "does not name the other clip"),
        ("modes/0/contract", "acedata", "modes.0.remix.field", "names the other clip in a field"),
        ("prices/0/model", "fox-3", "prices.0.model", "fox-3 is not among"),
        ("prices/0/mode", "film", "prices.0.mode", "film is not among what there is: video."),
        ("prices/0/parameters", {"moood": "calm"}, "prices.0.parameters.moood", "moood is not among"),
        ("prices/0/parameters", {"mood": "calm"}, None, None),
        ("prices/0/model", "*", None, None),
    ],
)
def test_what_contradicts_something_else_is_said_at_its_place(path, value, place, words):
    """Each contradiction that would be silently wrong at the first order is refused, with the way to it."""
    if place is None:
        Profile.model_validate(changed(path, value))
        return
    with pytest.raises(ValidationError) as refused:
        Profile.model_validate(changed(path, value))
    found = {".".join(map(str, each["loc"])): each["msg"] for each in refused.value.errors()}
    assert place in found
    assert words in found[place]


def test_two_modes_of_one_name_are_refused():
    """An order names its mode; of two with one name only the first would ever be used."""
    with pytest.raises(ValidationError, match="is the name of another mode too"):
        Profile.model_validate({**FOX, "modes": [MODE, MODE]})


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ({"most": 1}, "Write \\[base64\\]"),
        ({"most": 3, "forms": ["base64"]}, "no more images"),
        ({"most": 1, "forms": ["file"]}, "Write \\[base64\\]"),
    ],
)
def test_what_veo_cannot_send_is_refused(images, words):
    """That contract takes the bytes of at most two pictures."""
    mode = {"name": "veo", "contract": "veo", "models": ["v"], "images": images}
    with pytest.raises(ValidationError, match=words):
        Profile.model_validate({**FOX, "encoding": "auto", "modes": [MODE, mode]})


def test_several_images_and_an_uploaded_file_do_not_go_together():
    """A form has one file; the other images would be lost."""
    mode = {**MODE, "images": {"most": 2, "forms": ["url", "file"]}}
    with pytest.raises(ValidationError, match="sends one image"):
        Profile.model_validate({**FOX, "encoding": "auto", "modes": [mode]})


def test_an_image_that_must_match_needs_a_size():
    """Without a size there is nothing that the pixels could be equal to."""
    mode = {key: value for key, value in MODE.items() if key != "size"}
    mode["images"] = {"most": 1, "style": "url", "must_match_size": True}
    with pytest.raises(ValidationError, match="needs a `size` to match"):
        Profile.model_validate({**FOX, "modes": [mode]})


def test_everything_that_is_wrong_is_said_at_once():
    """One look at the messages is enough to mend the file."""
    with pytest.raises(ValidationError) as refused:
        Profile.model_validate({**FOX, "default_model": "x", "base_url": "y", "words": {"Z": "failed"}})
    assert {each["loc"][0] for each in refused.value.errors()} == {"default_model", "base_url", "words"}


def test_a_slash_at_the_end_of_an_address_does_no_harm():
    """Paths begin with one; two would be another address."""
    assert Profile.model_validate({**FOX, "base_url": " https://fox.example/v1/ "}).base_url == "https://fox.example/v1"


@pytest.mark.parametrize(("open_models", "fits"), [(True, True), (False, False)])
def test_an_open_profile_may_price_what_it_does_not_list(open_models, fits):
    """Where any model may be named, a price list may know more than the modes."""
    data = changed("prices/0/model", "fox-9") | {"open_models": open_models}
    if fits:
        Profile.model_validate(data)
    else:
        with pytest.raises(ValidationError):
            Profile.model_validate(data)
