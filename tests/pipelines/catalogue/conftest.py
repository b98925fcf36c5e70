"""Rows of a manifest, as short as the test that needs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from pipelines.catalogue.manifest_row import ManifestRow

MakeRow = Callable[..., ManifestRow]


@pytest.fixture
def make_row() -> MakeRow:
    def make(**values) -> ManifestRow:
        base = {
            "id": "a-1",
            "row": 1,
            "campaign": "spring",
            "status": "done",
            "provider": "acedata",
            "model": "sora-2",
            "prompt": "A fox",
            "prompt_sha256": "0" * 64,
        }
        return ManifestRow(**(base | values))

    return make


@pytest.fixture
def make_picture() -> Callable[[Path], None]:
    def make(path: Path) -> None:
        Image.new("RGB", (1280, 720), "white").save(path, "PNG")

    return make
