"""Status queries at one provider: each when the rate allows, about one job or about many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from pipelines.core.errors import UnknownJob
from pipelines.core.job import RemoteJob
from pipelines.pacing.rate_limit import RateLimit
from pipelines.providers.protocol import Progress, Provider


class Stopped(Exception):
    """Nobody asks any more in this run; the job goes on at the provider and is picked up by the next run."""


class StatusQueries:
    """Who waits for an answer, and the requests that bring it.

    Args:
        provider: who is asked.
        rate: how often, over all jobs.
        over: whether nobody is to be asked any more.
    """

    def __init__(self, provider: Provider, rate: RateLimit, *, over: Callable[[], bool]) -> None:
        self._provider = provider
        self._rate = rate
        self._over = over
        self._waiting: dict[RemoteJob, asyncio.Future[Progress]] = {}
        self._sending: asyncio.Task[None] | None = None
        self.sent = 0

    @property
    def know_many(self) -> bool:
        """Whether the provider answers about many jobs in one request."""
        return self._provider.profile.limits.batch_query > 1

    async def about(self, job: RemoteJob, *, alone: bool) -> Progress:
        """What the provider says of a job; raises what the provider's `check` raises.

        Args:
            job: which.
            alone: by a request of its own; else with the next that asks about many.

        Raises:
            Stopped: nobody is asked any more.
        """
        if alone:
            await self._rate.slot()
            if self._over():
                raise Stopped
            self.sent += 1
            return await self._provider.check(job)
        answer: asyncio.Future[Progress] = asyncio.get_running_loop().create_future()
        self._waiting[job] = answer
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return await answer

    async def _send(self) -> None:
        """Ask about all who wait, as many at once as the provider takes, as soon as the rate allows."""
        most = self._provider.profile.limits.batch_query
        try:
            while self._waiting:
                await self._rate.slot()
                if self._over():
                    _tell(self._waiting.values(), Stopped())
                    self._waiting.clear()
                    return
                asked = {job: self._waiting.pop(job) for job in list(self._waiting)[:most]}
                self.sent += 1
                await self._ask(asked)
        finally:
            self._sending = None

    async def _ask(self, asked: dict[RemoteJob, asyncio.Future[Progress]]) -> None:
        try:
            if len(asked) == 1:
                job = next(iter(asked))
                found = {job.id: await self._provider.check(job)}
            else:
                found = await self._provider.check_many(list(asked))
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            _tell(asked.values(), error)
            return
        for job, answer in asked.items():
            if answer.done():
                continue
            if job.id in found:
                answer.set_result(found[job.id])
            else:
                answer.set_exception(UnknownJob(f"the provider's answer leaves {job.id} out"))


def _tell(waiters: Iterable[asyncio.Future[Progress]], error: Exception) -> None:
    for answer in waiters:
        if not answer.done():
            answer.set_exception(error)
