from __future__ import annotations

import hashlib

import pytest

from pipelines.outputs.download.verify import verify_file

CONTENT = b"a clip"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (CONTENT, None),
        (b"a clap", "its content has changed"),
        (b"a clip!", "it has 7 bytes instead of 6"),
        (None, "it is missing"),
    ],
)
def test_k06_a_file_that_changed_says_how(tmp_path, content, reason):
    """A catalogued file is told from every other."""
    path = tmp_path / "a.mp4"
    if content is not None:
        path.write_bytes(content)

    assert verify_file(path, SHA256, len(CONTENT)) == reason


def test_a_folder_in_its_place_is_a_reason_too(tmp_path):
    """What cannot be read is reported, not raised."""
    assert verify_file(tmp_path, SHA256, 6).startswith("it cannot be read")
