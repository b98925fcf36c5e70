"""The flow run that a killed process leaves behind: without a word from us Prefect shows it as running for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import prefect.runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import State, StateType
from prefect.states import Crashed

from pipelines.outputs.storage.whole_file import whole_file
from pipelines.run.output_folder import FLOW_RUN_NOTE
from pipelines.run.run import Run
from tasks.report import if_prefect_answers


@asynccontextmanager
async def noted_flow_run(run: Run) -> AsyncIterator[None]:
    """Keep the id of this flow run beside the ledger while the block lasts, and mark one that is found there as crashed.

    Only the owner of the ledger comes here, so whoever wrote the id that is found no longer lives. Nothing that goes wrong
    here stops the run.
    """
    note, own = run.ledger.path.with_name(FLOW_RUN_NOTE), str(prefect.runtime.flow_run.id)
    abandoned: UUID | None = None
    async with if_prefect_answers("the run before this one"):
        is_note = note.is_file() and not note.is_symlink()
        abandoned = await _mark_abandoned(note.read_text("utf-8").strip() if is_note else None, own)
    with suppress(OSError), whole_file(note) as temporary:  # in the place of a link, and not of what it leads to
        temporary.write_text(own, "utf-8")
    tidying = asyncio.create_task(_mark_task_runs(abandoned))
    try:
        yield
    finally:
        tidying.cancel()
        await asyncio.gather(tidying, return_exceptions=True)
        with suppress(OSError):
            note.unlink(missing_ok=True)


async def _mark_abandoned(left: str | None, own: str) -> UUID | None:
    """Mark the flow run of a note as crashed, if it has not ended. Gives it where its process left it behind."""
    if left is None or left == own:
        return None
    abandoned = UUID(left)
    async with get_client() as client:
        state = (await client.read_flow_run(abandoned)).state
        if state is not None and not state.is_final():
            message = f"Its process ended without a word. Flow run {own} has taken its folder over."
            await client.set_flow_run_state(abandoned, Crashed(message=message), force=True)
    return abandoned


async def _mark_task_runs(abandoned: UUID | None) -> None:
    """Mark the task runs that an abandoned flow run has left running, as long as there is time for it."""
    if abandoned is None:
        return
    by_run = FlowRunFilter(id=FlowRunFilterId(any_=[abandoned]))
    unfinished = TaskRunFilter(
        state=TaskRunFilterState(type=TaskRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING]))
    )
    crashed: State[None] = Crashed(message="Its process ended without a word.")
    with suppress(Exception):
        async with get_client() as client:
            marked: set[UUID] = set()
            while found := await client.read_task_runs(flow_run_filter=by_run, task_run_filter=unfinished):
                if marked.issuperset(task_run.id for task_run in found):  # it would go on for ever
                    break
                for task_run in found:
                    marked.add(task_run.id)
                    await client.set_task_run_state(task_run.id, crashed, force=True)
