from __future__ import annotations

import asyncio
import random
from bisect import bisect
from collections import Counter
from contextlib import suppress

import pytest

from pipelines.core.errors import LimitServerAway
from pipelines.pacing.fair_share import Gift, fair_part, ladder, nearest
from pipelines.pacing.limit_server import SharedLimit
from pipelines.pacing.rate_limit import RateLimit
from pipelines.pacing.shared_rate import SharedRate, block_of
from pipelines.pacing.shared_slots import SharedSlots
from pipelines.pacing.slots import Slots

IN_FLIGHT, SUBMIT = "reelbatch-openai-123abc-in-flight", "reelbatch-openai-123abc-submit"


@pytest.mark.parametrize(("number", "largest"), [(0, 2), (1, 1), (5, 1), (12, 2), (50, 7), (1000, 125)])
def test_any_number_of_slots_can_go_back(number, largest):
    """A block is cut so that whatever part of it is not needed any more can be given back exactly, in few leases."""
    sizes = ladder(number, largest)
    assert sum(sizes) == number
    assert len(sizes) <= 16
    assert max(sizes, default=0) <= largest
    for part in range(number + 1):
        places = nearest(sizes, part)
        assert len(set(places)) == len(places)
        assert sum(sizes[place] for place in places) == part


@pytest.mark.parametrize(
    ("sizes", "most", "kept"), [([4], 3, 0), ([4, 3], 6, 4), ([5, 4, 3], 8, 8), ([2], 5, 2), ([], 3, 0)]
)
def test_whole_leases_are_kept_as_near_as_they_come(sizes, most, kept):
    """What was taken long ago may be cut otherwise than is wanted now."""
    assert sum(sizes[place] for place in nearest(sizes, most)) == kept


def test_who_holds_too_much_after_a_limit_fell_keeps_the_same_share():
    """From twelve to six, everybody keeps half; below the limit everything stays."""
    limit = SharedLimit("x", most=6, in_use=12)
    assert [fair_part(held, limit) for held in (8, 4, 1)] == [4, 2, 0]
    assert fair_part(5, SharedLimit("x", most=6, in_use=6)) == 5


def _offered(gift, now, *, held=12, waiting=5, in_use=12):
    gift.step(now, held, waiting, SharedLimit("x", most=12, in_use=in_use))
    return gift.keep


def test_who_holds_all_offers_a_slot_after_a_while():
    """Only while jobs wait here and nothing is free: else whatever is idle goes back anyway."""
    gift = Gift()
    assert [_offered(gift, now) for now in (0, 3.9, 4.0)] == [None, None, 11]
    assert [_offered(Gift(), now, in_use=11) for now in (0, 100)] == [None, None]
    assert [_offered(Gift(), now, waiting=0) for now in (0, 100)] == [None, None]
    assert [_offered(Gift(), now, held=1) for now in (0, 100)] == [None, None]


def test_who_holds_less_than_others_lets_them_offer_first():
    """Three of twelve: there may be four of them, so it offers as well, but three times as late."""
    gift = Gift()
    assert [_offered(gift, now, held=3) for now in (0, 11.9, 12.0)] == [None, None, 2]


@pytest.mark.parametrize(
    ("in_use", "held", "again", "keep"),
    [(12, 11, 0.2, 6), (11, 12, 5.0, 11)],
    ids=["somebody took it", "nobody took it"],
)
def test_a_gift_that_is_taken_is_at_once_followed_by_half_of_the_rest(in_use, held, again, keep):
    """And one that nobody takes is kept, and offered more rarely."""
    gift = Gift()
    for now in (0.0, 4.0):
        _offered(gift, now)
    gift.gave(1, 5.0)
    assert _offered(gift, 6.0, held=11, in_use=11) == 11
    assert _offered(gift, 6.6, held=11, in_use=in_use) is None
    assert _offered(gift, 6.6 + again - 0.1, held=held) is None
    assert _offered(gift, 6.6 + again + 0.01, held=held) == keep


@pytest.mark.parametrize(("held", "longest"), [(2, 30.0), (12, 5.0), (50, 4.0)])
def test_a_run_that_was_alone_for_long_offers_often_enough_for_who_joins(held, longest):
    """What an offer costs is a slot for some seconds: the more slots there are, the more often it may be made."""
    assert Gift(refused=50).pause_s(held, others=0) == longest


def test_the_rest_of_a_gift_goes_as_its_jobs_end():
    """As long as somebody takes it; where nobody does, nothing stays idle for the sake of jobs that take minutes."""
    for in_use, keep in ((12, 6), (10, None)):
        gift = Gift(wanted=True, keep=6, since=0.0)
        gift.gave(2, 1.0)
        assert _offered(gift, 1.5, held=9, in_use=10) == 6
        assert _offered(gift, 2.5, held=9, in_use=in_use) == keep


