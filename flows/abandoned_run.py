"""The flow run that a killed process leaves behind: without a word from us Prefect shows it as running for ever."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

import prefect.runtime
from prefect.client.orchestration import get_client
from prefect.states import Crashed

from pipelines.run.output_folder import FLOW_RUN_NOTE
from pipelines.run.run import Run

log = logging.getLogger("reelbatch")


@asynccontextmanager
async def noted_flow_run(run: Run) -> AsyncIterator[None]:
    """Keep the id of this flow run beside the ledger while the block lasts, and mark one that is found there as crashed.

    Only the owner of the ledger comes here, so whoever wrote the id that is found no longer lives. Nothing that goes wrong
    here stops the run.
    """
    note, own = run.ledger.path.with_name(FLOW_RUN_NOTE), str(prefect.runtime.flow_run.id)
    try:
        await _mark_abandoned(_left_in(note), own)
    except Exception as error:  # noqa: BLE001 - a tidy record of the last run is not worth this one
        log.info("The flow run before this one could not be marked as crashed (%s).", type(error).__name__)
    with suppress(OSError):
        note.write_text(own, "utf-8")
    try:
        yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)


def _left_in(note: Path) -> str | None:
    return note.read_text("utf-8").strip() if note.exists() else None


async def _mark_abandoned(left: str | None, own: str) -> None:
    if left is None or left == own:
        return
    abandoned = UUID(left)
    async with get_client() as client:
        state = (await client.read_flow_run(abandoned)).state
        if state is not None and not state.is_final():
            message = f"Its process ended without a word. Flow run {own} has taken its folder over."
            await client.set_flow_run_state(abandoned, Crashed(message=message), force=True)
