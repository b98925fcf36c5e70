from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
import zlib

import pytest

from pipelines.core.errors import (
    AddressRefused,
    ClipRefused,
    DiskFull,
    DownloadInterrupted,
    LinkExpired,
    NotAVideo,
    OutputError,
    SetupError,
)
from pipelines.net.addresses import Origin
from pipelines.net.http import Http
from pipelines.outputs.download import download, publish
from pipelines.outputs.download.download import ClipSource, DownloadLimits, bring_home, settle
from pipelines.outputs.download.part import Part
from pipelines.outputs.storage.local_disk import ClipPlace
from tests.pipelines.outputs.clips import make_clip, open_ended
from tests.pipelines.outputs.fault_server import Reply, ranged


@pytest.fixture
def bring(http, server, videos):
    """One call of `bring_home`, with what differs."""

    def call(filename="a.mp4", attempt="t1", path="/clip.mp4?signature=secret", **limits):
        source = ClipSource(server.url(path), trusted=frozenset({Origin.of(server.url())}))
        return bring_home(
            http, source, folder=videos, filename=filename, attempt=attempt, limits=DownloadLimits(**limits)
        )

    return call


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def cut_once(bring, server, clip, at: int, etag='"v1"'):
    """The line breaks after so many bytes; afterwards the server is good again."""
    server.answer = ranged(clip, etag, cut=at)
    with pytest.raises(DownloadInterrupted):
        await bring()
    server.answer = ranged(clip, etag)


async def test_a_clip_comes_home_and_says_what_it_is(bring, server, videos, clip):
    """One request, one file under its name, and everything about it that the ledger wants to know."""
    server.answer = ranged(clip)

    home = await bring("sub/folder/a.mp4")

    assert home.path == videos / "sub/folder/a.mp4"
    assert home.path.read_bytes() == clip
    assert (home.bytes, home.sha256) == (len(clip), digest(clip))
    assert (home.media.width, home.media.height, home.media.has_audio) == (64, 36, True)
    assert (home.source_host, home.resumed) == ("127.0.0.1", False)
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o644
    assert len(server.requests) == 1


async def test_a_clip_that_an_answer_held_is_laid_down_and_not_fetched(http, videos, clip):
    """It is measured and published like any other; what is no video is thrown away."""
    source = ClipSource("https://api.example/v1", data=clip)
    home = await bring_home(http, source, folder=videos, filename="a.mp4", attempt="t1")
    assert (home.path.read_bytes(), home.sha256, home.source_host) == (clip, digest(clip), "api.example")
    spoilt = ClipSource("https://api.example/v1", data=b"<html>" * 9)
    with pytest.raises(NotAVideo):
        await bring_home(http, spoilt, folder=videos, filename="b.mp4", attempt="t2")
    assert names(videos) == [".a.mp4.t1.part.json", "a.mp4"]


async def test_settling_leaves_the_clip_alone(bring, server, videos, clip):
    """Once the clip is recorded, nothing but the clip is left in the folder."""
    server.answer = ranged(clip)
    await bring()

    settle(videos, "a.mp4", "t1")

    assert names(videos) == ["a.mp4"]


async def test_d07_a_cut_download_goes_on_where_it_stopped(bring, server, clip):
    """The second request asks for the rest only, of the same file only, and the whole is whole."""
    await cut_once(bring, server, clip, 1000)

    home = await bring()

    assert (server.requests[1].headers["range"], server.requests[1].headers["if-range"]) == ("bytes=1000-", '"v1"')
    assert (home.sha256, home.resumed) == (digest(clip), True)


async def test_d04_a_freshly_signed_link_resumes(bring, server, clip):
    """The query of a link is no part of the file's identity."""
    await cut_once(bring, server, clip, 1000)

    home = await bring(path="/clip.mp4?signature=another")

    assert (home.sha256, home.resumed) == (digest(clip), True)


async def test_another_path_is_another_file(bring, server, clip):
    """Bytes of one file are never continued with those of another."""
    await cut_once(bring, server, clip, 1000)

    assert not (await bring(path="/other.mp4")).resumed
    assert "range" not in server.requests[1].headers


