from __future__ import annotations

import copy

import pytest
from pydantic import ValidationError

from pipelines.providers.profile.checks.agreement import checked_profile

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
    "supports": ["list"],
    "modes": [MODE],
    "prices": [{"model": "fox-1", "amount": "0.1", "per": "second", "as_of": "2026-11-21", "source": "a page"}],
}


DESCRIBED = {
    "name": "own",
    "title": "An API of its own",
    "contract": "described",
    "base_url": "https://own.example/v1",
    "default_model": "a/b",
    "prompt_most": 500,
    "supports": ["list"],
    "paths": {"submit": "/models/{model}/jobs", "status": "/jobs/{id}", "list": "/jobs"},
    "id_path": "id",
    "status_path": "state",
    "words": {"ready": "succeeded", "broken": "failed"},
    "results": ["files[].href"],
    "answers": {"error_message": "why"},
    "modes": [{"name": "clip", "models": ["a/b"], "model_field": None, "prompt_field": "input.prompt"}],
}


def changed(path, value, profile=FOX):
    """The profile with one value put in another's place."""
    data = copy.deepcopy(profile)
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
    assert checked_profile(FOX).name == "fox"


@pytest.mark.parametrize(
    ("path", "value", "place", "words"),
    [
        ("default_model", "fox-3", "default_model", "fox-3 is not among what there is: fox-1, fox-2."),
        ("base_url", "fox.example", "base_url", "is no address"),
        ("base_url", "ftp://fox.example", "base_url", "is no address"),
        ("base_url", "http://[fox", "base_url", "is no address"),
        ("base_url", "https://fox.example:99999/v1", "base_url", "is no address"),
        ("base_url", "https://fox.example:abc/v1", "base_url", "is no address"),
        ("base_url", "https://foo..example/v1", "base_url", "is no address"),
        ("base_url", f"https://{'x' * 64}.example", "base_url", "is no address"),
        ("base_url", "https://xn--\u00e4.example", "base_url", "is no address"),
        ("base_url", "https://me:sesame@fox.example/v1", "base_url", "it carries credentials"),
        ("base_url", "https://fox.example/v1?api-version=1", "base_url", "it can have no ? or #"),
        ("base_url", "https://fox.example/v1#top", "base_url", "it can have no ? or #"),
        ("base_url", "https://fox.example/v 1", "base_url", "it has a space in it"),
        ("retired_models", {"fox-9": "2026-01-01"}, "retired_models.fox-9", "fox-9 is not among"),
        ("encoding", "urlencoded", "encoding", "has no effect with the contract openai: only described honours it"),
        ("results", ["a..b"], "results.0", '"a..b" is no path'),
        ("results", ["data[0].url"], "results.0", "is no path"),
        ("modes/0/results", ["content", "$.url"], "modes.0.results.1", '"$.url" is no path'),
        ("id_path", "data/id", "id_path", "is no path"),
        ("status_path", "data[", "status_path", "is no path"),
        ("words", {"Done": "succeeded"}, "words.Done", "small letters"),
        ("refusals", {"No Channel": "row"}, "refusals.No Channel", "small letters"),
        ("refusals", {"": "row"}, "refusals.", "is empty"),
        ("words", {" ": "failed"}, "words. ", "is empty"),
        ("errors", {"": "row"}, "errors.", "is empty"),
        ("paths", {"status": "/v/status"}, "paths.status", "Put {id} into it"),
        ("paths", {"content": "/v/content"}, "paths.content", "Put {id} into it"),
        ("paths", {"submit": "videos"}, "paths.submit", "does not begin with a slash"),
        ("paths", {"submit": "/v/{id}"}, "paths.submit", "nothing is filled in here"),
        ("paths", {"submit": "/{service}/v"}, "paths.submit", "nothing is filled in here"),
        ("paths", {"submit": "/v#x"}, "paths.submit", "has a space or a # in it"),
        ("paths", {"submit": "/v 1"}, "paths.submit", "has a space or a # in it"),
        ("paths", {"submit": "/v?kind=short"}, None, None),
        ("paths", {"status": "/v/{id}/{x}"}, "paths.status", "nothing is filled in but {id}"),
        ("paths", {"status": "/v/{id.__class__}/{id}"}, "paths.status", "nothing is filled in but {id}"),
        ("paths", {"list": "/v?all=1"}, "paths.list", "has a query"),
        ("limits", {"batch_query": 20}, "limits.batch_query", "acedata only"),
        ("modes/0/default_model", "fox-3", "modes.0.default_model", "fox-3 is not among"),
        ("modes/0/seconds/default", 5, "modes.0.seconds.default", "5 is not among what there is: 4, 8."),
        ("modes/0/seconds/only", {"6": ["fox-1"]}, "modes.0.seconds.only.6", "6 is not among"),
        ("modes/0/seconds/only", {"8": ["fx-1"]}, "modes.0.seconds.only.8", "fx-1 is not among"),
        ("modes/0/seconds", {"least": 3, "default": 3}, "modes.0.seconds.most", "go together"),
        ("modes/0/seconds", {"most": 3, "default": 3}, "modes.0.seconds.least", "go together"),
        ("modes/0/seconds", {"least": 9, "most": 3, "default": 5}, "modes.0.seconds.most", "3 is less than `least`, 9"),
        ("modes/0/seconds/suffix", "s", None, None),
        ("modes/0/seconds/suffix", "0", "modes.0.seconds.suffix", "would make another number"),
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
        ("modes/0/size/within", "1920x1080", "modes.0.size.within", "needs `any_pixels: true`"),
        (
            "modes/0/size",
            {"allowed": ["a"], "default": "a", "any_pixels": True, "least_side": 64, "within": "1920x63"},
            "modes.0.size.within",
            "1920x63 is smaller than `least_side`, 64.",
        ),
        ("modes/0/images", {"most": 1, "doubtful": ["base64"]}, "modes.0.images.doubtful", "base64 is not among"),
        ("modes/0/parameters/seed/shape", "list", "modes.0.parameters.seed.shape", "needs `type: json`"),
        ("modes/0/parameters/seed", {"type": "json", "keys": ["a"]}, "modes.0.parameters.seed.keys", "needs `shape:"),
        ("modes/0/parameters/seed", {"type": "json", "shape": "objects", "keys": ["a"]}, None, None),
        (
            "not_offered",
            {"mood": "Give a look."},
            "not_offered.mood",
            "parameters` of the mode video: it has an effect",
        ),
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
        ("modes/0/parameters/mood/excludes", {"sea": []}, "modes.0.parameters.mood.excludes.sea", "sea is not among"),
        ("modes/0/parameters/seed/allowed", ["1"], "modes.0.parameters.seed.allowed.0", "'1' is no integer"),
        ("modes/0/parameters/seed", {"type": "integer", "least": 9, "most": 1}, "modes.0.parameters.seed.most", "less"),
        ("modes/0/parameters/mood/multiplies_price", True, "modes.0.parameters.mood.multiplies_price", "integer"),
        ("modes/0/remix", {"path": "/remix"}, "modes.0.remix.path", "does not name the other clip"),
        ("modes/0/remix", {"path": "/v/{id}/{x}"}, "modes.0.remix.path", "nothing is filled in but {id}"),
        ("modes/0/remix", {"path": "/v/{id}/}"}, "modes.0.remix.path", "has braces in it"),
        ("modes/0/remix", {"path": "v/{id}"}, "modes.0.remix.path", "does not begin with a slash"),
        ("modes/0/remix", {"path": "https://evil.example/{id}"}, "modes.0.remix.path", "does not begin with a slash"),
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
        checked_profile(changed(path, value))
        return
    with pytest.raises(ValidationError) as refused:
        checked_profile(changed(path, value))
    found = {".".join(map(str, each["loc"])): each["msg"] for each in refused.value.errors()}
    assert place in found
    assert words in found[place]


def test_two_modes_of_one_name_are_refused():
    """An order names its mode; of two with one name only the first would ever be used."""
    with pytest.raises(ValidationError, match="is the name of another mode too"):
        checked_profile({**FOX, "modes": [MODE, MODE]})


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
        checked_profile({**FOX, "encoding": "auto", "modes": [MODE, mode]})


def test_several_images_and_an_uploaded_file_do_not_go_together():
    """A form has one file; the other images would be lost."""
    mode = {**MODE, "images": {"most": 2, "forms": ["url", "file"]}}
    with pytest.raises(ValidationError, match="sends one image"):
        checked_profile({**FOX, "encoding": "auto", "modes": [mode]})


def test_an_image_that_must_match_needs_a_size():
    """Without a size there is nothing that the pixels could be equal to."""
    mode = {key: value for key, value in MODE.items() if key != "size"}
    mode["images"] = {"most": 1, "style": "url", "must_match_size": True}
    with pytest.raises(ValidationError, match="needs a `size` to match"):
        checked_profile({**FOX, "modes": [mode]})


def test_everything_that_is_wrong_is_said_at_once():
    """One look at the messages is enough to mend the file."""
    with pytest.raises(ValidationError) as refused:
        checked_profile({**FOX, "default_model": "x", "base_url": "y", "words": {"Z": "failed"}})
    assert {each["loc"][0] for each in refused.value.errors()} == {"default_model", "base_url", "words"}


def test_a_slash_at_the_end_of_an_address_does_no_harm():
    """Paths begin with one; two would be another address."""
    assert checked_profile({**FOX, "base_url": " https://fox.example/v1/ "}).base_url == "https://fox.example/v1"


@pytest.mark.parametrize(("open_models", "fits"), [(True, True), (False, False)])
def test_an_open_profile_may_price_what_it_does_not_list(open_models, fits):
    """Where any model may be named, a price list may know more than the modes."""
    data = changed("prices/0/model", "fox-9") | {"open_models": open_models}
    if fits:
        checked_profile(data)
    else:
        with pytest.raises(ValidationError):
            checked_profile(data)


@pytest.mark.parametrize(
    ("path", "value", "place", "taken"),
    [
        ("seconds/field", "prompt", "seconds.field", "prompt_field"),
        ("seconds/field", "model", "seconds.field", "model_field"),
        ("size/field", "seconds", "size.field", "seconds"),
        ("orientation/field", "size", "orientation.field", "size"),
        ("images", {"most": 1, "style": "url", "field": "prompt"}, "images.field", "prompt_field"),
        ("images", {"most": 2, "style": "each", "fields": ["a", "a"]}, "images.fields.1", "images"),
        ("callback_field", "prompt", "callback_field", "prompt_field"),
        ("parameters/mood", {"field": "prompt"}, "parameters.mood", "prompt_field"),
        ("parameters/mood", {"field": "seed"}, "parameters.seed", "parameters.mood"),
        ("parameters/model", {}, "parameters.model", "model_field"),
        ("remix", {"field": "prompt"}, "remix.field", "prompt_field"),
        ("character", True, None, None),
        ("parameters/character_url", {}, None, None),
        ("fixed", {"seconds": "12"}, "fixed.seconds", "seconds"),
        ("fixed", {"prompt": "a cat"}, "fixed.prompt", "prompt_field"),
        ("fixed", {"model": "fox-2"}, "fixed.model", "model_field"),
        ("fixed", {"mood": "calm"}, "fixed.mood", "parameters.mood"),
        ("remix", {"fixed": {"seconds": "12"}}, "remix.fixed.seconds", "seconds"),
        ("fixed", {"quality": "high"}, None, None),
    ],
)
def test_each_field_of_a_request_is_taken_once(path, value, place, taken):
    """Of two values under one name only one would be sent: another clip would be bought than was planned."""
    data = changed(f"modes/0/{path}", value)
    if place is None:
        checked_profile(data)
        return
    with pytest.raises(ValidationError) as refused:
        checked_profile(data)
    found = {".".join(map(str, each["loc"])): each["msg"] for each in refused.value.errors()}
    assert f"is the field of `{taken}` too" in found[f"modes.0.{place}"]


def test_what_is_fixed_for_all_modes_leaves_an_order_as_it_is():
    """A plan that says four seconds is never sent as twelve; what only a column could change may be fixed for all."""
    with pytest.raises(ValidationError, match="is the field of `seconds` too"):
        checked_profile({**FOX, "fixed": {"seconds": "12"}})
    checked_profile({**FOX, "fixed": {"mood": "calm", "async": True}})
    veo = {"name": "veo", "contract": "veo", "models": ["v"], "seconds": {"allowed": [8], "default": 8}}
    checked_profile({**FOX, "default_model": "v", "prices": [], "modes": [veo], "fixed": {"seconds": 12}})
    with pytest.raises(ValidationError, match="is the field of `parameters` too"):
        checked_profile({**FOX, "default_model": "v", "prices": [], "modes": [veo], "fixed": {"parameters": {}}})


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"type": "integer", "default": "foo"}, "'foo' is no integer"),
        ({"type": "integer", "default": 2.5}, "2.5 is no integer"),
        ({"type": "number", "default": True}, "True is no number"),
        ({"type": "boolean", "default": "yes"}, "'yes' is no boolean"),
        ({"type": "list", "default": "a"}, "'a' is no list"),
        ({"type": "list", "allowed": ["a", "b"], "default": ["a", "c"]}, "c is not among"),
        ({"type": "integer", "least": 1, "default": -3}, "-3 is less than `least`, 1"),
        ({"type": "number", "most": 1, "default": 1.5}, "1.5 is more than `most`, 1"),
        ({"most": 3, "default": "four"}, "has 4 characters; `most` is 3"),
        ({"only": {"4k": ["fox-2"]}, "default": "4k"}, "4k is not taken by fox-1, and would be sent"),
        ({"only": {"4k": ["fox-2"]}, "models": ["fox-2"], "default": "4k"}, None),
        ({"type": "list", "allowed": ["a", "b"], "default": ["a"]}, None),
        ({"type": "integer", "least": 1, "most": 4, "default": 4}, None),
    ],
)
def test_a_default_is_a_value_that_a_row_could_give(rule, words):
    """A default is sent by every row that says nothing, so it is held against type, range and allowed values at once."""
    data = changed("modes/0/parameters/extra", rule)
    if words is None:
        checked_profile(data)
        return
    with pytest.raises(ValidationError) as refused:
        checked_profile(data)
    (error,) = refused.value.errors()
    assert error["loc"] == ("modes", 0, "parameters", "extra", "default")
    assert words in error["msg"]


