from __future__ import annotations

import av
import pytest


@pytest.mark.long
def test_the_demo(run_here, tmp_path, manifest):
    """The demo makes all its rows over both providers, of every shape, playable and as ordered; a second time at once."""
    ended = run_here("demo", "--out", "out", "--speed", 2000)
    assert ended.code == 0, ended.err
    assert "manifest.csv" in ended.err
    assert "gallery.html" in ended.err
    folder = tmp_path / "out" / "rehearsal"
    rows = manifest(folder)
    assert len(rows) >= 12
    assert {row["status"] for row in rows.values()} == {"done"}
    assert {row["provider"] for row in rows.values()} == {"qiniu", "acedata"}
    assert {row["width"] > row["height"] for row in rows.values()} == {True, False}
    assert {bool(row["params"].get("image_urls")) for row in rows.values()} == {True, False}
    for row in rows.values():
        assert row["flags"] == []
        with av.open(str(folder / row["path"])) as clip:
            picture = clip.streams.video[0]
            assert (picture.width, picture.height) == (row["width"], row["height"])
            assert next(clip.decode(picture)).width == row["width"]
            assert clip.streams.audio
    again = run_here("demo", "--out", "out", "--speed", 2000, "--json")
    assert (again.code, again.json["status_requests"]) == (0, 0)