async def test_without_a_strong_etag_it_starts_again(bring, server, clip):
    """Nobody can say whether the rest belongs to the same file."""
    await cut_once(bring, server, clip, 1000, etag=None)

    assert not (await bring()).resumed
    assert "range" not in server.requests[1].headers


async def test_d10_a_server_that_ignores_range_is_taken_from_the_start(bring, server, clip):
    """Status 200 brings the whole file, whatever was asked for."""
    await cut_once(bring, server, clip, 1000)
    server.answer = lambda _: Reply(clip, headers={"etag": '"v1"'})

    home = await bring()

    assert (home.sha256, home.resumed) == (digest(clip), False)


async def test_d11_a_changed_file_starts_again(bring, server, clip, other_clip):
    """When the ETag differs, the old part is thrown away."""
    await cut_once(bring, server, clip, 1000)
    server.answer = ranged(other_clip, '"v2"')

    assert (await bring()).sha256 == digest(other_clip)


async def test_d10_a_part_from_the_wrong_place_is_not_taken(bring, server, clip):
    """A 206 that does not fit is answered by asking for everything."""
    await cut_once(bring, server, clip, 1000)
    good = server.answer
    wrong = Reply(clip[500:], 206, {"content-range": f"bytes 500-{len(clip) - 1}/{len(clip)}", "etag": '"v1"'})
    server.answer = lambda request: wrong if request.start else good(request)

    home = await bring()

    assert (home.sha256, home.resumed, len(server.requests)) == (digest(clip), False, 3)


async def test_d10_status_416_starts_again(bring, server, clip, other_clip):
    """A file that has become shorter than the part is another file."""
    await cut_once(bring, server, clip, len(clip) - 1)
    shorter = make_clip(frames=2, audio=False)
    full = ranged(shorter, '"v2"')
    server.answer = lambda request: Reply(status=416) if request.start else full(request)

    home = await bring()

    assert (home.sha256, home.resumed) == (digest(shorter), False)


async def test_d13_a_complete_part_needs_no_server(bring, server, videos, clip):
    """Killed between the last byte and the name: nothing is downloaded again."""
    await cut_once(bring, server, clip, len(clip) - 1)
    (videos / ".a.mp4.t1.part").write_bytes(clip)

    home = await bring()

    assert (home.sha256, home.resumed, len(server.requests)) == (digest(clip), True, 1)


@pytest.mark.parametrize("torn", [b"", b"{", b"[]", b"null", b'{"link": 1}', b'{"link": "x", "total": "9"}', b"\xff"])
async def test_d13_a_torn_sidecar_costs_a_download_and_no_more(bring, server, videos, clip, torn):
    """Whatever stands in the sidecar, the clip comes home whole."""
    await cut_once(bring, server, clip, 1000)
    (videos / ".a.mp4.t1.part.json").write_bytes(torn)

    home = await bring()

    assert (home.sha256, home.resumed) == (digest(clip), False)