@pytest.mark.parametrize(
    ("ends", "fits"),
    [
        ({"least": 1, "most": 4}, True),
        ({"allowed": [1, 2, 4]}, True),
        ({}, False),
        ({"least": 1}, False),
        ({"least": 0, "most": 4}, False),
        ({"least": -3, "most": 4, "default": -3}, False),
        ({"least": 1, "most": 10**15}, False),
        ({"allowed": [0, 1]}, False),
    ],
)
def test_a_factor_of_the_price_is_one_or_more(ends, fits):
    """No number of clips makes an order free, or gives money back to the budget."""
    data = changed("modes/0/parameters/count", {"type": "integer", "multiplies_price": True} | ends)
    if fits:
        checked_profile(data)
        return
    with pytest.raises(ValidationError, match="needs `least: 1` or more"):
        checked_profile(data)


@pytest.mark.parametrize(
    ("contract", "remix", "words"),
    [
        ("acedata", {"path": "/again/{id}"}, None),
        ("acedata", {"path": "/{service}/again/{id}"}, "nothing is filled in but"),
        ("fal", {"field": "source"}, None),
        ("fal", {"path": "/again/{id}"}, "not for the contract fal"),
        ("veo", {"field": "source"}, "not made by the contract veo"),
    ],
)
def test_a_remix_is_one_in_the_protocol_of_its_mode(contract, remix, words):
    """A protocol that would not send the other clip's id would sell a new clip as a remix."""
    mode = {"name": "other", "contract": contract, "models": ["fox-1"], "remix": remix}
    data = {**FOX, "modes": [MODE, mode]}
    if words is None:
        checked_profile(data)
        return
    with pytest.raises(ValidationError, match=words):
        checked_profile(data)


