"""A sandbox in a process of its own, for as long as a block of code needs it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pipelines.core.errors import SetupError
from pipelines.sandbox.http.server import SandboxAddress
from pipelines.sandbox.options import SandboxOptions

HOUSE = Path(__file__).parents[2]  # the child must find this package wherever it is started
START_PATIENCE = 30.0
STOP_PATIENCE = 5.0


@asynccontextmanager
async def running_sandbox(options: SandboxOptions | None = None) -> AsyncIterator[SandboxAddress]:
    """Starts a sandbox, and stops it at the end. If this process dies, it goes too: its standard input ends.

    Raises:
        SetupError: it did not start; the message is what it said.
    """
    arguments = (options or SandboxOptions()).arguments()
    path = os.pathsep.join(filter(None, (str(HOUSE), os.environ.get("PYTHONPATH"))))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pipelines.sandbox",
        "--until-stdin-closes",
        *arguments,
        stdin=PIPE,
        stdout=PIPE,
        start_new_session=True,  # Ctrl-C is for the run, which still needs its sandbox to end in order
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        yield await _address(process)
    finally:
        await _stop(process)


async def _address(process: Process) -> SandboxAddress:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_PATIENCE):
            line = await process.stdout.readline()
    except TimeoutError:
        line = b""
    if not line:
        raise SetupError("The sandbox did not start; what it said is above.")
    return SandboxAddress(**json.loads(line))


async def _stop(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(STOP_PATIENCE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
