from __future__ import annotations

import asyncio
import json
import urllib.request

from flows.command_line.prefect_server import temporary_server


def _is_healthy(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/api/health", timeout=10) as answer:
        return json.load(answer) is True


async def test_two_runs_that_start_at_once_have_a_server_each():
    """Neither takes the other's for its own, which would end with the other's run."""
    async with temporary_server() as first:

        async def another() -> str:
            async with temporary_server() as url:
                assert await asyncio.to_thread(_is_healthy, url)
                return url

        both = await asyncio.gather(another(), another())
        assert len({first, *both}) == 3
        assert await asyncio.to_thread(_is_healthy, first)