@pytest.mark.parametrize("layout", ["clip", "fast_clip"])
async def test_d07_a_body_without_length_that_breaks_off_is_found_out(bring, server, videos, request, layout):
    """The boxes tell what the server did not; the end of the line is not the end of the file."""
    data = request.getfixturevalue(layout)
    server.answer = lambda _: Reply(data, length=None, cut=len(data) * 2 // 3)

    with pytest.raises(DownloadInterrupted, match="no whole MP4"):
        await bring()

    assert not (videos / "a.mp4").exists()


async def test_an_open_ended_clip_without_length_that_breaks_off_is_found_out(bring, server, fast_clip):
    """Not even a file whose last box says "to the end of the file" hides its missing end."""
    data = open_ended(fast_clip)
    server.answer = lambda _: Reply(data, length=None, cut=len(data) - 1)

    with pytest.raises(DownloadInterrupted, match="no whole MP4"):
        await bring()


async def test_a_whole_body_without_length_is_taken(bring, server, clip):
    """A server need not say how long a file is."""
    server.answer = lambda _: Reply(clip, length=None)

    assert (await bring()).sha256 == digest(clip)


@pytest.mark.parametrize("more", [1, 4000])
async def test_a_length_longer_than_the_body_is_an_interruption(bring, server, clip, more):
    """Content-Length is held against what came."""
    server.answer = lambda _: Reply(clip, length=len(clip) + more)

    with pytest.raises(DownloadInterrupted):
        await bring()


async def test_d08_a_length_shorter_than_the_file_is_no_video(bring, server, videos, clip):
    """What comes behind the promised length is not read, and the rest is no whole file."""
    server.answer = lambda _: Reply(clip, length=len(clip) - 5)

    with pytest.raises(NotAVideo):
        await bring()

    assert names(videos) == []


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(b"<html>Sign in</html>", headers={"content-type": "text/html"}), NotAVideo),
        (Reply(b"<html>Sign in, please</html>", headers={"content-type": "video/mp4"}), NotAVideo),
        (Reply(b'{"error": "gone"}', headers={"content-type": "application/json"}), NotAVideo),
        (Reply(b"\x89PNG....", headers={"content-type": "image/png"}), NotAVideo),
        (Reply(b"\x1f\x8b......", headers={"content-encoding": "gzip"}), NotAVideo),
        (Reply(b"", headers={"content-type": "video/mp4"}), NotAVideo),
        (Reply(b"<Error>ExpiredToken</Error>", 400, {"content-type": "application/xml"}), LinkExpired),
        (Reply(b"", 403), LinkExpired),
        (Reply(b"", 503), DownloadInterrupted),
    ],
)
async def test_d04_d06_d12_pages_and_errors_never_become_files(bring, server, videos, reply, error):
    """By their type, by their encoding or by their first bytes: nothing but a video gets the name."""
    server.answer = lambda _: reply

    with pytest.raises(error):
        await bring()

    assert [name for name in names(videos) if not name.startswith(".")] == []


def packed(body: bytes, bits: int = 31) -> bytes:
    """Gzip; with 15 as deflate should be, with -15 as some mean it."""
    packing = zlib.compressobj(wbits=bits)
    return packing.compress(body) + packing.flush()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", packed),
        ("x-GZIP", packed),
        ("deflate", lambda body: packed(body, 15)),
        ("deflate", lambda body: packed(body, -15)),
        ("gzip", lambda body: packed(body[:999]) + packed(body[999:])),
        ("aws-chunked", lambda body: body),
        ("aws-chunked,gzip", packed),
        ("identity", lambda body: body),
        ("gzip", lambda body: body),  # it is not, and says so
    ],
)
@pytest.mark.parametrize("announced", [-1, None], ids=["with a length", "without"])
async def test_a_paid_clip_lost_to_its_encoding(bring, server, videos, clip, encoding, pack, announced):
    """What a store has packed, or says that it has, comes home as it was made."""
    server.answer = lambda _: Reply(pack(clip), headers={"content-encoding": encoding}, length=announced)
    found = await bring()
    assert found.path.read_bytes() == clip


async def test_a_paid_clip_lost_to_bytes_behind_its_end(bring, server, clip):
    """One byte behind the last box, and the promised length: it is the clip. Without a length it may be cut, and waits."""
    server.answer = ranged(clip + b"\n")
    assert (await bring()).bytes == len(clip) + 1
    server.answer = lambda _: Reply(clip + b"\n", length=None)
    with pytest.raises(DownloadInterrupted):
        await bring(filename="b.mp4", attempt="b")


@pytest.mark.parametrize(
    ("body", "encoding", "error"),
    [
        (packed(b"\0\0\0\x08ftyp" + bytes(9_000_000)), "gzip", NotAVideo),  # a bomb
        (packed(b"\0\0\0\x08ftyp" + bytes(9_000))[:-9], "gzip", DownloadInterrupted),
        (b"\x1f\x8b" + bytes(60), "gzip", NotAVideo),
        (b"400;chunk-signature=0\r\n", "aws-chunked", NotAVideo),
        (b"whatever", "br", ClipRefused),
    ],
    ids=["a bomb", "cut", "no archive", "really chunked", "unknown"],
)
async def test_what_cannot_be_unpacked_is_refused(bring, server, videos, body, encoding, error):
    """Its size is capped as it is unpacked, and nothing of it gets the name."""
    server.answer = lambda _: Reply(body, headers={"content-encoding": encoding})
    with pytest.raises(error):
        await bring(most_bytes=1_000_000)
    assert [name for name in names(videos) if not name.startswith(".")] == []


