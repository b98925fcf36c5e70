from __future__ import annotations

import os

import pytest

from pipelines.catalogue.gallery.thumbnails import thumbnail_name, write_thumbnails
from tests.pipelines.outputs.clips import make_clip


@pytest.mark.parametrize("job_id", ["a-1", "spring_004"])
def test_plain_ids_name_their_poster(job_id):
    """A person finds the poster of a job."""
    assert thumbnail_name(job_id) == f"{job_id}.jpg"


@pytest.mark.parametrize("job_id", ["../../x", "A", ".", "", "a/b", "é" * 300, "con:aux", "-x", "\ud800", "a" * 200])
def test_any_other_id_has_a_safe_name_of_its_own(job_id):
    """No id leads out of the folder, hides a file, or is too long."""
    name = thumbnail_name(job_id)

    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-_")
    assert name.endswith(".jpg")
    assert not name.startswith((".", "-"))
    assert len(name) < 120


def test_ids_that_differ_have_posters_that_differ():
    """Also on a file system that does not tell `A` from `a`."""
    ids = ["a", "A", "a/b", "a\\b", "a b", "ä", "", "-"]

    assert len({thumbnail_name(job_id).casefold() for job_id in ids}) == len(ids)


async def test_missing_and_stale_thumbnails_are_made(tmp_path):
    """What is there is left alone; a clip that came later gets a new one; a broken one is only reported."""
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/a.mp4").write_bytes(make_clip())
    (tmp_path / "videos/b.mp4").write_bytes(b"broken")
    clips = {"a": "videos/a.mp4", "b": "videos/b.mp4", "c": "videos/gone.mp4"}

    assert set(await write_thumbnails(tmp_path, clips)) == {"b", "c"}

    poster = tmp_path / "thumbs/a.jpg"
    poster.write_bytes(b"mine")
    await write_thumbnails(tmp_path, clips)
    assert poster.read_bytes() == b"mine"
    os.utime(poster, (1, 1))
    await write_thumbnails(tmp_path, clips)
    assert poster.read_bytes()[:2] == b"\xff\xd8"