class BusyServer:
    """A limit server that takes its time, and refuses a change now and then, as Prefect's does on SQLite."""

    CHANGES = ("lease", "occupy", "put_back")  # what reads first and then writes, and may be too late

    def __init__(self, kept, clock, chance, refuses):
        self._kept, self.clock, self._chance, self._refuses = kept, clock, chance, refuses
        self.asked = Counter()

    def __getattr__(self, name):
        async def ask(*arguments):
            self.asked[SUBMIT if SUBMIT in arguments else IN_FLIGHT] += 1
            await asyncio.sleep(self._chance.uniform(0.01, 0.08))
            self._kept.now = self.clock()
            self._kept.expire()
            if name in self.CHANGES and self._chance.random() < self._refuses:
                raise LimitServerAway("HTTP 503")
            return await getattr(self._kept, name)(*arguments)

        return ask


class Scene:
    """Runs that share both limits of an account, and a bill of what each has ordered."""

    def __init__(self, kept, clock, most, per_second, *, seconds, refuses=0.0):
        kept.now = clock()
        kept.make(IN_FLIGHT, most)
        kept.make(SUBMIT, block_of(per_second), per_second)
        self.clock, self.chance, self._per_second, self._seconds = clock, random.Random(5), per_second, seconds
        self.server = BusyServer(kept, clock, self.chance, refuses)
        self.bill, self.tasks, self.unfinished, self.peak = {}, [], 0, 0

    def join(self, name, jobs=28):
        """A run begins, which always has so many jobs in hand."""
        slots, stop = Slots(0), asyncio.Event()
        shared = SharedSlots(self.server, IN_FLIGHT, slots, 12, 12, stop, clock=self.clock, created=12)
        rate = SharedRate(self.server, SUBMIT, self._per_second, None, 0, stop, clock=self.clock)
        rate.others = lambda: shared.others > 0
        rate.chance.seed(self.chance.random())
        limit = RateLimit(self._per_second, stop=stop, shared=rate)
        self.bill[name] = []
        self.tasks += [asyncio.create_task(each.keep()) for each in (shared, rate)]
        self.tasks += [asyncio.create_task(self._orders(self.bill[name], slots, limit)) for _ in range(jobs)]

    async def _orders(self, bill, slots, limit):
        while True:
            async with slots.slot():
                await limit.slot()
                bill.append(self.clock())
                self.unfinished += 1
                self.peak = max(self.peak, self.unfinished)
                await asyncio.sleep(self._seconds * self.chance.uniform(0.9, 1.1))
                self.unfinished -= 1

    def ordered(self, name, since, seconds):
        """How many orders of a run fall into so many seconds."""
        return bisect(self.bill[name], since + seconds) - bisect(self.bill[name], since)

    def fastest(self, number):
        """In how short a time so many orders of all runs came."""
        every = sorted(at for bill in self.bill.values() for at in bill)
        return min((late - early for early, late in zip(every, every[number:], strict=False)), default=float("inf"))


@pytest.fixture
async def scene(limit_server, virtual_time):
    scenes = []

    def begin(*arguments, **more):
        scenes.append(Scene(limit_server, virtual_time, *arguments, **more))
        return scenes[-1]

    yield begin
    for each in scenes:
        for task in each.tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*each.tasks, return_exceptions=True)


@pytest.mark.parametrize("refuses", [0.0, 0.2], ids=["server answers", "server refuses a fifth"])
@pytest.mark.parametrize("alone_s", [0.0, 30.0, pytest.param(300.0, marks=pytest.mark.long)])
async def test_a_run_that_joins_has_its_share_soon(scene, alone_s, refuses):
    """However long the other was alone. The account goes on being used, never more than it may be, and the server is asked little."""
    both, soon = scene(12, 10.0, seconds=2.0, refuses=refuses), 20 if refuses else 10
    both.join("one")
    await asyncio.sleep(alone_s)
    both.join("two")
    joined = both.clock()
    await asyncio.sleep(100)
    first, second = (both.ordered(name, joined + soon, 100 - soon) for name in ("one", "two"))
    assert both.bill["two"][0] < joined + soon
    assert both.ordered("two", joined + soon, 10) >= 0.35 * both.ordered("one", joined + soon, 10)
    assert min(first, second) >= 0.35 * (first + second)
    assert first + second >= (0.6 if refuses else 0.75) * (100 - soon) * 12 / 2.0
    alone = both.ordered("one", joined - alone_s + 5, alone_s - 5)
    assert alone >= (0.7 if refuses else 0.9) * (alone_s - 5) * 12 / 2.0
    assert both.peak == 12
    assert both.fastest(20) >= 20 / 10.0 - 0.11
    assert max(both.server.asked.values()) <= 2.5 * (alone_s + 2 * 100)  # a look a second, and what it leads to
