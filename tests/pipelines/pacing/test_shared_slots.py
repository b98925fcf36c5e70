from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, suppress

import pytest

from pipelines.core.errors import LimitServerAway
from pipelines.pacing.limit_server import Notices
from pipelines.pacing.shared_slots import SharedSlots
from pipelines.pacing.slots import Slots

NAME = "reelbatch-openai-123abc-in-flight"


class Party:
    """A run whose jobs come and go as a test says."""

    def __init__(self, server, usual=12, asked=None, **more):
        self.slots, self.stop, self.said = Slots(0), asyncio.Event(), []
        notices = Notices(
            lost=lambda _: self.said.append("lost"),
            regained=lambda: self.said.append("regained"),
            turned=lambda _, before, now: self.said.append((before, now)),
            full=lambda _, most: self.said.append(f"full {most}"),
        )
        self.shared = SharedSlots(
            server, NAME, self.slots, usual, asked, self.stop, notices, clock=server.clock, **{"created": usual} | more
        )
        self.inside, self.waiting = [], []

    async def come(self, number, *, already_in=False):
        """So many jobs want a slot."""
        for _ in range(number):
            self.waiting.append(asyncio.create_task(self._job(already_in)))
        await asyncio.sleep(0)

    async def _job(self, already_in):
        stack = AsyncExitStack()
        await stack.enter_async_context(self.slots.slot(already_in=already_in))
        self.inside.append(stack)

    async def end(self, number):
        """So many jobs end."""
        for _ in range(min(number, len(self.inside))):
            await self.inside.pop().aclose()
        await _turns()

    async def step(self, times=1):
        """The keeper looks."""
        for _ in range(times):
            await self.shared.step()
            await _turns()

    async def go(self):
        """Nothing is left running."""
        for task in self.waiting:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self.waiting, return_exceptions=True)


async def _turns():
    for _ in range(8):
        await asyncio.sleep(0)


@pytest.fixture
async def party(limit_server):
    parties = []

    def begin(**more):
        parties.append(Party(limit_server, **more))
        return parties[-1]

    yield begin
    for each in parties:
        await each.go()


async def test_the_first_run_creates_the_limit_and_takes_what_it_needs(party, limit_server):
    """A limit that is missing is made with the run's own number; blocks are taken for those who wait, at once."""
    run = party(usual=12)
    await run.step()
    await run.come(5)
    await run.step(3)
    assert (len(run.inside), limit_server.used(NAME), limit_server.limits[NAME]["most"]) == (5, 5, 12)


async def test_two_runs_never_have_more_than_the_limit(party, limit_server):
    """Whatever comes and goes, and however the limit is turned, no new job goes beyond it."""
    chance = random.Random(3)
    limit_server.make(NAME, 12)
    runs, most = [party(), party(), party()], 12
    for _ in range(600):
        limit_server.now += chance.random() * 3
        limit_server.expire()
        run = chance.choice(runs)
        before = sum(each.slots.count for each in runs)
        match chance.randrange(6):
            case 0:
                await run.come(chance.randrange(5))
            case 1 | 2:
                await run.end(chance.randrange(4))
            case 3 if chance.random() < 0.2:
                most = limit_server.limits[NAME]["most"] = chance.randrange(1, 14)
                for each in runs:
                    await each.step()
                continue
            case _:
                await run.step()
        after = sum(each.slots.count for each in runs)
        assert after <= max(most, before)
        assert sum(each.shared.held for each in runs) == limit_server.used(NAME)


async def test_what_is_idle_goes_back_within_seconds(party, limit_server):
    """When jobs end and none wait, their slots are for others a few seconds later."""
    run = party()
    await run.come(8)
    await run.step(4)
    await run.end(6)
    for _ in range(4):
        limit_server.now += 2
        await run.step()
    assert limit_server.used(NAME) == run.shared.held == 2


async def test_nobody_is_starved_by_who_came_first(party, limit_server):
    """A run that holds everything and has more to do gives a part to one that waits, again and again."""
    limit_server.make(NAME, 12)
    first, second = party(), party()
    await first.come(200)
    await first.step(3)
    assert len(first.inside) == 12
    await second.come(200)
    for _ in range(120):
        limit_server.now += 0.5
        await first.end(1)
        await second.end(1)
        await first.step()
        await second.step()
    assert 3 <= second.shared.held <= 9
    assert first.shared.held + second.shared.held >= 9


async def test_a_run_alone_keeps_nearly_everything(party, limit_server):
    """What nobody takes is taken again, and offered ever more rarely."""
    limit_server.make(NAME, 12)
    run, busy = party(), 0
    await run.come(800)
    for _ in range(400):
        limit_server.now += 0.5
        await run.end(1)
        await run.step()
        busy += run.slots.count
    assert busy / 400 >= 0.95 * 12


