"""What Ace Data Cloud and the other sellers of Sora do not take is refused before anything is paid for."""

from __future__ import annotations

import pytest

from pipelines.providers.contracts.acedata import AceData
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.protocol import Supplies

V1, V2 = '"1.0"', '"2.0"'
CHARACTER = "character_url: https://a.example/c.mp4, character_start: {}, character_end: {}"


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        # V1
        (f"version: {V1}, seconds: 25", "seconds", "25 s are not made by sora-2. Allowed: 10, 15; or model sora-2-pro."),
        (f"version: {V1}, seconds: 4", "seconds", "acedata v1 does not make clips of 4 s. Allowed: 10, 15, 25"),
        (f"version: {V1}, seconds: 8", "seconds", "v2 takes 4, 8, 12"),
        (f"version: {V1}, seconds: 12", "seconds", "Allowed: 10, 15, 25"),
        (f"version: {V1}, size: 1280x720", "size", 'does not take the size "1280x720". Allowed: small, large'),
        ("seconds: 25, size: small", "seconds", "or model sora-2-pro"),
        ("seconds: 8, size: small", "size", "v1 takes small, large"),
        ("seconds: 10, size: 1280x720", "seconds", "v1 takes 10, 15, 25"),
        # V2
        (f"version: {V2}, seconds: 10", "seconds", "acedata v2 does not make clips of 10 s. Allowed: 4, 8, 12"),
        (f"version: {V2}, seconds: 15", "seconds", "v1 takes 10, 15, 25"),
        (f"version: {V2}, seconds: 25, model: sora-2-pro", "seconds", "Allowed: 4, 8, 12"),
        (f"version: {V2}, size: small", "size", 'does not take the size "small". Allowed: 720x1280, 1280x720'),
        (f"version: {V2}, size: large", "size", "v1 takes small, large"),
        (f"version: {V2}, {CHARACTER.format(0, 2)}", "character_url", "acedata v2 takes no character. acedata v1 can."),
        (f"version: {V2}, orientation: portrait, size: 1280x720", "orientation", "contradicts the size 1280x720"),
        # both
        ("version: '3.0'", "version", 'no version "3.0". Allowed: 2.0 (v2), 1.0 (v1).'),
        ("model: sora-3", "model", 'acedata has no model "sora-3". Allowed: sora-2, sora-2-pro.'),
        ("character_url: https://a.example/c.mp4", "character_start", "is missing"),
        ("character_url: https://a.example/c.mp4, character_start: 1", "character_end", "is missing"),
    ],
)  # fmt: skip
def test_t1_versions_are_not_mixed(problems, row, column, words):
    """Each error names the row, the column, and the values that are allowed."""
    (problem,) = problems(f"version: 1\njobs:\n  - {{prompt: a, {row}}}\n", "yaml", "acedata")

    assert problem.startswith(f'spring.yaml, job 1 (line 3), "{column}": ')
    assert words in problem


def test_t1_the_length_is_a_column_seconds_and_is_sent_as_duration(read):
    """Where `seconds` is sent, one silently gets and pays four seconds."""
    for header in ("seconds", "duration"):
        (job,) = read(f"prompt,{header}\na,12\n", provider="acedata").jobs
        body = AceData().submission(job.order, shipped_profiles()["acedata"], Supplies()).body

        assert body["duration"] == 12
        assert "seconds" not in body
        assert body["version"] == "2.0"


def test_t1_an_orientation_is_never_sent_to_the_version_that_takes_none(read):
    """There it picks the size."""
    (job,) = read("prompt,seconds,orientation\na,8,landscape\n", provider="acedata").jobs
    body = AceData().submission(job.order, shipped_profiles()["acedata"], Supplies()).body

    assert body["size"] == "1280x720"
    assert "orientation" not in body


@pytest.mark.parametrize(("model", "warnings"), [("sora-2", 1), ("sora-2-pro", 0)])
def test_t2_large_is_warned_of_with_the_small_model(read, model, warnings):
    """The vendor's documents disagree, so it is allowed, and said."""
    batch = read(f"prompt,size,model\na,large,{model}\n", provider="acedata")
    said = [str(warning) for warning in batch.warnings if "disagree" in str(warning)]

    assert batch.jobs[0].order.size == "large"
    assert len(said) == warnings
    assert all('row 1 (line 2), column "size"' in each and "sora-2-pro surely does." in each for each in said)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [("0", "1", None), ("2", "5", None), ("0", "4", "is 4 s after"), ("3", "3", "is 0 s after"), ("5", "2", "is -3 s"),
     ("0", "0.5", "not a whole number"), ("0.2", "1", "not a whole number")],
)  # fmt: skip
def test_t3_a_character_is_one_to_three_whole_seconds(read, problems, start, end, words):
    """A tool of the vendor speaks of shares from 0 to 1; the API counts seconds."""
    row = f"prompt,character_url,character_start,character_end\na,https://a.example/c.mp4,{start},{end}\n"
    if words is None:
        order = read(row, provider="acedata").jobs[0].order
        assert (order.mode, order.character_start, order.character_end) == ("v1", int(start), int(end))
        return
    (problem,) = problems(row, provider="acedata")
    assert 'row 1 (line 2), column "character_' in problem
    assert words in problem


def test_several_pictures_in_the_version_that_looks_at_one_are_warned_of(read):
    """The rest is ignored there, in silence."""
    addresses = "https://a.example/1.png https://a.example/2.png"
    batch = read(f"prompt,seconds,image_url\na,4,{addresses}\nb,10,{addresses}\n", provider="acedata")

    assert [job.order.mode for job in batch.jobs] == ["v2", "v1"]
    (warning,) = [str(each) for each in batch.warnings if "image_url" in str(each)]
    assert (
        'row 1 (line 2), column "image_url": acedata v2 looks at 1 of 2 images only. acedata v1 (10, 15, 25 s) can.'
        in warning
    )


@pytest.mark.parametrize("provider", ["openai", "litellm", "new-api"])
def test_t15_what_the_specification_does_not_list_is_sent_with_a_warning(read, provider):
    """The vendor's guide allows more than its specification, and other servers still more."""
    batch = read("prompt,model,seconds,size\na,sora-9,20,1920x1080\n", provider=provider)
    order = batch.jobs[0].order

    assert (order.model, order.seconds, order.size) == ("sora-9", 20, "1920x1080")
    said = " ".join(str(warning) for warning in batch.warnings)
    assert all(f'row 1 (line 2), column "{column}"' in said for column in ("model", "seconds", "size"))


@pytest.mark.parametrize(("provider", "more"), [("openai", {}), ("qiniu", {}), ("acedata", {"seconds": 4})])
def test_t23_a_picture_has_the_pixels_of_the_clip(read, problems, picture, provider, more):
    """Where the provider takes files its pixels are counted; an address is opened by the provider alone."""
    picture("tall.png", 720, 1280)
    picture("wide.png", 1280, 720)
    seconds = f", seconds: {more['seconds']}" if more else ""
    text = f"version: 1\njobs:\n  - {{prompt: a, size: 1280x720, image_url: %s{seconds}}}\n"
    assert read(text % "https://a.example/1.png", "yaml", provider).jobs
    (problem,) = problems(text % "tall.png", "yaml", provider)
    assert '"image_url"' in problem
    if shipped_profiles()[provider].modes[0].images.forms == ("url",):
        assert "takes addresses of pictures only" in problem
    else:
        assert "720x1280 pixels and the size is 1280x720" in problem
        assert "Give the size 720x1280." in problem
        assert read(text % "wide.png", "yaml", provider).jobs
