from __future__ import annotations

import os

import pytest

from pipelines.providers.profile.load import shipped_profiles
from pipelines.run.doctor import Health, check_key, check_live, check_proxies, examine


@pytest.fixture
def prefect_server(tmp_path):
    """What the doctor says of Prefect's server, in an environment that sets an address of one."""

    async def look(url):
        found = await examine(
            tmp_path, [], dict(os.environ) | {"PREFECT_API_URL": url}, live=False, ports=range(8000, 9000)
        )
        return next(finding for finding in found if finding.name == "Prefect server")

    return look


async def test_a_ui_that_asks_another_port_is_told_how_to_start(prefect_server, prefect_api):
    """`prefect server start --port 4311` alone gives a UI that asks port 4200 and shows nothing; the cure is named."""
    finding = await prefect_server(prefect_api)
    assert finding.health is Health.NOTE
    assert f"PREFECT_UI_API_URL={prefect_api}" in finding.words
    assert "4200" in finding.words


async def test_a_server_that_does_not_answer_is_bad(prefect_server):
    """A run would fail, so the doctor says so, and what to do."""
    finding = await prefect_server("http://127.0.0.1:9/api")
    assert finding.health is Health.BAD
    assert "prefect server start" in finding.words


@pytest.mark.parametrize(
    "base_url",
    [
        *(
            "https://me:sk-canary@127.0.0.1:9/v1",
            "http://me:sk-canary@[zz]/v1",
            "https://sk-canary@h.example:sk-canary/v1",
        ),
        *("me:sk-canary@gate.example/v1", "https://127.0.0.1:9/v1?token=sk-canary"),
    ],
)
async def test_leaked_by_the_doctor(prefect_server, base_url):
    """The password of an address, of a proxy, or of Prefect's server is shown by no check, and nor is a key."""
    profile = shipped_profiles()["qiniu"]
    environment = {"QINIU_BASE_URL": base_url, "QINIU_API_KEY": "sk-canary-key", "ALL_PROXY": "u:sk-canary@p.example:1"}
    found = [check_key(profile, environment), await check_live(profile, environment), *check_proxies(environment)]
    found += [*check_proxies({"HTTPS_PROXY": "u:sk-canary@p.example:port"})]
    found.append(await prefect_server("http://me:sk-canary@127.0.0.1:9/api"))
    assert "canary" not in repr(found)
    assert [finding.health for finding in found[-2:]] == [Health.BAD, Health.BAD]
