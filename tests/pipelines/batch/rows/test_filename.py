from __future__ import annotations

import pytest

from pipelines.batch.rows.filename import collision_key, filename_problem, with_ending, with_take


@pytest.mark.parametrize("name", ["a.mp4", "2026/spring/a b.mp4", "猫/夜市.mp4", "a..b.mp4", "🐈.mp4"])
def test_plain_relative_names_are_allowed(name):
    """Letters of any language, in folders."""
    assert filename_problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "/a.mp4",
        "../a.mp4",
        "a/../b.mp4",
        "a//b.mp4",
        "./a.mp4",
        "C:a.mp4",
        "a\\b.mp4",
        "a:b.mp4",
        "a\n.mp4",
        "a?.mp4",
        ".mp4",
        "-rf.mp4",
        "~/a.mp4",
        "a /b.mp4",
        "a./b.mp4",
        "CON.mp4",
        "aux/b.mp4",
        "a\u202e4pm.mp4",
        "x" * 300 + ".mp4",
        "/".join(["x" * 100] * 9) + ".mp4",
    ],
)
def test_v24_names_that_lead_out_or_do_not_exist_everywhere_are_refused(name):
    """No file outside the folder, and none that some system cannot hold."""
    assert filename_problem(name)


def test_the_ending_and_the_take_are_added():
    """Every clip is an .mp4, and a further take has its own file."""
    assert (with_ending("a"), with_ending("a.MP4")) == ("a.mp4", "a.MP4")
    assert with_take("b/a.MP4", 2) == "b/a-t2.MP4"


def test_v25_names_collide_as_file_systems_see_them():
    """Case and compatibility forms are the same file somewhere."""
    assert collision_key("A.mp4") == collision_key("a.MP4")
    assert collision_key("ﬁlm.mp4") == collision_key("FILM.mp4")
    assert collision_key("é.mp4") == collision_key("e\u0301.mp4")
