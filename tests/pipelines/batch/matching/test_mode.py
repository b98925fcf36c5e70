from __future__ import annotations

import pytest

from pipelines.batch.matching.fitting import ANY, RequestedClip
from pipelines.batch.matching.mode import best_fit, free_names
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.profile.order_parts import Parameter

PROFILES = shipped_profiles()


@pytest.mark.parametrize(
    ("provider", "requested", "bought"),
    [
        ("qiniu", RequestedClip(), ("video", "sora-2", 4, "720x1280", None)),
        ("qiniu", RequestedClip(orientation="landscape"), ("video", "sora-2", 4, "1280x720", None)),
        ("qiniu", RequestedClip(orientation="landscape", size="1280x720"), ("video", "sora-2", 4, "1280x720", None)),
        (
            "openai",
            RequestedClip(orientation="landscape", model="sora-2-pro"),
            ("video", "sora-2-pro", 4, "1280x720", None),
        ),
        ("acedata", RequestedClip(), ("v2", "sora-2", 4, "720x1280", None)),
        ("acedata", RequestedClip(orientation="portrait"), ("v2", "sora-2", 4, "720x1280", None)),
        ("acedata", RequestedClip(seconds=10), ("v1", "sora-2", 10, "small", "landscape")),
        ("acedata", RequestedClip(seconds=10, orientation="portrait"), ("v1", "sora-2", 10, "small", "portrait")),
        ("acedata", RequestedClip(size="small"), ("v1", "sora-2", 15, "small", "landscape")),
        ("acedata", RequestedClip(character=True), ("v1", "sora-2", 15, "small", "landscape")),
        ("acedata", RequestedClip(given=(("version", "1.0"),)), ("v1", "sora-2", 15, "small", "landscape")),
        ("acedata", RequestedClip(given=(("version", "2"),)), ("v2", "sora-2", 4, "720x1280", None)),
        ("acedata", RequestedClip(given=(("version", "v1"),)), ("v1", "sora-2", 15, "small", "landscape")),
        ("acedata", RequestedClip(seconds=25, model="sora-2-pro"), ("v1", "sora-2-pro", 25, "small", "landscape")),
    ],
)
def test_a_row_gets_the_first_mode_that_takes_all_of_it(provider, requested, bought):
    """What the row gives chooses the mode; what it does not give is filled in."""
    fit = best_fit(PROFILES[provider], requested)

    assert fit.problems == ()
    assert (fit.mode, fit.model, fit.seconds, fit.size, fit.orientation) == bought


@pytest.mark.parametrize(
    ("provider", "requested", "mode", "words"),
    [
        (
            "qiniu",
            RequestedClip(seconds=10),
            "video",
            ["seconds", "does not make clips of 10 s.", "Allowed: 4, 8, 12."],
        ),
        ("qiniu", RequestedClip(model="sora-2-pro"), "video", ["model", "sora-2-pro", "Allowed: sora-2"]),
        ("qiniu", RequestedClip(size="1024x1792"), "video", ["size", "1024x1792", "Allowed: 720x1280, 1280x720."]),
        (
            "qiniu",
            RequestedClip(size="720x1280", orientation="landscape"),
            "video",
            ["orientation", "contradicts", "one of"],
        ),
        ("qiniu", RequestedClip(images=2), "video", ["image_url", "takes at most 1 image.", "Remove 1"]),
        ("qiniu", RequestedClip(character=True), "video", ["character_url", "takes no character", "Leave it empty"]),
        ("acedata", RequestedClip(seconds=9), "v2", ["seconds", "9 s", "Allowed: 4, 8, 12 (v1 takes 10, 15, 25)."]),
        (
            "acedata",
            RequestedClip(seconds=25),
            "v1",
            ["seconds", "25 s are not made by sora-2.", "10, 15; or model sora-2-pro"],
        ),
        (
            "acedata",
            RequestedClip(seconds=8, given=(("version", "1.0"),)),
            "v1",
            ["seconds", "acedata v1", "v2 takes 4, 8, 12"],
        ),
        (
            "acedata",
            RequestedClip(given=(("version", "3.0"),)),
            "v2",
            ["version", 'no version "3.0"', "2.0 (v2), 1.0 (v1)"],
        ),
        (
            "acedata",
            RequestedClip(size="1280x720", given=(("version", "1.0"),)),
            "v1",
            ["size", "1280x720", "small, large"],
        ),
        ("openai", RequestedClip(seconds=0), "video", ["seconds", "0 s", "4, 8, 12"]),
        ("openai", RequestedClip(size="small"), "video", ["size", "small", "720x1280"]),
    ],
)
def test_v22_what_no_mode_takes_is_told_against_the_nearest(provider, requested, mode, words):
    """The message names the column, the value and what is allowed."""
    fit = best_fit(PROFILES[provider], requested)

    assert fit.mode == mode
    (problem,) = fit.problems
    assert all(word in f"{problem.column} {problem.what} {problem.fix}" for word in words)


