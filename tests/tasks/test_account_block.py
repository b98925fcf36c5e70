from __future__ import annotations

import subprocess
import sys

import pytest

from tasks.account_block import ProviderAccount, accounts_in_blocks
from tests.servers import prefect_at


@pytest.fixture
def server(prefect_api):
    with prefect_at(prefect_api):
        yield


async def test_a_block_is_read_as_the_environment_would_be(server):
    """`reelbatch-<provider>` stands for the variables of that provider; blocks of other names are not ours."""
    for name in ("reelbatch-acedata-kling", "mine"):
        await ProviderAccount(api_key=f"key-of-{name}", base_url="https://gateway.example/v1").save(name)
    await ProviderAccount(api_key="plain").save("reelbatch-litellm")
    found = await accounts_in_blocks()
    assert found["ACEDATA_KLING_API_KEY"] == "key-of-reelbatch-acedata-kling"
    assert found["ACEDATA_KLING_BASE_URL"] == "https://gateway.example/v1"
    assert found["LITELLM_API_KEY"] == "plain"
    assert "LITELLM_BASE_URL" not in found
    assert "key-of-mine" not in found.values()


async def test_without_a_server_there_are_none():
    """The environment may have all that is needed, so nothing is raised."""
    with prefect_at("http://127.0.0.1:9/api"):
        assert await accounts_in_blocks() == {}


def test_its_key_is_not_shown():
    """Whatever prints the block prints no key."""
    assert "CANARY" not in repr(ProviderAccount(api_key="CANARY"))


@pytest.mark.parametrize(("command", "apart"), [(("server", "start"), True), (("worker", "start"), False)])
def test_a_server_that_loads_it_collects_its_garbage_apart(command, apart):
    """Prefect loads it by its entry point wherever it is installed; who is no server goes on as before."""
    code = "import gc, tasks.account_block; print(gc.isenabled())"
    ended = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    assert ended.stdout.split()[-1] == str(not apart)
