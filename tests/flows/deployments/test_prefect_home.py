from __future__ import annotations

import pytest
from prefect.client.orchestration import get_client

from flows.deployments.prefect_home import POOL, check_server, find_pool
from pipelines.core.errors import SetupError
from tests.servers import prefect_at


@pytest.mark.parametrize(("url", "words"), [(None, "PREFECT_API_URL"), ("http://127.0.0.1:9/api", "127.0.0.1:9")])
async def test_without_a_server_it_says_how_to_start_one(url, words):
    """No server, or none that answers, is an error that names the command."""
    with prefect_at(url), pytest.raises(SetupError, match="prefect server start") as refused:
        await check_server()
    assert words in str(refused.value)


async def test_the_pool(prefect_api):
    """Our own process pool is made where it is missing; a pool that was named must be there."""
    with prefect_at(prefect_api):
        assert await check_server() == prefect_api
        assert [await find_pool(None) for _ in range(2)] == [POOL, POOL]
        async with get_client() as client:
            assert (await client.read_work_pool(POOL)).type == "process"
        with pytest.raises(SetupError, match="no work pool 'elsewhere'"):
            await find_pool("elsewhere")
