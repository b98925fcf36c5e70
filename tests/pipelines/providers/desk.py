"""The real client, spoken with over real HTTP to the real sandbox: what the contract suite and the traps share."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from pipelines.batch import read_batch
from pipelines.core.image import load
from pipelines.core.job import Order, RemoteJob
from pipelines.core.outcome import Accepted
from pipelines.net.http import Http
from pipelines.outputs.media.probe import Media, probe
from pipelines.providers.client import Client
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.profile.model import Profile
from pipelines.providers.protocol import Phase, Progress, Supplies, Verdict
from pipelines.run.rehearsal import dialect_of
from pipelines.sandbox.http.server import SandboxAddress

PATIENCE = 20.0
SHIPPED = Path(__file__).parents[3] / "pipelines" / "providers" / "profiles"
PROFILES = shipped_profiles()
#: The files of those for which the sandbox has no dialect of its own: it learns them.
APIS = tuple(SHIPPED / f"{name}.yaml" for name, profile in PROFILES.items() if dialect_of(profile) is None)


@dataclass(slots=True)
class Desk:
    """A sandbox, connections to it, and a folder for what comes back."""

    sandbox: SandboxAddress
    office: httpx.Client  # for what only a test may ask the sandbox
    http: Http
    folder: Path
    goes_wrong: bool = False  # until the faults are taken away

    def client(self, provider: str, key: str = "a-customer") -> Client:
        """An account at a provider; who is not the usual customer has bought nothing yet."""
        profile = PROFILES[provider]
        base_url = self.sandbox.base_url(dialect_of(profile) or provider)
        return Client(self.http, profile, base_url, profile.auth.key_for(key))

    def plan(self, *rows: dict[str, Any]) -> list[Order]:
        """The orders of a batch file with these rows; raises as `read_batch` does."""
        path = self.folder / "batch.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return [job.order for job in read_batch(path, profiles=PROFILES).jobs]

    async def submit(self, client: Client, order: Order, **supplies: Any) -> Verdict:
        """Order once; local pictures are read as a run would."""
        images = tuple(load(reference, self.folder) for reference in order.image_urls)
        return await client.submit(order, Supplies(images, **supplies), _nothing)

    async def accepted(self, client: Client, order: Order, **supplies: Any) -> RemoteJob:
        """Order, and be sure that it was accepted in the right protocol."""
        verdict = await self.submit(client, order, **supplies)
        assert isinstance(verdict, Accepted), verdict
        assert verdict.job.mode == order.mode
        return verdict.job

    async def ended(self, client: Client, job: RemoteJob) -> Progress:
        """Wait until a job has ended."""
        until = time.monotonic() + PATIENCE
        while (progress := await client.check(job)).phase is Phase.RUNNING:
            assert time.monotonic() < until, progress
            await asyncio.sleep(0.01)
        return progress

    async def made(self, client: Client, order: Order, **supplies: Any) -> tuple[RemoteJob, Media]:
        """Order, wait for the end, fetch the file and measure it."""
        job = await self.accepted(client, order, **supplies)
        progress = await self.ended(client, job)
        assert progress.phase is Phase.SUCCEEDED, progress
        link = progress.links[0]
        return job, self.measured(
            link.data or await self.fetched(link.url, client.key_header() if link.needs_key else {})
        )

    async def fetched(self, url: str, headers: Mapping[str, str]) -> bytes:
        """A file, whole."""
        answer = await self.http.ask("GET", url, headers=headers)
        assert answer.status == 200, answer
        return answer.body

    def measured(self, data: bytes) -> Media:
        """What a file really is."""
        path = self.folder / "clip.mp4"
        path.write_bytes(data)
        with path.open("rb") as file:
            return probe(file.fileno(), len(data))

    def faults(self, *rules: dict[str, Any]) -> None:
        """From now on, this goes wrong."""
        self.goes_wrong = bool(rules)
        self.office.post("/_sandbox/faults", json=rules).raise_for_status()

    def bill(self) -> list[dict[str, Any]]:
        """Every order that was accepted."""
        return self.office.get("/_sandbox/bill").json()


async def _nothing() -> None:
    """Nothing stands between an order here and its first byte."""


def contract_in_the_sandbox(profile: Profile) -> str:
    """How fault rules call what a profile speaks to."""
    return dialect_of(profile) or profile.name
