from __future__ import annotations

from datetime import UTC, date, datetime
from typing import get_args

import pytest
from pydantic import BaseModel, ValidationError

from pipelines.batch.columns.names import canonical_name
from pipelines.batch.matching.fitting import RequestedClip
from pipelines.batch.matching.mode import best_fit
from pipelines.core.errors import SetupError
from pipelines.net.addresses import Origin, is_own
from pipelines.providers.client import CONTRACTS
from pipelines.providers.profile import model as profile_module
from pipelines.providers.profile.load import profile_named, shipped_profiles
from pipelines.providers.profile.model import Profile, SandboxDialect
from pipelines.sandbox.vendors.hosted.vendors import HOSTED_NAMES
from pipelines.sandbox.vendors.openai.dialects import DIALECTS

NAMES = sorted(shipped_profiles())
DESCRIBED = ("ark", "dashscope", "fal", "google-veo", "kling", "luma", "minimax", "replicate", "runway", "vidu")
SISTERS = ("hailuo", "happyhorse", "kling", "luma", "maestro", "seedance", "veo", "wan")
LOCAL = ("litellm", "new-api", "sglang", "vllm-omni")


def test_what_is_shipped():
    """Both vendors, each of Ace's sister services, every kind of server that carries OpenAI's contract on, and ten APIs as data."""
    named = ["acedata", "openai", "qiniu", *(f"acedata-{name}" for name in SISTERS)]
    assert sorted([*named, *LOCAL, *DESCRIBED]) == NAMES
    for name in DESCRIBED:
        profile = profile_named(name)
        assert profile.contract == "described"
        assert profile.from_documents is not None


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_makes_sense(name):
    """Contracts exist, each mode has a price for its models, prices say where they are from, and limits are limits."""
    profile = profile_named(name)
    assert profile.name == name
    assert not profile.base_url.endswith("/")
    variable = name.upper().replace("-", "_")
    assert profile.key_names[0] == f"{variable}_API_KEY"
    assert profile.base_url_names[0] == f"{variable}_BASE_URL"
    for mode in profile.modes:
        assert profile.contract_of(mode.name) in CONTRACTS
        assert profile.mode(mode.name) is mode
        priced = {price.model for price in profile.prices if price.mode in (None, mode.name)}
        assert "*" in priced or profile.open_models or priced >= set(mode.models), mode.name
    for price in profile.prices:
        assert price.as_of <= datetime.now(UTC).date()
        assert price.source
    assert all(seconds > 0 for seconds in profile.timing.typical.values())
    assert profile.notes


@pytest.mark.parametrize("name", NAMES)
def test_every_mode_of_a_profile_can_be_ordered_by_columns(name):
    """No parameter has the name of a column that means something else, so that it would never be asked for."""
    for mode in profile_named(name).modes:
        for parameter in mode.parameters:
            assert canonical_name(parameter) is None


@pytest.mark.parametrize("name", [*LOCAL])
def test_a_server_of_ones_own_is_near_and_needs_no_vendor(name):
    """Its address is this machine; where nobody asks for a key, none is needed; and it costs nothing, or says it may."""
    profile = profile_named(name)
    assert is_own(profile.base_url)
    assert profile.needs_key is (name in ("litellm", "new-api"))
    assert all(price.amount == 0 for price in profile.prices) == (not profile.needs_key)
    assert profile.retired_on is None


@pytest.mark.parametrize("name", [*(f"acedata-{name}" for name in SISTERS), "acedata", "openai", "qiniu"])
def test_a_vendor_is_spoken_to_in_secret(name):
    """A key goes over https, to the vendor's own host."""
    origin = Origin.of(profile_named(name).base_url)
    assert (origin.scheme, origin.port) == ("https", 443)
    assert not is_own(profile_named(name).base_url)


@pytest.mark.parametrize("name", SISTERS)
def test_a_sister_service_is_the_same_account_elsewhere(name):
    """One token and one host serve all of Ace; only the path, the modes and the shapes differ."""
    profile, sora = profile_named(f"acedata-{name}"), profile_named("acedata")
    assert profile.service == name
    assert (profile.base_url, profile.errors, profile.callback_field) == (
        sora.base_url,
        sora.errors,
        sora.callback_field,
    )
    assert {"ACEDATA_API_KEY", "ACEDATACLOUD_API_TOKEN"} < set(profile.key_names)
    assert {"ACEDATA_BASE_URL", "ACEDATACLOUD_API_BASE_URL"} < set(profile.base_url_names)
    assert (profile.sandbox, profile.bills_failures) == ("acedata", "no")
    assert profile.fixed == ({} if name == "maestro" else {"async": True})
    assert profile.limits.batch_query == (0 if name == "maestro" else 50)
    assert profile.results
    assert "sora" not in repr(profile.modes)


