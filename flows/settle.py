"""What a person settles, as Prefect flows: for buttons and automations of a server. Retries and redos run the flow `campaign`."""

# Prefect copies this file by value when it is served; annotations that are texts could not be read there.

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from prefect import flow
from pydantic import Field

from pipelines.actions.archive import archive_jobs
from pipelines.actions.resolve import DoubtWord, adopt_id, settle_doubt
from pipelines.actions.verify import verify_folder
from pipelines.core.errors import AttentionNeeded, SettlementRefused
from pipelines.core.outcome import Charged, NotCharged, Resubmitted


@flow(name="resolve", validate_parameters=True)
async def resolve(
    folder: Annotated[str, Field(title="Output folder")],
    job: Annotated[str, Field(title="Job")],
    word: Annotated[Literal["adopt", "not-charged", "charged", "resubmit"], Field(title="What became of it")],
    task_id: Annotated[str | None, Field(title="Id at the provider")] = None,
) -> str:
    """Settle a payment in doubt. Works while a run goes on.

    Args:
        folder: The output folder of the run.
        job: In doubt.
        word: It was bought as task_id; it was not; it was charged without a clip; buy it, perhaps twice.
        task_id: Only with adopt.

    Returns:
        What that means.

    Raises:
        SettlementRefused: it is not in doubt, or the id is not its own.
    """
    if word == "adopt":
        if task_id is None:
            raise SettlementRefused("To adopt a job, give the id that its provider knows it by.")
        return (await adopt_id(Path(folder), job, task_id)).words
    words: dict[str, DoubtWord] = {"not-charged": NotCharged, "charged": Charged, "resubmit": Resubmitted}
    return (await settle_doubt(Path(folder), job, words[word])).words


@flow(name="archive", validate_parameters=True)
async def archive(
    folder: Annotated[str, Field(title="Output folder")],
    jobs: Annotated[list[str], Field(title="Jobs")],
    open_too: Annotated[bool, Field(title="Also where money is open")] = False,
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
    return await archive_jobs(Path(folder), jobs, open_too=open_too)


@flow(name="verify", validate_parameters=True)
async def verify(folder: Annotated[str, Field(title="Output folder")]) -> int:
    """Check every file against its sha256; what is missing or damaged is fetched again while its link lives.

    Args:
        folder: The output folder of the run.

    Returns:
        How many files are whole.

    Raises:
        AttentionNeeded: a file is missing or damaged, and could not be had again.
    """
    found = await verify_folder(Path(folder))
    if found.lost:
        names = ", ".join(clip.path for clip in found.lost[:5])
        raise AttentionNeeded(f"{len(found.lost)} of {found.files} files are missing or damaged: {names}", found)
    return found.files
