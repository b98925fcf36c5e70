from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import get_client

from flows.deployments.notifications import TOLD, automation_of, check_addresses, tell
from pipelines.core.errors import SetupError
from tests.servers import prefect_at

ID = UUID("00000000-0000-4000-8000-000000000001")


@pytest.fixture
def server(prefect_api):
    with prefect_at(prefect_api):
        yield


@pytest.mark.parametrize("address", ["nonsense://x", "CANARY", "slack://", ""])
def test_an_address_that_apprise_does_not_know_is_refused(address):
    """It is refused before anything is deployed, and what may be secret in it is not said again."""
    with pytest.raises(SetupError, match="--notify") as refused:
        check_addresses(["json://127.0.0.1:1/hook", address])
    assert "CANARY" not in str(refused.value)


@pytest.mark.parametrize("what", [*TOLD, "link expiring"])
def test_an_automation_is_of_one_deployment(what):
    """It hears of runs of its own deployment alone, of links near their end wherever they are, and tells each block."""
    made = automation_of(ID, "spring", what, [ID, ID])
    assert made.name == f"reelbatch spring: {what}"
    assert (f"prefect.deployment.{ID}" in str(made.trigger.match_related)) == (what in TOLD)
    assert [action.subject for action in made.actions] == [f"spring: {what}"] * 2


def test_no_end_is_told_under_two_names():
    """Each name of a state is told by one automation."""
    states = [state for names in TOLD.values() for state in names]
    assert len(states) == len(set(states))


async def test_telling_again_brings_up_to_date(server):
    """Each kind of end has one automation however often it is deployed; one that was switched off stays off; none, none."""
    name = f"told-{uuid4().hex[:8]}"

    async def made():
        async with get_client() as client:
            found = [each for each in await client.read_automations() if each.name.startswith(f"reelbatch {name}: ")]
            blocks = await client.read_block_documents_by_type("slack-webhook", include_secrets=False)
            return found, sorted(block.name for block in blocks if name in block.name)

    await tell(ID, name, ["json://127.0.0.1:1/a", "json://127.0.0.1:1/b"])
    first, blocks = await made()
    assert (len(first), blocks) == (len(TOLD) + 1, [f"reelbatch-{name}-1", f"reelbatch-{name}-2"])
    async with get_client() as client:
        await client.pause_automation(first[0].id)
    await tell(ID, name, ["json://127.0.0.1:1/a"])
    again, blocks = await made()
    assert {each.id for each in again} == {each.id for each in first}
    assert [each.enabled for each in again if each.id == first[0].id] == [False]
    assert {len(each.actions) for each in again} == {1}
    assert blocks == [f"reelbatch-{name}-1"]
    await tell(ID, name, [])
    assert await made() == ([], [])
