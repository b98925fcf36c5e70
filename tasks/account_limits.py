"""The limits that runs share, kept by Prefect as global concurrency limits; people turn them in its Concurrency page.

Measured (docs/architecture.md): Prefect's own `concurrency()` costs a thread and 46 ms of processor time for each slot, so a
run asks the endpoints behind it, for whole blocks: 10 to 20 ms a request, and a handful of requests every few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from typing import Any, TypeVar
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import PREFECT_API_URL

from pipelines.batch import Batch
from pipelines.core.errors import LimitServerAway, LimitServerGone
from pipelines.pacing.limit_server import LEASE_S, LimitServer, SharedLimit
from pipelines.run.account_limits import AccountLimit, limits_of
from pipelines.run.options import RunOptions
from pipelines.run.run import handed_over
from tasks.report import asked_once

_PATIENCE_S = 10.0  # Prefect's client tries again for a minute; a run has something to go on with
_NOT_FREE = (422, 423)  # more than the limit; so many are not free
_NOT_KNOWN = (404, 410)
_THERE = (409,)  # another run was quicker
T = TypeVar("T")


@asynccontextmanager
async def shared_limits(options: RunOptions) -> AsyncIterator[LimitServer | None]:
    """The limits of the Prefect server that runs share; None for a rehearsal, and where the server is the run's own."""
    context = handed_over()
    alone = context is not None and context.own_server
    if options.rehearse or alone or not PREFECT_API_URL.value():
        yield None
        return
    async with _asking() as server:
        yield server


@asynccontextmanager
async def _asking() -> AsyncIterator[PrefectLimits]:
    """Ask Prefect without the client's own tries, which pause for seconds: who asks here tries again by itself."""
    with asked_once():
        context = copy_context()
    async with get_client(httpx_settings={"event_hooks": {"response": [_refuse_at_once]}}) as client:
        yield PrefectLimits(client, context)


async def _refuse_at_once(answer: Any) -> None:
    """Let a server in trouble be known as one; its database may be locked for a moment."""
    if answer.is_server_error:
        raise LimitServerAway(f"HTTP {answer.status_code}")


async def create_limits(batch: Batch, options: RunOptions) -> tuple[AccountLimit, ...]:
    """Create the limits of the accounts that a batch is paid from, so that they can be turned before its first run.

    Those that are there already stay as they were turned.

    Returns:
        The limits, by name.

    Raises:
        SetupError: an address or a key is missing or none; the first run creates the limits then.
        LimitServerAway: Prefect's server cannot be reached.
    """
    wanted = () if options.rehearse else limits_of(batch, options)
    async with _asking() as server:
        await ensure(server, wanted)
    return wanted


async def ensure(server: LimitServer, limits: Iterable[AccountLimit]) -> None:
    """Create those that are missing."""
    for limit in limits:
        if await server.look(limit.name) is None:
            await server.create(limit.name, limit.most, limit.per_second)


class PrefectLimits:
    """A `LimitServer` over Prefect's client."""

    def __init__(self, client: PrefectClient, context: Context) -> None:
        self._client = client
        self._context = context  # with the settings that the client shall have

    async def look(self, name: str) -> SharedLimit | None:
        """As `LimitServer` says."""
        found = await self._ask(self._client.read_global_concurrency_limit_by_name(name), but=_NOT_KNOWN)
        return (
            None
            if found is None
            else SharedLimit(
                identity=str(found.id),
                most=found.limit,
                in_use=found.active_slots,
                per_second=found.slot_decay_per_second,
                active=found.active,
            )
        )

    async def create(self, name: str, most: int, per_second: float) -> None:
        """As `LimitServer` says."""
        limit = GlobalConcurrencyLimitCreate(name=name, limit=most, slot_decay_per_second=per_second)
        await self._ask(self._client.create_global_concurrency_limit(limit), but=_THERE)

    async def lease(self, name: str, slots: int, seconds: float = LEASE_S) -> str | None:
        """As `LimitServer` says."""
        taking = self._client.increment_concurrency_slots_with_lease([name], slots, "concurrency", seconds)
        answer = await self._ask(taking, but=_NOT_FREE)
        return None if answer is None else str(answer.json()["lease_id"])

    async def renew(self, lease: str, seconds: float = LEASE_S) -> bool:
        """As `LimitServer` says."""
        return await self._ask(self._client.renew_concurrency_lease(UUID(lease), seconds), but=_NOT_KNOWN) is not None

    async def release(self, lease: str) -> None:
        """As `LimitServer` says."""
        await self._ask(self._client.release_concurrency_slots_with_lease(UUID(lease)), but=_NOT_KNOWN)

    async def occupy(self, name: str, slots: int) -> bool:
        """As `LimitServer` says."""
        taking = self._client.increment_concurrency_slots([name], slots, "rate_limit")
        return await self._ask(taking, but=_NOT_FREE) is not None

    async def put_back(self, name: str, slots: int) -> None:
        """As `LimitServer` says."""
        await self._ask(self._client.release_concurrency_slots([name], slots, occupancy_seconds=1.0))

    async def _ask(self, asking: Coroutine[Any, Any, T], but: Collection[int] = ()) -> T | None:
        """Its answer, or None where it is refused with one of these statuses. Whatever else goes wrong: it is away."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await asyncio.get_running_loop().create_task(asking, context=self._context.copy())
        except Exception as error:  # nothing that is wrong with Prefect's server is a reason to end a run
            cause = error.__cause__ if isinstance(error, ObjectNotFound | ObjectAlreadyExists) else error
            status = getattr(getattr(cause, "response", None), "status_code", None)
            if status in but:
                return None
            if isinstance(error, LimitServerAway):
                raise
            if type(error).__name__ == "ConnectError":
                raise LimitServerGone("no connection") from None
            raise LimitServerAway(type(error).__name__ if status is None else f"HTTP {status}") from None