async def test_a_paid_clip_lost_to_an_announcement_larger_than_the_disk(bring, server, clip, monkeypatch):
    """1.9 GB where others are some megabytes: this one cannot be taken here, which says nothing of the others."""
    real = os.fstatvfs
    monkeypatch.setattr(os, "fstatvfs", lambda handle: os.statvfs_result([*real(handle)[:3], 9, 9, *real(handle)[5:]]))
    server.answer = lambda _: Reply(clip, length=1_900_000_000)
    with pytest.raises(ClipRefused, match="needs 1,900,000,000 bytes"):
        await bring()


async def test_d04_an_expired_link_keeps_the_part(bring, server, clip):
    """What has come stays good for the fresh link."""
    await cut_once(bring, server, clip, 1000)
    good = server.answer
    server.answer = lambda _: Reply(status=403)
    with pytest.raises(LinkExpired):
        await bring()
    server.answer = good

    assert (await bring()).resumed


async def test_d08_an_endless_body_is_cut_at_the_cap(bring, server, videos):
    """A body without end ends at the cap, and nothing is kept of it."""
    server.answer = lambda _: Reply(b"\0\0\0\x08ftyp" + bytes(200_000), length=None)

    with pytest.raises(NotAVideo, match="more than the 100,000"):
        await bring(most_bytes=100_000)

    assert names(videos) == []


async def test_d09_a_slow_drip_is_stopped_and_resumes(bring, server, clip):
    """Too slow for too long is an interruption that keeps what came."""
    server.answer = ranged(clip, pause=0.01)
    with pytest.raises(DownloadInterrupted, match="too slowly"):
        await bring(slow_window_s=0.1)
    server.answer = ranged(clip)

    home = await bring()

    assert (home.sha256, home.resumed) == (digest(clip), True)


async def test_d09_the_deadline_stops_and_resumes(bring, server, clip):
    """However fast it is, a download ends some time."""
    server.answer = ranged(clip, pause=0.01)
    with pytest.raises(DownloadInterrupted, match="longer than"):
        await bring(deadline_s=0.15)
    server.answer = ranged(clip)

    assert (await bring()).resumed


async def test_a_cancelled_download_resumes(bring, server, clip):
    """An interrupted run keeps what came."""
    server.answer = ranged(clip, pause=0.01)
    task = asyncio.create_task(bring())
    await asyncio.sleep(0.15)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    server.answer = ranged(clip)

    assert (await bring()).resumed


async def test_a_large_clip_passes_through_in_blocks(bring, server, clip, monkeypatch):
    """Written block by block, cut and resumed in the middle, the bytes and the digest are right."""
    monkeypatch.setattr(download, "_BLOCK_BYTES", 700)
    await cut_once(bring, server, clip, 2000)

    home = await bring()

    assert (home.path.read_bytes(), home.sha256, home.resumed) == (clip, digest(clip), True)


async def test_d14_killed_before_the_ledger_knew_it_is_adopted(bring, server, clip):
    """A clip that is home is found by its receipt, verified again, and not downloaded: the link may be dead by now."""
    server.answer = ranged(clip)
    first = await bring()
    server.answer = lambda _: Reply(status=403)

    again = await bring()

    assert (again.path, again.sha256, again.media, again.resumed) == (first.path, first.sha256, first.media, True)