def test_a_secret_in_an_address_is_not_repeated():
    """Whoever put credentials into a profile does not find them on the terminal."""
    with pytest.raises(ValidationError) as refused:
        checked_profile({**FOX, "base_url": "https://me:sesame@fox.example/v1"})
    assert all("sesame" not in error["msg"] for error in refused.value.errors())


@pytest.mark.parametrize(
    ("path", "value", "place", "words"),
    [
        ("id_path", None, "id_path", "is missing"),
        ("status_path", None, "status_path", "is missing"),
        ("results", None, "results", "is missing"),
        ("answers/done", "over", "answers.done", "without words"),
        ("words/ready", "running", "words", "no job would ever end"),
        ("paths/submit", None, "paths.submit", "is missing"),
        ("paths/status", None, "paths.status", "or `answers.status_url`"),
        ("paths/status", "/jobs", "paths.status", "Put {id} into it"),
        ("paths/status", "/jobs/{id}/{job}", "paths.status", "filled with nothing"),
        ("paths/submit", "/{mdoel}", "paths.submit", 'Did you mean "model"?'),
        ("paths/submit", "/v/../{model}", "paths.submit", "leads elsewhere"),
        ("paths/submit", "/v//{model}", "paths.submit", "a part of it is empty"),
        ("paths/submit", "v/{model}", "paths.submit", "begin with a slash"),
        ("paths/submit", "/v#x={model}", "paths.submit", "percent-encoded"),
        ("paths/submit", "/v?{model}", "paths.submit", "no query that could be sent"),
        ("paths/result", "/jobs/{id}/r", None, None),
        ("paths/content", "/jobs/{id}/file", "paths.content", "does not name `content`"),
        ("modes/0/models", ["a/b", "../c"], "modes.0.models.1", "leads elsewhere"),
        ("modes/0/models", ["a/b", "a//b"], "modes.0.models.1", "a part of it is empty"),
        ("paths/status", "/jobs?id={id}&x", "paths.status", "no query that could be sent"),
        ("paths/status", "/{app}/jobs/{id}", "paths.status", '"{app}" is filled with nothing'),
        ("paths/result", "/files?file_id={result_id}", "paths.result", '"{result_id}" is filled with nothing'),
        ("answers/result_id", "file.id", "answers.result_id", "no gap {result_id}"),
        ("answers/trace", "a b", "answers.trace", "is no path"),
        ("answers/moderation_words", ["NSFW"], "answers.moderation_words.0", "small letters"),
        ("supports", [], "paths.list", "without `supports: [list]`"),
        ("modes/0/paths", {"status": "/own/{id}"}, "paths.status", "every mode has its own"),
        ("modes/0/results", ["clip.href"], "results", "every mode has its own"),
        ("service", "kling", "service", "has no effect with the contract described: only acedata honours it"),
        ("modes/0/prompt_field", "input..prompt", "modes.0.prompt_field", "names no field"),
        ("modes/0/seconds", {"allowed": [5], "default": 5, "field": "input"}, "modes.0.seconds.field", "would be lost"),
        ("modes/0/fixed", {"input": {"prompt": "x"}}, "modes.0.fixed.input", "would be lost"),
        ("modes/0/fixed", {"input": {"other": "x"}}, None, None),
        ("modes/0/seconds", {"allowed": [5], "default": 5, "unit": "frame"}, "modes.0.seconds.fps", "go together"),
        (
            "modes/0/seconds",
            {"allowed": [5], "default": 5, "more_frames": 1},
            "modes.0.seconds.more_frames",
            "no effect",
        ),
        ("modes/0/size", {"allowed": ["1x1"], "default": "1x1", "width_field": "w"}, "modes.0.size", "together"),
        (
            "modes/0/size",
            {"allowed": ["hd"], "default": "hd", "ratio_field": "r"},
            "modes.0.size.allowed",
            "cannot be divided",
        ),
        (
            "modes/0/size",
            {"allowed": ["1x1"], "default": "1x1", "ratio_field": "r", "field": "s"},
            "modes.0.size.field",
            "no effect",
        ),
        ("modes/0/images", {"field": "input.image"}, "modes.0.images.field", "`most` is 0"),
        (
            "modes/0/images",
            {"most": 1, "style": "url", "type_field": "t"},
            "modes.0.images.type_field",
            "no media type",
        ),
        ("answers/list_next", "paging.next", None, None),
        ("answers/list_next", "a..b", "answers.list_next", "is no path"),
        ("answers/list_cursor", "after", "answers.list_cursor", "no effect without `list_next`"),
        ("paths/cancel", "/jobs/{id}/cancel", None, None),
        ("paths/cancel", "/cancel", "paths.cancel", "Put {id} into it"),
        ("cancel_method", "PUT", "cancel_method", "no effect without `paths.cancel`"),
        ("cancel_method", "DELETE", "cancel_method", "should be 'POST' or 'PUT'"),
        ("bills_cancelled", "no", "bills_cancelled", "without a word for `cancelled`"),
        ("answers/list_page", "page", None, None),
        ("answers/list_offset", "page number", "answers.list_offset", "should match"),
        ("answers/list_first", 0, "answers.list_first", "no effect without `list_page`"),
        ("encoding", "urlencoded", None, None),
        ("auth", {"by": "query", "scheme": "Key"}, "auth.scheme", "has no effect with `by: query`"),
        ("auth", {"by": "jwt", "query": "k"}, "auth.query", "has no effect"),
        ("auth", {"lasts_s": 90}, "auth.lasts_s", "has no effect"),
        ("headers", {"Authorization": "x"}, "headers.Authorization", "is set already"),
        ("headers", {"X-A": "1", "x-a": "2"}, "headers.x-a", "is set already"),
        ("headers", {"X A": "1"}, "headers.X A", "is no name"),
        ("headers", {"X-A": "a\nb"}, "headers.X-A", "no header can carry"),
        ("idempotency_header", "Host", "idempotency_header", "another header"),
        ("modes/0/headers", {"Content-Type": "x"}, "modes.0.headers.Content-Type", "is set already"),
        (
            "modes/0/orientation",
            {"values": {"wide": "16:9"}, "default": "wide"},
            "modes.0.orientation.values.wide",
            "no shape",
        ),
    ],
)
def test_a_described_contract_is_whole_and_has_nothing_idle(path, value, place, words):
    """What is needed is missed, what leads nowhere is refused, and so is every key that nobody reads, with who would."""
    data = changed(path, value, DESCRIBED)
    if place is None:
        assert checked_profile(data).name == "own"
        return
    with pytest.raises(ValidationError) as refused:
        checked_profile(data)
    found = {".".join(map(str, each["loc"])): each["msg"] for each in refused.value.errors()}
    assert words in found[place], found


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("answers", {"done": "x"}, "answers"),
        ("paths", {"result": "/r/{id}"}, "paths.result"),
        ("service", "kling", "service"),
        ("modes/0/paths", {"submit": "/x"}, "modes.0.paths"),
        ("auth", {"file_hosts": ["files.example"]}, "auth.file_hosts"),
    ],
)
def test_what_another_contract_honours_says_which(path, value, place):
    """A key that the contract of a profile does not read is refused with the one that does."""
    with pytest.raises(ValidationError) as refused:
        checked_profile(changed(path, value))
    found = {".".join(map(str, each["loc"])): each["msg"] for each in refused.value.errors()}
    assert "has no effect with the contract openai: only" in found[place]


