"""The expiry flow: looks for paid clips whose links end soon, brings them home, and raises the alarm for the others."""

# Prefect copies this file by value when it is served; annotations that are texts could not be read there.

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.states import Completed
from pydantic import Field

from flows.deployed_run import root_here
from flows.run_logs import send_logs
from pipelines.actions.collect import campaigns_below, expiring_clips, recovered_words
from pipelines.core.errors import LedgerError
from pipelines.core.remote_folder import shown_place
from pipelines.run.options import RunOptions
from tasks.collect import collect_clips

LINK_EXPIRING = "reelbatch.link.expiring"  #: event: paid clips of a campaign may be lost soon; says so in `message`

log = logging.getLogger("reelbatch")


@flow(name="expiry", validate_parameters=True)
async def expiry(
    folder: Annotated[str | None, Field(json_schema_extra={"title": "Folder"})] = None,
    within_hours: Annotated[float, Field(json_schema_extra={"title": "Hours that a link has left"}, gt=0)] = 6.0,
    profiles: Annotated[list[str] | None, Field(json_schema_extra={"title": "Profiles of providers"})] = None,
) -> State[dict[str, list[str]]]:
    """Bring home paid clips whose links end soon; those that cannot be had are told by the event reelbatch.link.expiring.

    A good schedule is every 15 minutes: a look that finds nothing reads the ledgers and asks no provider.

    Args:
        folder: An output folder, or one above several. Default: the Variable reelbatch_root.
        within_hours: Links that end sooner are looked after.
        profiles: Further profiles of providers, as YAML files.

    Returns:
        The jobs whose clips could not be brought home, by output folder.

    Raises:
        SetupError: there is no such folder.
    """
    send_logs()
    options = RunOptions(profiles=tuple(map(Path, profiles or ())))
    before, found, lost = datetime.now(UTC) + timedelta(hours=within_hours), [], {}
    for each in campaigns_below(await root_here(folder)):
        if not _expiring(each, before):
            continue
        found.append(await collect_clips(each, options))
        if ids := _expiring(each, before):
            lost[str(each)] = ids
            _raise_alarm(each, found[-1].campaign, ids)
    return Completed(message=recovered_words(found), data=lost)


def _expiring(folder: Path, before: datetime) -> list[str]:
    """The same; a ledger that cannot be read is said, and holds up no other."""
    try:
        return expiring_clips(folder, before)
    except LedgerError as error:
        log.warning("%s", error)
        return []


def _raise_alarm(folder: Path, campaign: str, ids: list[str]) -> None:
    """Emit one event for a campaign. It names jobs and no prompt."""
    message = (
        f"{shown_place(folder)}: the links of {len(ids)} paid clips end soon, and they cannot be had: {', '.join(ids)}"
    )
    log.error(message)
    emit_event(
        LINK_EXPIRING,
        resource={
            "prefect.resource.id": f"reelbatch.campaign.{folder}",
            "prefect.resource.name": campaign or folder.name,
        },
        payload={"folder": str(folder), "campaign": campaign, "jobs": ids, "count": len(ids), "message": message},
    )