def test_v22_the_nearest_mode_is_that_with_the_fewest_problems():
    """Ten seconds and portrait are V1; only the size is wrong there."""
    fit = best_fit(PROFILES["acedata"], RequestedClip(seconds=10, size="1280x720", character=True))

    assert fit.mode == "v1"
    assert [problem.column for problem in fit.problems] == ["size"]


@pytest.mark.parametrize(
    ("provider", "requested", "words"),
    [
        (
            "acedata-kling",
            RequestedClip(model="kling-v3", given=(("action", "extend"), ("video_id", ANY))),
            'acedata-kling extend has no model "kling-v3". Allowed: kling-v1, kling-v1-6, kling-v2-5-turbo.',
        ),
        (
            "acedata-veo",
            RequestedClip(model="veo3", images=1, given=(("action", "ingredients2video"),)),
            'acedata-veo ingredients has no model "veo3". Allowed: veo31-fast-ingredients.',
        ),
        (
            "acedata-happyhorse",
            RequestedClip(model="happyhorse-1.1-i2v", given=(("action", "generate"),)),
            'acedata-happyhorse text has no model "happyhorse-1.1-i2v". Allowed: happyhorse-1.1-t2v, happyhorse-1.0-t2v.',
        ),
        (
            "acedata-kling",
            RequestedClip(model="kling-v9", given=(("action", "text2video"),)),
            'acedata-kling text, v3-text, v3-reference, o1-text, o1-reference has no model "kling-v9". Allowed: kling-v1,',
        ),
        ("acedata-kling", RequestedClip(model="kling-v9"), 'acedata-kling has no model "kling-v9". Allowed: kling-v1,'),
    ],
)
def test_the_models_that_are_allowed_are_those_of_the_chosen_modes(provider, requested, words):
    """A message that allows what it has just refused helps nobody."""
    (problem,) = best_fit(PROFILES[provider], requested).problems
    assert f"{problem.what} {problem.fix}".startswith(words)


@pytest.mark.parametrize(
    ("provider", "requested", "fix"),
    [
        ("acedata", RequestedClip(character=True, seconds=8), "acedata v1 (10, 15, 25 s) can."),
        (
            "acedata-kling",
            RequestedClip(model="kling-v1", given=(("mode", "4k"),)),
            (
                "Allowed: std, pro. acedata-kling v3-text (model kling-v3, kling-v3-omni), "
                "v3-image (model kling-v3, kling-v3-omni) can."
            ),
        ),
    ],
)
def test_who_can_is_named_with_what_it_wants(provider, requested, fix):
    """Another model or another length: without it the next plan would be refused as well."""
    (problem,) = best_fit(PROFILES[provider], requested).problems
    assert problem.fix == fix


@pytest.mark.parametrize("size", ["4000x4000", "2x2", "1922x1080", "1080x1922", "63x1000"])
def test_a_size_beyond_the_bounds_of_the_profile_is_refused(size):
    """Any pixels are not every number of pixels; the bounds hold either way up."""
    (problem,) = best_fit(PROFILES["qiniu"], RequestedClip(model="kling-v2-6", size=size)).problems
    assert "any WIDTHxHEIGHT from 64 pixels up to 1920x1080" in problem.fix
    for fitting in ("1920x1080", "1080x1920", "64x64", "1000x1000"):
        assert best_fit(PROFILES["qiniu"], RequestedClip(model="kling-v2-6", size=fitting)).problems == ()