def test_t13_the_vendors_rates_are_defaults_only():
    """Ace's numbers come from one revision of an FAQ: five in flight, a submission each two seconds, one query a second."""
    limits = profile_named("acedata").limits
    assert (limits.in_flight, limits.submit_per_minute, limits.status_per_second) == (5, 30, 1)
    assert profile_named("acedata-kling").limits.submit_per_minute == 60


def test_t17_how_long_links_live_is_known_where_it_is_documented():
    """An hour at OpenAI, a week at Qiniu and two for its Veo, and six days to a month at Ace."""
    hours = {name: profile_named(name).timing.link_lifetime_hours for name in NAMES}
    assert (hours["openai"], hours["qiniu"], hours["acedata"], hours["acedata-veo"]) == (1, 168, 144, 720)
    assert profile_named("qiniu").mode("veo").timing.link_lifetime_hours == 336
    assert hours["litellm"] is None


def test_what_is_closed_is_marked():
    """OpenAI's own service and all its models closed on one day; servers that carry the contract on did not."""
    openai = profile_named("openai")
    assert openai.retired_on == date(2026, 9, 24)
    assert set(openai.retired_models) == set(openai.modes[0].models)


@pytest.mark.parametrize(
    ("name", "mode", "order", "price"),
    [
        ("openai", None, {"model": "sora-2-pro", "size": "1024x1792"}, "0.50"),
        ("openai", None, {"model": "sora-2-pro", "size": "1920x1080"}, "0.70"),
        ("openai", None, {"model": "sora-2-pro"}, "0.30"),
        ("openai", None, {"model": "another"}, None),
        *(
            (name, None, {"model": "sora-2-pro"} | ({"size": size} if size else {}), amount)
            for name in ("litellm", "new-api")
            for size, amount in [("1792x1024", "0.50"), ("1024x1792", "0.50"), ("1920x1080", "0.70"), (None, "0.30")]
        ),
        ("qiniu", "veo", {"model": "veo-3.0-generate-preview"}, "0.40"),
        ("qiniu", "kling-v3", {"model": "kling-v3"}, "0.10"),
        ("acedata-kling", "extend", {"model": "kling-v1", "seconds": None}, "0.20"),
        ("acedata-kling", "text", {"model": "kling-v1", "seconds": 5}, "0.04"),
        ("acedata-maestro", "film", {"model": "maestro", "extra": {"quality": "draft", "scenario": "drama"}}, "0.0547"),
        ("acedata-maestro", "film", {"model": "maestro", "extra": {"quality": "draft"}}, "0.0405"),
        ("acedata-maestro", "film", {"model": "maestro"}, "0.0810"),
        ("vllm-omni", None, {"model": "any"}, "0"),
    ],
)
def test_prices_go_from_the_special_to_the_general(order_of, name, mode, order, price):
    """The first row that fits is the price: larger pictures, longer clips and finer work have rows of their own."""
    found = profile_named(name).price_of(order_of(name, mode, **order))
    assert (found and str(found.amount)) == price