@pytest.mark.parametrize(("asked", "now"), [(None, 20), (12, 20), (5, 5)], ids=["untold", "told as many", "told fewer"])
async def test_a_raised_limit_is_used_unless_the_run_was_told_to_keep_below_it(party, limit_server, asked, now):
    """Who asked for no less than the account allows follows it upwards; who asked for less keeps to that."""
    limit_server.make(NAME, 12)
    run = party(usual=asked or 10, asked=asked)
    await run.come(30)
    await run.step(3)
    limit_server.limits[NAME]["most"] = 20
    await run.step(3)
    assert len(run.inside) == now


async def test_a_lowered_limit_lets_nobody_new_in_and_takes_nobody_out(party, limit_server):
    """What is at the provider stays; its slots go back as it ends."""
    limit_server.make(NAME, 12)
    run = party()
    await run.come(30)
    await run.step(3)
    limit_server.limits[NAME]["most"] = 4
    await run.step()
    assert len(run.inside) == 12
    await run.end(5)
    await run.step()
    assert (run.slots.count, limit_server.used(NAME)) == (7, 7)
    await run.end(5)
    await run.step(3)
    assert (run.slots.count, limit_server.used(NAME), run.said) == (4, 4, [(12, 4)])


@pytest.mark.parametrize("fell_to", [1, 3, 4, 5, 11])
async def test_what_fell_may_rise_again(party, limit_server, fell_to):
    """However its leases are cut, a run uses what it may have, also after it was less for a while."""
    limit_server.make(NAME, 12)
    run = party()
    await run.come(300)
    for most in (12, fell_to, 16):
        limit_server.limits[NAME]["most"] = most
        for _ in range(60):
            limit_server.now += 0.5
            await run.end(1)
            await run.step()
            assert run.slots.count <= 12 or most == 16
        limit_server.now += 2
        await run.step(4)
        assert most - 3 <= run.slots.count <= most


async def test_a_limit_that_is_off_or_deleted_is_none(party, limit_server):
    """The run has its own number then, and shares again when it is switched on."""
    limit_server.make(NAME, 4)
    run = party(usual=10)
    await run.come(30)
    await run.step(3)
    limit_server.limits[NAME]["active"] = False
    await run.step()
    assert len(run.inside) == 10
    limit_server.limits[NAME]["active"] = True
    await run.step()
    await run.end(6)
    await run.step()
    assert (run.slots.count, limit_server.used(NAME)) == (4, 4)
    del limit_server.limits[NAME]
    await run.step()
    assert (len(run.inside), NAME in limit_server.limits) == (10, False)


async def test_jobs_of_an_earlier_run_count(party, limit_server):
    """Those that are at the provider already take slots, and nobody new comes before they are within what is held."""
    limit_server.make(NAME, 4)
    run = party()
    await run.come(6, already_in=True)
    await run.come(3)
    await run.step(3)
    assert (len(run.inside), limit_server.used(NAME)) == (6, 4)
    await run.end(3)
    await run.step()
    assert run.slots.count == 4


async def test_a_server_that_is_away_stops_nothing(party, limit_server):
    """The run goes on with what it holds, says so once, and shares again when the server is back."""
    limit_server.make(NAME, 12)
    run = party()
    await run.come(40)
    await run.step(3)
    limit_server.away = True
    for _ in range(5):
        limit_server.now += 30
        await run.end(2)
        await run.step()
    assert (run.slots.count, run.said) == (12, ["lost"])
    limit_server.away = False
    await run.step()
    assert run.said == ["lost", "regained"]


@pytest.mark.parametrize("seen", [True, False])
async def test_who_holds_nothing_when_the_server_goes_has_a_part_all_the_same(party, limit_server, seen):
    """A quarter of the limit; or the run's own number, if nothing is known. But a server may be slow for some seconds."""
    limit_server.make(NAME, 12)
    run = party(usual=8)
    if seen:
        await run.step()
    limit_server.away = True
    await run.step()
    await run.come(20)
    assert run.slots.most == 0
    limit_server.now += 20
    await run.step()
    assert run.slots.most == (3 if seen else 8)


async def test_who_has_all_that_they_may_have_looks_every_two_seconds(party, limit_server, virtual_time):
    """Also when the other run has gone, to which the next slot would have been offered now."""
    limit_server.clock = virtual_time
    limit_server.now = virtual_time()
    limit_server.make(NAME, 10)
    run, other = party(usual=8, asked=8), party(usual=2)
    await run.step()
    await other.come(2)
    await other.step(2)
    await run.come(20)
    keeper = asyncio.create_task(run.shared.keep())
    await asyncio.sleep(3)
    assert (len(run.inside), len(other.inside)) == (8, 2)
    await other.end(2)
    await other.shared.leave()
    asked = limit_server.asked
    await asyncio.sleep(100)
    keeper.cancel()
    assert len(run.inside) == 8
    assert limit_server.asked - asked <= 100 / 2 + 100 / 15 * (len(run.shared.leases) + 1) + 2


