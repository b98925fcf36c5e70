"""Who is told how runs of a deployment end: Prefect's automations and notification blocks, made as code."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from uuid import UUID

from apprise import Apprise
from prefect.blocks.notifications import SlackWebhook
from prefect.client.orchestration import PrefectClient, get_client
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound

from flows.expiry import LINK_EXPIRING
from pipelines.core.errors import SetupError

#: What people are told of, and the events that say so. A run that a person must look at fails first, and is then given
#: the name of its end (`flows/naming.py`); only the name is told, so `Failed` counts where there is none.
TOLD = {
    "done": ("Completed",),
    "failed": ("Failed", "Rows Failed", "Unfinished"),
    "in doubt": ("In Doubt",),
    "budget reached": ("Budget Reached",),
    "crashed": ("Crashed",),
}
#: Of the blocks that every Prefect server has, the one that hands any address to Apprise as it is. The UI calls it
#: Slack Webhook; a block of our own would need reelbatch where the server is.
_ADDRESS = SlackWebhook
_NAMED_LATER = "!Flow run encountered an exception: AttentionNeeded*"
_BODY = "{{ flow_run.name }}: {{ flow_run.state.name }}. {{ flow_run.state.message }}\n{{ flow_run|ui_url or '' }}"
_LINK_BODY = "{{ event.payload['message'] }}"


def check_addresses(urls: Sequence[str]) -> None:
    """Find addresses that cannot be told anything.

    Raises:
        SetupError: one is no address of Apprise. It is not repeated, since it may hold a secret.
    """
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it repeats an address that it does not know
    for url in urls:
        if not Apprise().add(url):
            kind = url.partition(":")[0] if "://" in url else "it"
            raise SetupError(
                f"--notify: {kind} is no address that Apprise knows. Write one such as slack://..., mailto://... or "
                "json://host/path (https://github.com/caronc/apprise/wiki)."
            )


async def tell(deployment: UUID, name: str, urls: Sequence[str]) -> None:
    """Make, or bring up to date, the automations that tell of a deployment's runs. Without addresses they are taken away.

    Args:
        deployment: its id.
        name: of the deployment.
        urls: addresses of Apprise. They are kept in notification blocks, encrypted, and stand nowhere else.
    """
    async with get_client() as client:
        names = [f"{_slug(name)}-{number}" for number in range(1, len(urls) + 1)]
        blocks = [
            UUID(str(await _ADDRESS(url=url).save(block, overwrite=True)))
            for block, url in zip(names, urls, strict=True)
        ]
        for what in (*TOLD, "link expiring"):
            await _put(client, automation_of(deployment, name, what, blocks))
        await _forget_blocks(client, _slug(name), len(urls))


def automation_of(deployment: UUID, name: str, what: str, blocks: Sequence[UUID]) -> AutomationCore:
    """The automation that tells of one kind of end. Pure.

    Args:
        deployment: its id.
        name: of the deployment.
        what: of `TOLD`, or `link expiring`.
        blocks: the notification blocks, by id.
    """
    states = TOLD.get(what)
    of_run = {"prefect.resource.id": "prefect.flow-run.*", "prefect.state-message": _NAMED_LATER}
    of_deployment = {"prefect.resource.role": "deployment", "prefect.resource.id": f"prefect.deployment.{deployment}"}
    trigger = EventTrigger(
        expect={f"prefect.flow-run.{state}" for state in states} if states else {LINK_EXPIRING},
        # The flow `expiry` looks after every campaign, whichever deployment made it.
        match=ResourceSpecification(of_run if states else {"prefect.resource.id": "reelbatch.campaign.*"}),
        match_related=ResourceSpecification(of_deployment if states else {}),
        posture=Posture.Reactive,
        threshold=1,
    )
    subject, body = f"{name}: {what}", _BODY if states else _LINK_BODY
    return AutomationCore(
        name=f"reelbatch {name}: {what}",
        description=f"Tells of each run of the deployment {name}: {what}. Made by `reelbatch deploy --notify`.",
        enabled=True,
        trigger=trigger,
        actions=[SendNotification(block_document_id=block, subject=subject, body=body) for block in blocks],
    )


async def _put(client: PrefectClient, automation: AutomationCore) -> None:
    """Create an automation, or put it in the place of that of its name; one that a person switched off stays off."""
    known = await client.read_automations_by_name(automation.name)
    kept = known[0] if known and automation.actions else None
    for other in known:
        if other is not kept:
            await client.delete_automation(other.id)
    if kept is not None:
        await client.update_automation(kept.id, automation.model_copy(update={"enabled": kept.enabled}))
    elif automation.actions:
        await client.create_automation(automation)


async def _forget_blocks(client: PrefectClient, slug: str, used: int) -> None:
    """Take away the blocks of addresses that are told no more."""
    kind = _ADDRESS.get_block_type_slug()
    try:
        await client.read_block_type_by_slug(kind)
    except ObjectNotFound:  # nobody has ever been told
        return
    known = await client.read_block_documents_by_type(kind, include_secrets=False)
    for block in known:
        found = re.fullmatch(rf"{re.escape(slug)}-(\d+)", block.name or "")
        if found is not None and int(found[1]) > used:
            await client.delete_block_document(block.id)


def _slug(name: str) -> str:
    """A name that Prefect takes for a block."""
    return "reelbatch-" + (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "deployment")