def test_t15_other_servers_of_the_openai_contract_may_know_more():
    """Unknown models, lengths and sizes in pixels only warn, and are sent as they are."""
    fit = best_fit(PROFILES["openai"], RequestedClip(model="wan-2.6", seconds=16, size="1920x1080"))

    assert (fit.problems, fit.model, fit.seconds, fit.size) == ((), "wan-2.6", 16, "1920x1080")
    assert [warning.column for warning in fit.warnings] == ["model", "seconds", "size"]


def test_t2_a_doubtful_size_warns():
    """Where the vendor's documents disagree the row is allowed, and it is said."""
    fit = best_fit(PROFILES["acedata"], RequestedClip(size="large"))

    assert (fit.mode, fit.problems) == ("v1", ())
    assert "disagree" in fit.warnings[0].what
    assert best_fit(PROFILES["acedata"], RequestedClip(size="large", model="sora-2-pro")).warnings == ()


def test_images_that_the_provider_drops_warn():
    """Acedata V2 looks at the first image only; V1 would look at all."""
    fit = best_fit(PROFILES["acedata"], RequestedClip(images=2, seconds=4))

    assert (fit.mode, fit.problems) == ("v2", ())
    assert "looks at 1 of 2 images" in fit.warnings[0].what


def test_several_images_choose_the_mode_that_looks_at_all_of_them():
    """V2 would take the row as well, and drop all images but the first."""
    fit = best_fit(PROFILES["acedata"], RequestedClip(images=2))

    assert (fit.mode, fit.problems, fit.warnings) == ("v1", (), ())
    assert best_fit(PROFILES["acedata"], RequestedClip(images=1)).mode == "v2"


def test_a_providers_own_parameters_are_sent_where_the_mode_takes_them():
    """A parameter that only another mode takes chooses that mode."""
    acedata = PROFILES["acedata"]
    v2, v1 = acedata.modes
    profile = acedata.model_copy(
        update={"modes": (v2, v1.model_copy(update={"parameters": {"watermark": Parameter()}}))}
    )
    fit = best_fit(profile, RequestedClip(given=(("watermark", "no"),)))

    assert (fit.mode, fit.parameters, fit.problems) == ("v1", (("watermark", "no"),), ())
    assert (
        "acedata v2 does not take watermark."
        in best_fit(profile, RequestedClip(seconds=4, size="720x1280", given=(("watermark", "no"),))).problems[0].what
    )


@pytest.fixture
def lab(profiles):
    """The made-up provider with sizes in one mode and shapes in the other."""
    return profiles["lab"]


@pytest.mark.parametrize(
    ("requested", "bought"),
    [
        (RequestedClip(orientation="portrait"), ("clip", "720x1280", None)),
        (RequestedClip(orientation="square", model="clip-2"), ("clip", "720x720", None)),
        (RequestedClip(model="film-1", orientation="square"), ("film", None, "square")),
        (RequestedClip(model="film-1", orientation="adaptive"), ("film", None, "adaptive")),
        (RequestedClip(model="film-1", orientation="4:3"), ("film", None, "4:3")),
        (RequestedClip(model="film-1"), ("film", None, "landscape")),
        (RequestedClip(size="720x1280", orientation="portrait"), ("clip", "720x1280", None)),
    ],
)
def test_an_orientation_is_sent_or_picks_a_size(lab, requested, bought):
    """As the mode takes it."""
    fit = best_fit(lab, requested)

    assert fit.problems == ()
    assert (fit.mode, fit.size, fit.orientation) == bought