@pytest.mark.parametrize("step", ["write_sidecar", "remove", "sync"])
async def test_d14_killed_between_link_and_unlink_it_is_adopted(bring, server, videos, clip, monkeypatch, step):
    """Wherever between naming and tidying the process dies, the next one finds one whole clip and no second copy."""

    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    server.answer = ranged(clip)
    with monkeypatch.context() as patch:
        patch.setattr(publish if step == "write_sidecar" else ClipPlace, step, kill)
        with pytest.raises(Killed):
            await bring()
    server.answer = lambda _: Reply(status=403)

    home = await bring()
    settle(videos, "a.mp4", "t1")

    assert (home.path.read_bytes(), names(videos)) == (clip, ["a.mp4"])


async def test_a_part_with_two_names_is_never_written_to(bring, server, videos, clip, other_clip):
    """A part file that somebody linked elsewhere is left to them."""
    videos.mkdir(parents=True)
    (videos / "kept.mp4").write_bytes(other_clip)
    os.link(videos / "kept.mp4", videos / ".a.mp4.t1.part")
    server.answer = ranged(clip)

    assert (await bring()).path.read_bytes() == clip
    assert (videos / "kept.mp4").read_bytes() == other_clip


async def test_d14_a_changed_file_is_not_adopted_by_its_receipt(bring, server, videos, clip, other_clip):
    """The receipt is held against the disk."""
    server.answer = ranged(clip)
    (await bring()).path.write_bytes(other_clip)

    home = await bring()

    assert (home.path.name, home.path.read_bytes()) == ("a-1.mp4", clip)
    assert (videos / "a.mp4").read_bytes() == other_clip


async def test_d15_a_foreign_file_is_never_overwritten(bring, server, videos, clip):
    """A name that is taken is left alone, and the clip says under which name it is."""
    videos.mkdir(parents=True)
    (videos / "a.mp4").write_bytes(b"holiday")
    (videos / "a-1.mp4").symlink_to("nowhere")
    server.answer = ranged(clip)

    home = await bring()

    assert (home.path.name, home.path.read_bytes()) == ("a-2.mp4", clip)
    assert (videos / "a.mp4").read_bytes() == b"holiday"


async def test_d14_d21_the_same_clip_under_its_name_is_taken_as_it_is(bring, server, videos, clip):
    """Two runs that bring home the same clip end with one file."""
    videos.mkdir(parents=True)
    (videos / "a.mp4").write_bytes(clip)
    server.answer = ranged(clip)

    home = await bring()
    settle(videos, "a.mp4", "t1")

    assert (home.path, names(videos)) == (videos / "a.mp4", ["a.mp4"])


async def test_d21_two_at_once_do_not_write_to_one_part(bring, server, videos, clip):
    """A part file belongs to one download at a time."""
    with (
        ClipPlace(videos, "a.mp4", "t1") as place,
        Part.open(place),
        pytest.raises(DownloadInterrupted, match="someone else"),
    ):
        await bring()


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP])
async def test_d15_without_hard_links_nothing_is_overwritten_either(
    bring, server, videos, clip, other_clip, monkeypatch, code
):
    """A file system without hard links gets the same law by another way."""

    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(ClipPlace, "link", refuse)
    server.answer = ranged(clip)
    videos.mkdir(parents=True)
    (videos / "a.mp4").write_bytes(other_clip)

    home = await bring()

    assert (home.path.name, home.path.read_bytes()) == ("a-1.mp4", clip)
    assert (videos / "a.mp4").read_bytes() == other_clip


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
async def test_d16_a_full_disk_is_said_and_the_part_is_kept(bring, server, videos, clip, monkeypatch, code):
    """No space stops everything, and loses nothing that came before."""
    await cut_once(bring, server, clip, 1000)

    def full(*_):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(DiskFull):
            await bring()

    assert (await bring()).resumed


async def test_d16_a_clip_that_will_not_fit_is_refused_before_it_comes(bring, server, videos, clip, monkeypatch):
    """The length is held against the free space at once, and both are said."""
    server.answer = ranged(clip)
    real = os.fstatvfs
    monkeypatch.setattr(os, "fstatvfs", lambda handle: os.statvfs_result([*real(handle)[:3], 0, 0, *real(handle)[5:]]))

    with pytest.raises(DiskFull, match=f"needs {len(clip):,} bytes"):
        await bring()


