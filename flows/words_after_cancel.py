"""After a cancel a runner of Prefect writes words of its own over the last state: what the run said is put back.

A runner does so once the process of the flow run has ended, and nobody can tell it not to. So this file is run as a
process that outlives the run's; it needs nothing of ours, since a runner may delete our code in the meantime.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.settings import get_current_settings
from prefect.states import Cancelled

_PATIENCE_S = 120.0  # a runner looks for hooks first, in a process of its own, and its server may be slow
_EVERY_S = 0.5


def outlive_runner(run_id: str, words: str) -> subprocess.Popen[bytes]:
    """Start a process that gives a cancelled flow run its words back, two minutes long at most.

    Args:
        run_id: of the flow run.
        words: of its last state; whoever lists processes can read them.
    """
    known = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT__")}
    known |= get_current_settings().to_environment_variables(exclude_unset=True)
    known["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    nothing = subprocess.DEVNULL  # a runner waits until nobody can write to its pipes any more
    command = [sys.executable, "-P", __file__, run_id, words]
    return subprocess.Popen(  # noqa: S603 - this very file
        command, env=known, cwd="/", stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
    )


async def put_back(run_id: UUID, words: str) -> None:
    """Wait until the last state of a cancelled flow run says something else, and set its own words again, once.

    Of a run that is cancelled no more, because a person has begun it again, nothing is changed.
    """
    async with get_client() as client:
        while (state := (await client.read_flow_run(run_id)).state) and (state.is_cancelling() or state.is_cancelled()):
            if state.is_cancelled() and state.message != words:
                await client.set_flow_run_state(run_id, Cancelled(message=words))
                return
            await asyncio.sleep(_EVERY_S)


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(put_back(UUID(sys.argv[1]), sys.argv[2]), _PATIENCE_S))