@pytest.mark.parametrize(
    ("requested", "words"),
    [
        (RequestedClip(orientation="4:3"), ["orientation: lab clip has no 4:3 size.", "1280x720, 720x1280, 720x720"]),
        (RequestedClip(orientation="square"), ["size: 720x720 is not made by clip-1.", "or model clip-2"]),
        (
            RequestedClip(orientation="portrait", size="1280x720"),
            ["orientation: portrait contradicts the size 1280x720."],
        ),
        (
            RequestedClip(orientation="landscape", size="720x720", model="clip-2"),
            ["orientation: landscape contradicts the size 720x720."],
        ),
        (RequestedClip(orientation="square", size="1280x720"), ["orientation: square contradicts the size 1280x720."]),
        (
            RequestedClip(orientation="portrait", model="film-1"),
            ["orientation: lab film does not take portrait.", "adaptive"],
        ),
        (RequestedClip(size="1280x720", model="film-1"), ["size: lab film takes no size.", "Leave it empty."]),
        (
            RequestedClip(seconds=2, model="film-1"),
            ["seconds: lab film does not make clips of 2 s.", "Allowed: 3 to 15."],
        ),
        (RequestedClip(silent=True), ["prompt: is empty."]),
        (RequestedClip(images=3), ["image_url: lab clip takes at most 2 images.", "Remove 1 of the 3."]),
        (
            RequestedClip(images=1, local_images=0, model="film-1"),
            ["image_url: lab film opens no addresses of pictures."],
        ),
    ],
)
def test_a_picture_that_the_mode_does_not_make_is_refused(lab, requested, words):
    """With the column and what is allowed."""
    (problem,) = best_fit(lab, requested).problems

    assert all(word in f"{problem.column}: {problem.what} {problem.fix}" for word in words)


def test_a_size_is_compared_as_people_write_it_and_sent_as_the_provider_does(lab):
    """Some providers write 1080P, and some 1280*720."""
    mode = lab.modes[0]
    rule = mode.size.model_copy(update={"allowed": ("1080P", "1280*720", "720*1280"), "default": "1080P", "only": {}})
    other = lab.model_copy(update={"modes": (mode.model_copy(update={"size": rule}),)})

    assert best_fit(other, RequestedClip(size="1080p")).size == "1080P"
    assert best_fit(other, RequestedClip(size="1280x720")).size == "1280*720"
    assert best_fit(other, RequestedClip(orientation="portrait")).size == "720*1280"


def test_a_profile_may_spell_its_shapes_as_ratios(lab):
    """16:9 and landscape are the same shape; the order has the word of the profile."""
    mode = lab.modes[1]
    shapes = mode.orientation.model_copy(update={"values": {"16:9": "w", "9:16": "h"}, "default": "9:16"})
    other = lab.model_copy(update={"modes": (mode.model_copy(update={"orientation": shapes}),)})

    assert best_fit(other, RequestedClip(model="film-1", orientation="landscape")).orientation == "16:9"


def test_a_size_in_pixels_decides_the_shape_that_is_sent_beside_it(lab):
    """The default of the one may not contradict the other."""
    mode = lab.modes[0].model_copy(update={"orientation": lab.modes[1].orientation})
    other = lab.model_copy(update={"modes": (mode,)})

    fit = best_fit(other, RequestedClip(size="720x720", model="clip-2"))
    assert (fit.size, fit.orientation) == ("720x720", "square")
    fit = best_fit(other, RequestedClip(orientation="square", model="clip-2"))
    assert (fit.size, fit.orientation) == ("720x720", "square")


def test_a_file_goes_out_alone_where_it_is_uploaded(lab):
    """A form has one part for it."""
    images = lab.modes[0].images.model_copy(update={"forms": ("url", "file")})
    other = lab.model_copy(update={"modes": (lab.modes[0].model_copy(update={"images": images}),)})

    assert best_fit(other, RequestedClip(images=1, local_images=1)).problems == ()
    (problem,) = best_fit(other, RequestedClip(images=2, local_images=1)).problems
    assert "takes one picture when it is sent along as a file" in problem.what