def test_a_described_contract_stands_alone():
    """Modes of other contracts would read its answers in another way: they belong into a profile of their own."""
    modes = [*DESCRIBED["modes"], MODE | {"name": "other", "contract": "openai"}]
    with pytest.raises(ValidationError, match="described is not mixed with others"):
        checked_profile(DESCRIBED | {"modes": modes})


def test_a_cursor_is_sent_once():
    """A parameter of every list cannot be that which turns its pages."""
    turned = {"answers": {"list_next": "next", "list_cursor": "after"}, "list_parameters": {"after": "x"}}
    with pytest.raises(ValidationError, match="it would be sent twice"):
        checked_profile(DESCRIBED | turned)
    listed = {"supports": ["list"], "paths": DESCRIBED["paths"] | {"list": "/jobs?page=1"}}
    with pytest.raises(ValidationError, match=r"names page, which stands in `paths\.list` as well"):
        checked_profile(DESCRIBED | listed | {"answers": {"list_page": "page"}})


def test_pages_are_turned_in_one_way():
    """A number and an offset, or a number and an address, would contradict each other."""
    listed = {"supports": ["list"], "paths": DESCRIBED["paths"] | {"list": "/jobs"}}
    for other in ({"list_offset": "skip"}, {"list_next": "next"}):
        with pytest.raises(ValidationError, match="pages are turned in one way"):
            checked_profile(DESCRIBED | listed | {"answers": {"list_page": "page", **other}})


def test_a_form_of_text_takes_no_file():
    """A picture of `form: file` would need another encoding than `urlencoded`."""
    images = {"most": 1, "style": "url", "forms": ["file"]}
    with pytest.raises(ValidationError, match="needs `encoding: auto`"):
        checked_profile(changed("modes/0/images", images, DESCRIBED | {"encoding": "urlencoded"}))