async def test_what_the_server_has_not_heard_of_is_told_again(party, limit_server, monkeypatch):
    """It refuses while slots go back, and then takes them: else others would not have them before the leases end."""
    limit_server.make(NAME, 12)
    run, refusals, release = party(), [1, 1], limit_server.release

    async def refusing(lease):
        if refusals:
            refusals.pop()
            raise LimitServerAway("HTTP 503")
        await release(lease)

    monkeypatch.setattr(limit_server, "release", refusing)
    await run.come(8)
    await run.step(3)
    await run.end(8)
    limit_server.now += 4
    await run.step()
    assert (run.shared.held, limit_server.used(NAME)) == (0, 8)
    await run.step(2)
    assert limit_server.used(NAME) == 0


async def test_leases_are_renewed_although_half_of_the_questions_are_refused(party, limit_server, monkeypatch):
    """Each that was renewed stays so: the round goes on where it was refused."""
    limit_server.make(NAME, 12)
    run, chance, renew = party(), random.Random(1), limit_server.renew

    async def refusing(lease, seconds=60.0):
        if chance.random() < 0.5:
            raise LimitServerAway("HTTP 503")
        return await renew(lease, seconds)

    await run.come(12)
    await run.step(3)
    monkeypatch.setattr(limit_server, "renew", refusing)
    limit_server.now += 50
    await run.step(50)
    limit_server.now += 20
    limit_server.expire()
    assert (run.shared.held, limit_server.used(NAME)) == (12, 12)


async def test_a_restarted_server_counts_nothing_twice_and_loses_nothing(party, limit_server):
    """It has forgotten the leases and still counts their slots: they stay the run's, and go back one day."""
    limit_server.make(NAME, 12)
    run = party()
    await run.come(6)
    await run.step(3)
    limit_server.restart()
    limit_server.now += 20
    await run.step(6)
    assert (limit_server.used(NAME), run.shared.held, run.slots.count) == (6, 6, 6)
    assert all(lease.id in limit_server.leases for lease in run.shared.leases)
    await run.end(6)
    for _ in range(4):
        limit_server.now += 2
        await run.step()
    assert limit_server.used(NAME) == 0


async def test_a_server_with_a_new_database_gets_the_limit_again(party, limit_server):
    """With the numbers that it had; what is at the provider takes its slots in it."""
    limit_server.make(NAME, 9)
    run = party(usual=12)
    await run.come(6)
    await run.step(3)
    limit_server.restart()
    limit_server.limits.clear()
    limit_server.now += 20
    await run.step(3)
    assert (limit_server.limits[NAME]["most"], limit_server.used(NAME), run.shared.held) == (9, 6, 6)


async def test_a_lost_lease_takes_no_job_away(party, limit_server):
    """Who was cut off for too long has lost the slots to others: its jobs stay, and no new one comes before they are fewer."""
    limit_server.make(NAME, 6)
    run, other = party(), party()
    await run.come(10)
    await run.step(3)
    limit_server.now += 61
    limit_server.expire()
    await other.come(4)
    await other.step(4)
    await run.step(3)
    assert (run.slots.count, run.shared.held, limit_server.used(NAME)) == (6, 2, 6)
    await run.end(3)
    await run.step()
    assert run.slots.count == 3


async def test_the_end_gives_everything_back_but_for_jobs_that_stay(party, limit_server):
    """Who leaves jobs at the provider leaves their slots to the end of the leases, and a note of them."""
    noted = []
    run = party(left=lambda: 2, note=lambda leases: noted.append(list(leases)))
    await run.come(7)
    await run.step(3)
    await run.shared.leave()
    assert limit_server.used(NAME) == 2
    assert noted[-1] == [lease.id for lease in run.shared.leases]
    assert set(noted[-1]) == set(limit_server.leases)


async def test_i11_the_end_of_the_run_frees_who_waits(party, limit_server):
    """With no slot to be had, the end of a run still lets everybody through, who then sends nothing."""
    limit_server.make(NAME, 1, in_use=1)
    run = party()
    keeper = asyncio.create_task(run.shared.keep())
    await run.come(5)
    await asyncio.sleep(0.05)
    assert not run.inside
    run.stop.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*run.waiting)
    keeper.cancel()


async def test_who_waits_for_long_says_so_once(party, limit_server):
    """When others hold everything for half a minute, people are told why nothing happens."""
    limit_server.make(NAME, 3, in_use=3)
    run = party()
    await run.come(5)
    for _ in range(200):
        limit_server.now += 0.5
        await run.step()
    assert run.said == [(12, 3), "full 3"]