@pytest.mark.parametrize(
    ("name", "wish", "mode", "model"),
    [
        ("acedata-veo", RequestedClip(), "text", "veo3-fast"),
        ("acedata-veo", RequestedClip(images=1), "image", "veo3-fast"),
        ("acedata-veo", RequestedClip(images=3), "ingredients", "veo31-fast-ingredients"),
        ("acedata-veo", RequestedClip(given=(("video_id", "v"),)), "upscale", "veo3-fast"),
        ("acedata-kling", RequestedClip(), "text", "kling-v1"),
        ("acedata-kling", RequestedClip(images=2), "image", "kling-v1"),
        ("acedata-kling", RequestedClip(model="kling-v3", seconds=7), "v3-text", "kling-v3"),
        ("acedata-kling", RequestedClip(model="kling-v3-omni", images=2), "v3-image", "kling-v3-omni"),
        ("acedata-kling", RequestedClip(model="kling-v3-omni", images=5), "v3-reference", "kling-v3-omni"),
        ("acedata-kling", RequestedClip(model="kling-o1", images=1), "o1-image", "kling-o1"),
        ("acedata-kling", RequestedClip(given=(("video_id", "v"),)), "extend", "kling-v1"),
        ("acedata-luma", RequestedClip(), "text", "luma"),
        ("acedata-luma", RequestedClip(images=2), "image", "luma"),
        ("acedata-luma", RequestedClip(given=(("video_url", "https://x/v.mp4"),)), "extend-file", "luma"),
        ("acedata-wan", RequestedClip(), "text", "wan2.6-t2v"),
        ("acedata-wan", RequestedClip(images=1), "image", "wan2.6-i2v"),
        ("acedata-wan", RequestedClip(images=1, model="wan2.6-i2v-flash"), "image", "wan2.6-i2v-flash"),
        ("acedata-wan", RequestedClip(given=(("reference_video_urls", "https://x/v.mp4"),)), "reference", "wan2.6-r2v"),
        ("acedata-hailuo", RequestedClip(), "text", "minimax-t2v"),
        ("acedata-hailuo", RequestedClip(images=1), "image", "minimax-i2v"),
        ("acedata-seedance", RequestedClip(), "text", "doubao-seedance-1-0-pro-250528"),
        ("acedata-seedance", RequestedClip(images=2), "image", "doubao-seedance-1-0-pro-250528"),
        ("acedata-seedance", RequestedClip(images=4), "reference", "doubao-seedance-2-0-260128"),
        ("acedata-happyhorse", RequestedClip(), "text", "happyhorse-1.1-t2v"),
        ("acedata-happyhorse", RequestedClip(images=1), "image", "happyhorse-1.1-i2v"),
        ("acedata-happyhorse", RequestedClip(images=3), "reference", "happyhorse-1.1-r2v"),
        (
            "acedata-happyhorse",
            RequestedClip(given=(("video_url", "https://x/v.mp4"),)),
            "edit",
            "happyhorse-1.0-video-edit",
        ),
        ("acedata-maestro", RequestedClip(images=2), "film", "maestro"),
        ("acedata-maestro", RequestedClip(remix=True), "film", "maestro"),
        ("acedata", RequestedClip(), "v2", "sora-2"),
        ("acedata", RequestedClip(images=1), "v2", "sora-2"),
        ("acedata", RequestedClip(character=True), "v1", "sora-2"),
        ("qiniu", RequestedClip(), "video", "sora-2"),
        ("qiniu", RequestedClip(images=1), "video", "sora-2"),
        ("qiniu", RequestedClip(remix=True), "video", "sora-2"),
        ("qiniu", RequestedClip(model="kling-v2-1", images=1), "kling-v2-1", "kling-v2-1"),
        (
            "qiniu",
            RequestedClip(model="veo-3.1-generate-preview", images=1, local_images=1),
            "veo",
            "veo-3.1-generate-preview",
        ),
        (
            "qiniu",
            RequestedClip(model="fal-ai/vidu/q2/text-to-video"),
            "queue-vidu-q2-text",
            "fal-ai/vidu/q2/text-to-video",
        ),
        ("vllm-omni", RequestedClip(images=1), "video", "Wan-AI/Wan2.2-T2V-A14B-Diffusers"),
        ("sglang", RequestedClip(size="640x384", seconds=3), "video", "Wan-AI/Wan2.2-T2V-A14B-Diffusers"),
    ],
)
def test_what_a_row_gives_finds_its_mode(name, wish, mode, model):
    """A plain row gets the mode for text, one with an image that for images, with the model that goes with it."""
    fit = best_fit(profile_named(name), wish)
    assert (fit.problems, fit.mode, fit.model) == ((), mode, model)


@pytest.mark.parametrize(("extra", "clips"), [({}, 1), ({"sampleCount": 3}, 3), ({"seed": 5}, 1)])
def test_several_clips_of_one_order_cost_as_much_as_they_are(order_of, extra, clips):
    """A parameter that asks for several clips multiplies the price."""
    order = order_of("qiniu", "veo", model="veo-3.0-generate-preview", extra=extra)
    assert profile_named("qiniu").clips_of(order) == clips
    assert profile_named("qiniu").clips_of(order.model_copy(update={"mode": "unheard of"})) == 1


def test_a_number_of_clips_that_is_not_sent_does_not_count(order_of):
    """The default of a parameter that only other models take multiplies nothing."""
    qiniu = profile_named("qiniu")
    veo = qiniu.mode("veo")
    count = veo.parameters["sample_count"].model_copy(update={"default": 2, "models": veo.models[:1]})
    changed = veo.model_copy(update={"parameters": {"sample_count": count}})
    profile = qiniu.model_copy(update={"modes": (changed,)})
    assert [profile.clips_of(order_of("qiniu", "veo", model=model)) for model in veo.models[:2]] == [2, 1]


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        ({}, None),
        ({"ACEDATA_API_KEY": ""}, None),
        ({"ACEDATA_API_KEY": " \n", "ACEDATACLOUD_API_TOKEN": " b\n"}, "b"),
        ({"ACEDATA_API_KEY": "a", "ACEDATACLOUD_API_TOKEN": "b"}, "a"),
    ],
)
def test_the_key_comes_from_the_first_name_that_is_set(environment, key):
    """Our name goes before the vendor's own; blanks are no key, and a line break at its end is not part of it."""
    assert profile_named("acedata").key_from(environment) == key


