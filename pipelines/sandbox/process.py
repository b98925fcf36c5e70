"""A sandbox in a process of its own, for as long as a block of code needs it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipelines.core.errors import SetupError
from pipelines.sandbox.options import SandboxOptions

HOUSE = Path(__file__).parents[2]  # the child must find this package wherever it is started
START_PATIENCE = 30.0
STOP_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class SandboxAddress:
    """Where a running sandbox is."""

    url: str  # without a trailing slash
    pid: int

    def base_url(self, provider: str) -> str:
        """What to set as the provider's base URL: `acedata` and its sister services share one."""
        is_ace = provider == "acedata" or provider.startswith("acedata-")
        return f"{self.url}/acedata" if is_ace else f"{self.url}/{provider}/v1"


@asynccontextmanager
async def running_sandbox(options: SandboxOptions | None = None) -> AsyncIterator[SandboxAddress]:
    """Start a sandbox, and stop it at the end. If this process dies, it goes too: its standard input ends.

    Raises:
        SetupError: it did not start; the message is what it said.
    """
    arguments = (options or SandboxOptions()).arguments()
    path = os.pathsep.join(filter(None, (str(HOUSE), os.environ.get("PYTHONPATH"))))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # a package in the working directory may have the name of ours
        "-m",
        "pipelines.sandbox",
        "--until-stdin-closes",
        *arguments,
        stdin=PIPE,
        stdout=PIPE,
        start_new_session=True,  # Ctrl-C is for the run, which still needs its sandbox to end in order
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        line = b""
        with suppress(TimeoutError):
            async with asyncio.timeout(START_PATIENCE):
                line = await process.stdout.readline()
        if not line:
            raise SetupError("The sandbox did not start; what it said is above.")
        yield SandboxAddress(**json.loads(line))
    finally:
        process.stdin.close()
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(STOP_PATIENCE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
