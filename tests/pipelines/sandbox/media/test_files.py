from __future__ import annotations

import pytest


@pytest.fixture
def address(client, finished):
    video = client.post("/v1/videos", json={"prompt": "a"}).json()["id"]
    finished(client, f"/v1/videos/{video}")
    return f"/v1/videos/{video}/content"


def test_a_part_is_a_part_of_the_whole(client, address):
    """Every satisfiable Range gives 206 with exactly those bytes."""
    whole = client.get(address).content
    size = len(whole)
    for spec, expected in {
        "0-99": whole[:100],
        "100-": whole[100:],
        "-50": whole[-50:],
        f"{size - 1}-{size + 10}": whole[-1:],
    }.items():
        answer = client.get(address, headers={"range": f"bytes={spec}"})
        assert (answer.status_code, answer.content) == (206, expected)
        assert answer.headers["content-range"].endswith(f"/{size}")


def test_nothing_to_give_is_416(client, address):
    """A Range beyond the end says how long the file is."""
    size = int(client.get(address).headers["content-length"])
    answer = client.get(address, headers={"range": f"bytes={size}-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{size}")


def test_a_range_of_another_version_gives_the_whole(client, address):
    """If-Range with the present ETag resumes, with any other it starts again."""
    etag = client.get(address).headers["etag"]
    same = client.get(address, headers={"range": "bytes=5-", "if-range": etag})
    other = client.get(address, headers={"range": "bytes=5-", "if-range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)


@pytest.mark.parametrize("spec", ["bytes=-", "bytes=a-b", "items=1-2", "bytes=1-2,4-5"])
def test_a_range_that_is_not_understood_is_ignored(client, address, spec):
    """Unknown units and several ranges give the whole file, as RFC 9110 allows."""
    assert client.get(address, headers={"range": spec}).status_code == 200