def test_a_required_parameter_must_be_given(lab):
    """With the name of the column; one that has a default need not be."""
    mode = lab.modes[0]

    def fit(**rule):
        parameters = {"action": Parameter(required=True, **rule)}
        return best_fit(
            lab.model_copy(update={"modes": (mode.model_copy(update={"parameters": parameters}),)}), RequestedClip()
        )

    assert [(p.column, p.fix) for p in fit().problems] == [("action", "Give a column action.")]
    assert fit(default="go").problems == ()


COMPANY = {
    "quality": Parameter(allowed=("std", "pro", "4k")),
    "sound": Parameter(type="boolean", field="with_sound", needs={"quality": ("pro",)}),
    "shots": Parameter(type="json", needs={"cut": ()}, excludes={"sound": (), "quality": ("4k",)}),
    "cut": Parameter(),
}


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({"quality": "pro", "sound": "yes"}, []),
        ({"quality": "PRO", "sound": "yes"}, []),
        ({"sound": "no"}, []),
        ({"quality": "std", "sound": "no", "shots": "[]", "cut": "hard"}, []),
        ({"shots": ANY, "cut": ANY}, []),
        ({"sound": "yes"}, [("sound", "needs quality to say pro.")]),
        ({"quality": "std", "sound": "yes"}, [("sound", "needs quality to say pro.")]),
        ({"shots": "[]"}, [("shots", "needs cut as well.")]),
        ({"shots": ANY}, [("shots", "needs cut as well.")]),
        ({"quality": "pro", "sound": "yes", "shots": "[]", "cut": "hard"}, [("shots", "does not go with sound.")]),
        ({"quality": "pro", "shots": "[]", "cut": "hard"}, []),
        ({"quality": "4K", "shots": "[]", "cut": "hard"}, [("shots", "does not go with quality 4k.")]),
    ],
)
def test_parameters_keep_the_company_that_they_need(lab, given, problems):
    """A vendor that takes one parameter only beside another would refuse the order; one that says no asks for nothing."""
    mode = lab.modes[0].model_copy(update={"parameters": COMPANY})
    fit = best_fit(lab.model_copy(update={"modes": (mode,)}), RequestedClip(given=tuple(given.items())))
    assert [(problem.column, problem.what) for problem in fit.problems] == problems


def test_a_value_that_another_parameter_needs_is_never_free(lab):
    """Rows that differ in it only are looked at one by one."""
    mode = lab.modes[0].model_copy(
        update={"parameters": {"sound": Parameter(needs={"mood": ("calm",)}), "mood": Parameter(), "seed": Parameter()}}
    )
    assert free_names(lab.model_copy(update={"modes": (mode,)})) == {"sound", "seed"}


@pytest.mark.parametrize(("written", "meant"), [("sora2", "sora-2"), ("Sora-2", "sora-2"), ("KLING V3", "kling-v3")])
def test_a_model_that_is_only_spelt_otherwise_is_suggested_alone(written, meant):
    """A list of sixty models, once for every row, would hide the one that is meant."""
    (problem,) = best_fit(PROFILES["qiniu"], RequestedClip(model=written)).problems

    assert (problem.column, problem.fix) == ("model", f'Did you mean "{meant}"?')


def test_a_message_names_a_few_models_of_many():
    """Where none is near, the first are enough to see what they look like."""
    (problem,) = best_fit(PROFILES["qiniu"], RequestedClip(model="gen-99")).problems

    assert problem.fix.startswith("Allowed: sora-2, kling-video-o1, ")
    assert len(problem.fix) < 250


def test_a_parameter_of_other_models_points_to_what_can_be_written_in_a_cell():
    """A size of the mode, or models; nobody can ask for a mode by its name."""
    (resolution,) = best_fit(
        PROFILES["qiniu"], RequestedClip(model="sora-2", given=(("resolution", "1080p"),))
    ).problems
    (audio,) = best_fit(PROFILES["qiniu"], RequestedClip(model="sora-2", given=(("seed", ANY),))).problems

    assert resolution.fix.startswith('Give a column "size" instead: 720x1280, 1280x720.')
    assert audio.fix.startswith("Models that do: veo-")
    assert "queue-" not in audio.fix
