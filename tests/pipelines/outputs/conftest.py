"""Small clips, made once, and a server to have them from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from pipelines.net.http import Http
from tests.pipelines.outputs.clips import make_clip
from tests.pipelines.outputs.fault_server import FileServer


@pytest.fixture(scope="session")
def clip() -> bytes:
    return make_clip()


@pytest.fixture(scope="session")
def other_clip() -> bytes:
    return make_clip(shade=200)


@pytest.fixture(scope="session")
def fast_clip() -> bytes:
    return make_clip(movflags="faststart")


@pytest.fixture(scope="session")
def fragmented_clip() -> bytes:
    return make_clip(movflags="frag_keyframe+empty_moov")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[FileServer]:
    files = FileServer()
    running = await asyncio.start_server(files.serve, "127.0.0.1", 0)
    files.port = running.sockets[0].getsockname()[1]
    async with running:
        yield files


@pytest_asyncio.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as connections:
        yield connections


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    return tmp_path / "out" / "videos"
