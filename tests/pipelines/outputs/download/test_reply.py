from __future__ import annotations

import pytest

from pipelines.core.errors import ClipRefused, DownloadInterrupted, LinkExpired, NotAVideo, OutputError
from pipelines.outputs.download.reply import Next, Reply, refuse_unless_video, understand
from pipelines.outputs.download.sidecar import Sidecar

EARLIER = Sidecar("link", '"v1"', 100)


def ask(status, headers=None, have=0, earlier=None, cap=1000) -> Reply:
    return understand(status, headers or {}, have=have, earlier=earlier, cap=cap, server="cdn")


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (401, {}, LinkExpired),
        (403, {}, LinkExpired),
        (404, {}, LinkExpired),
        (410, {}, LinkExpired),
        (400, {"content-type": "application/xml"}, LinkExpired),
        (400, {"content-type": "text/html; charset=utf-8"}, LinkExpired),
        (408, {}, DownloadInterrupted),
        (429, {}, DownloadInterrupted),
        (500, {"content-type": "text/html"}, DownloadInterrupted),
        (503, {}, DownloadInterrupted),
        (400, {}, OutputError),
        (451, {}, OutputError),
        (204, {}, OutputError),
        (304, {}, OutputError),
        (416, {}, OutputError),
        (200, {"content-type": "text/html"}, NotAVideo),
        (200, {"content-type": "Application/JSON"}, NotAVideo),
        (200, {"content-type": "application/problem+json"}, NotAVideo),
        (200, {"content-type": "text/xml"}, NotAVideo),
        (200, {"content-type": "image/webp"}, NotAVideo),
        (200, {"content-encoding": "br"}, ClipRefused),
        (200, {"content-encoding": "gzip, gzip"}, ClipRefused),
        (200, {"content-encoding": "aws-chunked,zstd"}, ClipRefused),
        (200, {"content-length": "1001"}, OutputError),
    ],
)
def test_d04_d05_d06_d08_d12_every_refusal_has_its_class(status, headers, error):
    """What a server says decides whether to ask for a fresh link, to try later, or to give up."""
    with pytest.raises(OutputError) as caught:
        ask(status, headers)

    assert type(caught.value) is error


@pytest.mark.parametrize("kind", ["video/mp4", "application/octet-stream", "binary/octet-stream", "", "text/plain"])
def test_other_content_types_are_left_to_the_boxes(kind):
    """Storage servers call a video many things."""
    headers = {"content-type": kind, "content-length": "7", "etag": '"v1"'}

    assert ask(200, headers) == Reply(Next.FROM_START, 7, '"v1"')


@pytest.mark.parametrize("etag", ['W/"v1"', '""', "v1", None])
def test_d11_only_a_strong_etag_counts(etag):
    """A weak ETag promises nothing about bytes."""
    assert ask(200, {"etag": etag} if etag else {}).etag is None


@pytest.mark.parametrize(
    ("status", "headers", "following"),
    [
        (206, {"content-range": "bytes 40-99/100"}, Next.CONTINUE),
        (206, {"content-range": "bytes 40-99/100", "etag": '"v1"'}, Next.CONTINUE),
        (206, {"content-range": "bytes 40-60/100"}, Next.CONTINUE),  # fewer than asked for: the next call goes on
        (206, {"content-range": "bytes 0-99/100"}, Next.ASK_AGAIN),
        (206, {"content-range": "bytes 40-98/99"}, Next.ASK_AGAIN),
        (206, {"content-range": "bytes 40-99/*"}, Next.ASK_AGAIN),
        (206, {"content-range": "bytes 40-99/100", "etag": '"v2"'}, Next.ASK_AGAIN),
        (206, {}, Next.ASK_AGAIN),
        (200, {}, Next.FROM_START),
        (416, {"content-range": "bytes */40"}, Next.ASK_AGAIN),
        (416, {"content-range": "bytes */39"}, Next.ASK_AGAIN),
        (416, {}, Next.ASK_AGAIN),
    ],
)
def test_d10_only_the_right_rest_of_the_same_file_is_appended(status, headers, following):
    """Start, total and ETag must all fit; anything else starts again."""
    assert ask(status, headers, have=40, earlier=EARLIER).next is following


@pytest.mark.parametrize("headers", [{}, {"content-type": "video/mp4"}, {"content-type": "application/octet-stream"}])
@pytest.mark.parametrize("status", [200, 206])
def test_whatever_may_be_a_video_is_let_pass(status, headers):
    """Servers that say nothing of the kind, or know it only as bytes, are many."""
    refuse_unless_video(status, headers, "cdn")
