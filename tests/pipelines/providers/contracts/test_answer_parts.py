from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.core.job import RemoteJob
from pipelines.providers.contracts.answer_parts import links_at, named_job, result_places
from pipelines.providers.profile.load import profile_named

BASE = "https://api.example/v1"


@pytest.mark.parametrize(
    ("answer", "job"),
    [
        ({"id": "v-1", "task_id": "t-1"}, RemoteJob("v-1")),
        ({"id": None, "task_id": 7}, RemoteJob("7")),
        ({"id": "", "task_id": "\x00"}, None),
        ({}, None),
    ],
)
def test_a_job_has_the_first_id_that_there_is(answer, job):
    """Of several places the first with a usable id names the job; without any there is none."""
    assert named_job(answer, ("id", "task_id")) == job


def test_the_first_place_with_a_link_counts():
    """Links stand once each, in their order; what is no link leads on to the next place."""
    answer = {"a": ["soon"], "b": ["https://x/1.mp4", "https://x/2.mp4", "https://x/1.mp4"], "c": "https://x/3.mp4"}
    assert [link.url for link in links_at(answer, ("a[]", "b[]", "c"), BASE)] == ["https://x/1.mp4", "https://x/2.mp4"]
    assert links_at(answer, ("a[]", "d"), BASE) == ()


@pytest.mark.parametrize(
    ("value", "needs_key", "expires_at"),
    [
        ("/v1/videos/x/content", True, None),
        (f"{BASE}/x.mp4", True, None),
        (f"{BASE}/x.mp4?e=1767058636", False, datetime(2025, 12, 30, 1, 37, 16, tzinfo=UTC)),
        ("https://cdn.example/x.mp4", False, None),
    ],
)
def test_a_link_of_the_api_itself_needs_the_key(value, needs_key, expires_at):
    """The key goes with a file that the API serves, unless the link is signed, and so lets anybody in."""
    (link,) = links_at({"url": value}, ("url",), BASE)
    assert (link.needs_key, link.expires_at) == (needs_key, expires_at)


def test_files_are_named_where_the_mode_says_or_else_the_profile():
    """What a profile says about its own protocol holds for no other one."""
    qiniu = profile_named("qiniu")
    own = qiniu.modes[0].model_copy(update={"results": ("a.b",)})
    changed = qiniu.model_copy(update={"modes": (own, *qiniu.modes[1:]), "results": ("c",)})
    assert result_places(RemoteJob("v", own.name), changed) == ("a.b",)
    assert result_places(RemoteJob("v", "gone"), changed) == ("c",)
    assert result_places(RemoteJob("v", "gone", contract="fal"), changed) == ()
