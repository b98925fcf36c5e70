"""Flow runs of which nobody hears any more: their process was killed, or its machine is gone.

Without a word from us Prefect shows them as running for ever. An automation of its server marks them as crashed.
"""

from __future__ import annotations

from datetime import timedelta

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.settings import get_current_settings

NAME = "reelbatch: lost runs"
LOST = "Nothing has been heard of its process any more. What is paid stays known: the next run goes on."
_FLOWS = ["campaign", "collect", "expiry", "inbox"]
_MOST_S = 540  # a lost run is marked within ten minutes, also where heartbeats are three minutes apart


async def watch_for_lost_runs(within_s: int | None = None) -> None:
    """Make, or bring up to date, the automation that marks runs as crashed which send no heartbeats any more.

    Args:
        within_s: after how long without one. Default: three times their distance, nine minutes at most.
    """
    automation = lost_runs_automation(within_s or silence_s(get_current_settings().flows.heartbeat_frequency))
    async with get_client() as client:
        known = await client.read_automations_by_name(NAME)
        if not known:
            await client.create_automation(automation)
            return
        first, *others = known
        await client.update_automation(first.id, automation)
        for other in others:
            await client.delete_automation(other.id)


def silence_s(heartbeat_s: int | None) -> int:
    """How long a run may be silent before it is taken for lost, by the distance of its heartbeats. Pure."""
    return min(_MOST_S, 3 * (heartbeat_s or _MOST_S))


def lost_runs_automation(within_s: int) -> AutomationCore:
    """The automation that marks runs as crashed of which nothing is heard for so long. Pure.

    It waits anew after every heartbeat, and after `Running` too, so that a run is found which was killed before its first
    one. Whatever else is heard of a run, by any name of a state, ends the waiting.
    """
    return AutomationCore(
        name=NAME,
        description="Marks campaigns as Crashed that send no heartbeats any more. Made by `reelbatch deploy`.",
        enabled=True,
        trigger=EventTrigger(
            after={"prefect.flow-run.Running", "prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            match_related=ResourceSpecification(
                {"prefect.resource.role": ["flow"], "prefect.resource.name": list(_FLOWS)}
            ),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=within_s),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=LOST)],
    )