def test_the_operator_may_set_the_address():
    """An address from the environment is trusted, and loses its trailing slash."""
    profile = profile_named("openai")
    assert profile.base_url_from({}) == ("https://api.openai.com/v1", False)
    assert profile.base_url_from({"OPENAI_BASE_URL": " http://localhost:8000/v1/ "}) == (
        "http://localhost:8000/v1",
        True,
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sora", r'"sora"\. Known: acedata, .*openai, qiniu'),
        ("qinu", r'Did you mean "qiniu"\?'),
        ("klink", r'Did you mean "kling"\?'),
        ("kling-v2-1", r"It is a model of: qiniu\."),
    ],
)
def test_an_unknown_provider_is_said_with_what_may_be_meant(name, words):
    """The message names the nearest provider, or who has a model of that name, or all that may be chosen."""
    with pytest.raises(SetupError, match=words):
        profile_named(name)


def test_an_unknown_mode_is_a_bug():
    """Orders are made by the planner, so a mode that does not exist is our own mistake."""
    with pytest.raises(KeyError):
        profile_named("qiniu").mode("v9")


def test_a_misspelt_field_is_refused():
    """A profile with a field that nobody reads would be silently wrong."""
    data = profile_named("qiniu").model_dump() | {"bils_failures": "no"}
    with pytest.raises(ValidationError, match="bils_failures"):
        Profile.model_validate(data)


def test_only_true_and_false_are_truth_values():
    """No field takes yes, off or 1 for one: a profile means what it seems to say."""
    models = [each for each in vars(profile_module).values() if isinstance(each, type) and issubclass(each, BaseModel)]
    fields = [
        (model, name) for model in models for name, field in model.model_fields.items() if field.annotation is bool
    ]
    assert (Profile, "needs_key") in fields
    for model, name in fields:
        for value in ("yes", "off", 1, 0):
            with pytest.raises(ValidationError) as refused:
                model.model_validate({name: value})
            assert (name,) in {each["loc"] for each in refused.value.errors() if each["type"] == "bool_type"}, name


def test_a_day_is_text():
    """A number is never taken for the seconds since 1970."""
    for value in (20260101, 0, "1767225600", "2026-01-01T00:00:00"):
        with pytest.raises(ValidationError) as refused:
            Profile.model_validate({"retired_on": value})
        assert ("retired_on",) in {each["loc"] for each in refused.value.errors()}


def test_who_plays_a_provider_is_somebody_whom_the_sandbox_has():
    """A profile may name each part of the sandbox, and nobody else: a rehearsal would call an address without a server."""
    assert set(get_args(SandboxDialect)) == {"acedata", *(each.name for each in DIALECTS), *HOSTED_NAMES} - {"either"}


@pytest.mark.parametrize(
    ("code", "billed"),
    [("moderation_blocked", "yes"), ("nsfw", "yes"), ("gpu_lost", "no"), ("odd", "unknown"), (None, "unknown")],
)
def test_each_kind_of_failure_may_cost_something_else(code, billed):
    """What a failure is about, by its code, says whether it is charged; what no code tells is as for any."""
    profile = profile_named("openai").model_copy(
        update={
            "errors": {"nsfw": "moderation", "gpu_lost": "server"},
            "failure_bills": {"moderation": "yes", "server": "no"},
            "bills_failures": "unknown",
        }
    )
    assert profile.billed_for(code) == billed


@pytest.mark.parametrize(("said", "billed"), [(None, "unknown"), ("no", "no"), ("yes", "yes")])
def test_a_cancelled_job_costs_what_the_profile_says_of_it(said, billed):
    """What failures cost says nothing of it: it may have been half made, so it is unknown where nobody says."""
    profile = profile_named("dashscope").model_copy(update={"bills_failures": "no", "bills_cancelled": said})
    assert profile.billed_for("any", is_cancelled=True) == billed


def test_a_refused_key_may_be_a_profile_that_shows_it_wrongly():
    """That is said of a profile that describes its API; where the contract is ours the key it is."""
    profiles = shipped_profiles()
    assert profiles["openai"].key_remedy == "Set a valid OPENAI_API_KEY"
    said = profiles["replicate"].key_remedy
    assert "`auth` in its profile is not as this API wants it" in said
    assert "`reelbatch providers check replicate` shows the header" in said
