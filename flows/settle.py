"""What a person settles, as Prefect flows: for buttons and automations of a server."""

# Prefect copies this file by value when it is served; annotations that are texts could not be read there.

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from prefect import flow
from pydantic import Field

from flows.deployed_run import folder_here
from pipelines.actions.adopt import adopt_line
from pipelines.actions.archive import archive_jobs
from pipelines.actions.cancel import cancel_run
from pipelines.actions.resolve import DoubtWord, adopt_id, settle_doubt
from pipelines.actions.verify import verify_folder
from pipelines.core.errors import AttentionNeeded, SettlementRefused
from pipelines.core.outcome import Charged, NotCharged, Resubmitted


@flow(name="resolve", validate_parameters=True)
async def resolve(
    folder: Annotated[str, Field(json_schema_extra={"title": "Output folder"})],
    job: Annotated[str, Field(json_schema_extra={"title": "Job"})],
    word: Annotated[
        Literal["adopt", "not-charged", "charged", "resubmit"], Field(json_schema_extra={"title": "What became of it"})
    ],
    task_id: Annotated[str | None, Field(json_schema_extra={"title": "Id at the provider"})] = None,
    takes_back: Annotated[str | None, Field(json_schema_extra={"title": "Wrong id that is taken back"})] = None,
) -> str:
    """Settle a payment in doubt. Works while a run goes on.

    Args:
        folder: The output folder of the run.
        job: In doubt.
        word: It was bought as task_id; it was not; it was charged without a clip; buy it, perhaps twice.
        task_id: Only with adopt.
        takes_back: The id that a person has given to it before, which was not the right one.

    Returns:
        What that means.

    Raises:
        SettlementRefused: it is not in doubt, or the id is not its own.
    """
    if word == "adopt":
        if task_id is None:
            raise SettlementRefused("To adopt a job, give the id that its provider knows it by.")
        return (await adopt_id(await folder_here(folder), job, task_id, takes_back=takes_back)).words
    words: dict[str, DoubtWord] = {"not-charged": NotCharged, "charged": Charged, "resubmit": Resubmitted}
    return (await settle_doubt(await folder_here(folder), job, words[word], takes_back=takes_back)).words


@flow(name="archive", validate_parameters=True)
async def archive(
    folder: Annotated[str, Field(json_schema_extra={"title": "Output folder"})],
    jobs: Annotated[list[str], Field(json_schema_extra={"title": "Jobs"})],
    open_too: Annotated[bool, Field(json_schema_extra={"title": "Also where money is open"})] = False,
) -> list[str]:
    """Take jobs out of the counts. Deletes nothing.

    Args:
        folder: The output folder of the run.
        jobs: By id.
        open_too: Those as well that are in doubt, at a provider, or paid for and not home. They are still brought home.

    Returns:
        Those that were not archived before.

    Raises:
        SettlementRefused: money is open on one of them, or there is no such job.
    """
    return await archive_jobs(await folder_here(folder), jobs, open_too=open_too)


@flow(name="adopt", validate_parameters=True)
async def adopt(
    line: Annotated[str, Field(json_schema_extra={"title": "The line that the run said"})],
    folder: Annotated[str | None, Field(json_schema_extra={"title": "Output folder, if it has moved"})] = None,
) -> str:
    """Take back a line `PAID, AND NOT RECORDED ...`: its payment is written down, and its clip can be brought home.

    Args:
        line: The whole line, or its JSON.
        folder: The output folder of the run, for a line that does not name it.

    Returns:
        What that means.

    Raises:
        SettlementRefused: the line is none, or its job stands where it cannot have come from.
    """
    return (await adopt_line(line, None if folder is None else await folder_here(folder))).words


@flow(name="cancel", validate_parameters=True)
async def cancel(folder: Annotated[str, Field(json_schema_extra={"title": "Output folder"})]) -> str:
    """Stop the run of a folder in order, wherever it was started: it submits nothing more, and writes its catalogue.

    Args:
        folder: The output folder of the run.

    Returns:
        Whether it has stopped.
    """
    found = await asyncio.to_thread(cancel_run, await folder_here(folder))
    if found.asked is None:
        return "No run is going on there."
    return (
        f"Asked {found.asked} to stop: {'it has stopped' if found.stopped else 'an order or a download is still open'}."
    )


@flow(name="verify", validate_parameters=True)
async def verify(folder: Annotated[str, Field(json_schema_extra={"title": "Output folder"})]) -> int:
    """Check every file against its sha256; what is missing or damaged is fetched again while its link lives.

    Args:
        folder: The output folder of the run.

    Returns:
        How many files are whole.

    Raises:
        AttentionNeeded: a file is missing or damaged, and could not be had again.
    """
    found = await verify_folder(await folder_here(folder))
    if found.lost:
        names = ", ".join(clip.path for clip in found.lost[:5])
        raise AttentionNeeded(f"{len(found.lost)} of {found.files} files are missing or damaged: {names}", found)
    return found.files
