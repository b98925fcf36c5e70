"""A run's part in the limits of its accounts: what it shares with other runs, for as long as it is open."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pipelines.core.errors import LimitServerAway
from pipelines.core.events import AccountFull, LimitsLost, LimitsRegained, LimitTurned
from pipelines.core.status import ACCEPTED
from pipelines.outputs.storage.whole_file import whole_file
from pipelines.pacing.limit_server import LimitServer, Notices
from pipelines.pacing.shared_rate import SharedRate
from pipelines.pacing.shared_slots import SharedSlots
from pipelines.pacing.slots import Slots
from pipelines.run.account_limits import AccountLimit
from pipelines.run.run import Run

log = logging.getLogger("reelbatch")

LEASE_NOTE = ".prefect-leases"  # what a run holds, beside its ledger: the next one frees what a killed one has left


@dataclass(slots=True)
class Sharing:
    """What a run shares with others.

    Args:
        server: who keeps the limits.
        stop: set when the run ends.
    """

    server: LimitServer
    stop: asyncio.Event
    _notices: Notices = field(default_factory=Notices)
    _slots: list[tuple[SharedSlots, frozenset[str]]] = field(
        default_factory=list
    )  # with the providers that they are for
    _rates: list[SharedRate] = field(default_factory=list)

    def slots(self, limit: AccountLimit, asked: int | None, providers: Sequence[str]) -> Slots:
        """The slots in flight of one account; there are none before the limit has been seen."""
        slots = Slots(0)
        usual = asked or limit.most
        shared = SharedSlots(self.server, limit.name, slots, usual, asked, self.stop, self._notices, created=limit.most)
        self._slots.append((shared, frozenset(providers)))
        return slots

    def rate(self, limit: AccountLimit, usual: float, asked: float | None, provider: str) -> SharedRate:
        """The rate at which one provider takes submissions. Who else has jobs there shows by the slots of its account."""
        rate = SharedRate(self.server, limit.name, usual, asked, limit.per_second, self.stop, self._notices)
        for slots, providers in self._slots:
            if provider in providers:
                rate.others = partial(_in_use_by_others, slots)
        self._rates.append(rate)
        return rate

    @asynccontextmanager
    async def kept(self, run: Run) -> AsyncIterator[None]:
        """Keep the run in step with the limits for the length of the block, then give back what it holds."""
        path = run.ledger.beside / LEASE_NOTE
        note: dict[str, list[str]] = {}
        self._notices.lost = lambda reason: run.emit(LimitsLost(reason))
        self._notices.regained = lambda: run.emit(LimitsRegained())
        self._notices.turned = lambda name, before, now: run.emit(LimitTurned(name, before, now))
        self._notices.full = lambda name, most: run.emit(AccountFull(name, most))
        for shared, providers in self._slots:
            shared.note = partial(_write, path, note, shared.name)
            shared.left = partial(_at_provider, run, providers)
        await self._free(path)
        every: list[SharedSlots | SharedRate] = [*(slots for slots, _ in self._slots), *self._rates]
        keepers = [asyncio.create_task(_kept(each)) for each in every]
        try:
            yield
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            await asyncio.gather(*(shared.leave() for shared in every), return_exceptions=True)
            if not any(note.values()):
                with suppress(OSError):
                    path.unlink(missing_ok=True)

    async def _free(self, path: Path) -> None:
        """Give back what a run before this one has left: only the owner of the ledger comes here, so it no longer lives."""
        with suppress(OSError, ValueError, AttributeError, TypeError, LimitServerAway):
            for leases in json.loads(await asyncio.to_thread(path.read_text, "utf-8")).values():
                for lease in leases:
                    await self.server.release(lease)


async def _kept(shared: SharedSlots | SharedRate) -> None:
    """Keep one limit in step. A bug there must not leave a run waiting for ever for what nobody gives out."""
    try:
        await shared.keep()
    except Exception:
        log.exception("Account limit %s is not kept any more; the run goes on without it.", shared.name)
        shared.go_alone()


def _write(path: Path, note: dict[str, list[str]], name: str, leases: Sequence[str]) -> None:
    note[name] = list(leases)
    with suppress(OSError), whole_file(path) as temporary:
        temporary.write_text(json.dumps(note), "utf-8")


def _in_use_by_others(slots: SharedSlots) -> bool:
    return slots.others > 0


def _at_provider(run: Run, providers: frozenset[str]) -> int:
    """How many jobs of the run are at these providers."""
    return sum(
        state.status in ACCEPTED and run.made_as[job_id].order.provider in providers
        for job_id, state in run.states.items()
        if job_id in run.made_as
    )
