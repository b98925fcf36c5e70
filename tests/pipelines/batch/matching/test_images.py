from __future__ import annotations

import pytest

from pipelines.batch.matching.fitting import RequestedClip
from pipelines.batch.matching.mode import best_fit
from pipelines.providers.profile.load import shipped_profiles

PROFILES = shipped_profiles()


@pytest.mark.parametrize(
    ("provider", "requested", "words"),
    [
        (
            "acedata-kling",
            RequestedClip(images=3),
            (
                "acedata-kling image takes at most 2 images. Remove 1 of the 3. "
                "acedata-kling v3-reference (model kling-v3-omni), o1-reference (model kling-o1) can."
            ),
        ),
        (
            "acedata-wan",
            RequestedClip(images=1, model="wan2.6-t2v"),
            (
                "acedata-wan text takes no image. Leave it empty. "
                "acedata-wan image (model wan2.6-i2v, wan2.6-i2v-flash) can."
            ),
        ),
        ("acedata-wan", RequestedClip(images=3), "acedata-wan image takes at most 1 image. Remove 2 of the 3."),
        (
            "acedata",
            RequestedClip(images=12),
            "acedata v2 takes at most 9 images (a limit of ours: the vendor names none).",
        ),
    ],
)
def test_who_gives_too_many_images_hears_who_takes_them(provider, requested, words):
    """Against the mode that takes the most of them, and with the model that it wants."""
    (problem,) = best_fit(PROFILES[provider], requested).problems
    assert f"{problem.what} {problem.fix}".startswith(words)


@pytest.mark.parametrize(
    ("model", "mode"), [("kling-v3-omni", "v3-reference"), ("kling-o1", "o1-reference"), ("kling-v3", None)]
)
def test_the_name_of_a_field_decides_what_an_image_is(model, mode):
    """One image under `image_list` is a reference, and no first frame."""
    fit = best_fit(PROFILES["acedata-kling"], RequestedClip(model=model, images=1, image_fields=("image_list",)))

    if mode:
        assert (fit.mode, fit.problems) == (mode, ())
    else:
        assert [(problem.column, problem.what) for problem in fit.problems] == [
            ("image_list", "acedata-kling v3-image has no image_list.")
        ]


@pytest.mark.parametrize("mode", ["v1", "v2"])
def test_where_the_documents_disagree_about_a_form_the_row_is_warned(mode):
    """An older README and the vendor's tool let pictures be sent along, and the pages of today do not say so."""
    version = {"v1": "1.0", "v2": "2.0"}[mode]
    fit = best_fit(PROFILES["acedata"], RequestedClip(images=1, local_images=1, given=(("version", version),)))

    assert (fit.mode, fit.problems) == (mode, ())
    (warning,) = fit.warnings
    assert "documents disagree whether" in warning.what
    assert best_fit(PROFILES["acedata"], RequestedClip(images=1)).warnings == ()


def test_an_address_without_encryption_is_warned_of_where_the_provider_wants_it(read):
    """Of pictures and of characters; another provider may open it."""
    header = "prompt,image_url,character_url,character_start,character_end\n"
    row = "a,http://a.example/1.png|https://a.example/2.png,http://a.example/1.mp4,0,2\n"
    (warning,) = read(header + row, provider="acedata").warnings

    assert 'column "image_url" (and 1 more): is an http:// address' in str(warning)
    assert not read("prompt,image_url\na,http://a.example/1.png\n", provider="qiniu").warnings
