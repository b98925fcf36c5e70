"""How a flow run tells Prefect its last state when the server is away: it waits a while, and then leaves without a word.

By then everything is at home and in the catalogue, so nothing is lost but the record of the run in Prefect.
"""

from __future__ import annotations

import asyncio
import logging

import prefect.runtime
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from flows.deployed_run import is_deployed
from pipelines.run.run import by_command_line
from tasks.report import asked_once

log = logging.getLogger("reelbatch")

_PATIENCE_S = 600.0  # of the process of a deployment, which nobody waits for
_AT_THE_TERMINAL_S = 30.0
_ANSWER_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0


async def until_prefect_listens() -> None:
    """Wait until Prefect's server can be told how the flow run has ended; or give up, so that the engine does not wait."""
    loop, pause_s = asyncio.get_running_loop(), _FIRST_PAUSE_S
    end = loop.time() + (_AT_THE_TERMINAL_S if by_command_line() else _PATIENCE_S)
    while (listens := await _listens()) is None and loop.time() < end:
        await asyncio.sleep(min(pause_s, end - loop.time()))
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    if not listens:
        if is_deployed():  # elsewhere whoever began the run says so
            log.warning("Prefect could not be told how this run has ended. The catalogue is written.")
        # Prefect's engine tells the state after the flow's function has returned. The context ends with the flow's task.
        asked_once().__enter__()


async def _listens() -> bool | None:
    """Tell whether the server answers and knows this flow run. None: it does not answer."""
    try:
        async with asyncio.timeout(_ANSWER_S), get_client() as client:
            await client.read_flow_run(prefect.runtime.flow_run.id)
    except ObjectNotFound:
        return False
    except Exception:  # noqa: BLE001 - whatever it is, it was not heard
        return None
    return True