async def test_d17_after_a_failed_fsync_the_file_is_lost(bring, server, videos, clip, monkeypatch):
    """What the disk could not keep is thrown away and downloaded again, never synced again."""
    server.answer = ranged(clip)

    def fail(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        videos.mkdir(parents=True)
        with pytest.raises(DownloadInterrupted, match="could not keep"):
            await bring()

    assert names(videos) == []
    assert not (await bring()).resumed


async def test_d18_a_folder_that_cannot_be_made_is_for_the_operator(http, server, tmp_path):
    """A file where the folder should be, or a read-only one, stops the run with words."""
    (tmp_path / "out").write_text("a file")

    with pytest.raises(SetupError, match="cannot be written"):
        await bring_home(
            http, ClipSource(server.url()), folder=tmp_path / "out" / "videos", filename="a.mp4", attempt="1"
        )


async def test_d19_a_planted_link_leads_nowhere(bring, server, videos, clip, tmp_path):
    """Links among the sub-folders, the part file and the sidecar are refused, and nothing is written behind them."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_bytes(b"precious")
    videos.mkdir(parents=True)
    (videos / "sub").symlink_to(outside, target_is_directory=True)
    (videos / ".b.mp4.t1.part").symlink_to(outside / "victim")
    (videos / ".c.mp4.t1.part.json").symlink_to(outside / "victim")
    server.answer = ranged(clip)

    for filename in ("sub/a.mp4", "b.mp4", "c.mp4"):
        with pytest.raises(OutputError, match="symbolic link"):
            await bring(filename)

    assert (names(outside), (outside / "victim").read_bytes()) == (["victim"], b"precious")
    assert server.requests == []


async def test_d19_a_pipe_in_the_place_of_the_part_does_not_hang_us(bring, videos):
    """Only plain files are written to."""
    videos.mkdir(parents=True)
    os.mkfifo(videos / ".a.mp4.t1.part")

    with pytest.raises(OutputError, match="no plain file"):
        await asyncio.wait_for(bring(), 5)


@pytest.mark.parametrize("filename", ["", "../a.mp4", "/etc/a.mp4", "x/../../a.mp4", "a\0.mp4", "..\\a.mp4", "."])
async def test_file_names_stay_below_the_folder(bring, filename):
    """No file name leads out of the folder."""
    with pytest.raises(OutputError, match="no file name"):
        await bring(filename)


@pytest.mark.parametrize(
    ("filename", "attempt"), [("x" * 240 + ".mp4", "1"), ("a.mp4", "task/../1"), ("a.mp4", "é" * 99)]
)
async def test_long_names_and_odd_attempts_still_have_a_part_file(bring, server, videos, clip, filename, attempt):
    """The temporary name always fits, and never leads elsewhere."""
    server.answer = ranged(clip)

    assert (await bring(filename, attempt=attempt)).path == videos / filename


async def test_d02_a_link_to_a_private_address_is_refused(server, videos):
    """The guard stands before the download as well."""
    async with Http() as http:
        for url in (server.url(), "http://127.0.0.1/x", "ftp://cdn/x", "http://[::1"):
            with pytest.raises(AddressRefused):
                await bring_home(http, ClipSource(url), folder=videos, filename="a.mp4", attempt="1")

    assert server.requests == []


async def test_k04_no_message_and_no_file_holds_the_query(bring, server, videos, clip):
    """Signed queries are secrets: neither errors, nor the sidecar, nor a printed source show them."""
    messages = []
    for reply in (
        Reply(clip, cut=900, headers={"etag": '"v1"'}),
        Reply(status=403),
        Reply(b"<html>"),
        Reply(status=451),
    ):
        server.answer = lambda _, reply=reply: reply
        with pytest.raises(OutputError) as caught:
            await bring()
        messages.append(str(caught.value))
    written = b"".join(path.read_bytes() for path in videos.iterdir())

    assert "secret" not in " ".join(messages) + repr(ClipSource(server.url()))
    assert b"secret" not in written
