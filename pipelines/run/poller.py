"""Waiting for the jobs of one provider: asks about each when its time has come, and about many at once where it can.

A status query is free and its answer is the truth. Nothing here fails a job: an unknown word means still running, a
refusal is tried again, and a deadline parks.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace

from pipelines.core.errors import KeyRefused, ProviderError, SlowDown, TransportError, UnknownJob
from pipelines.core.failpoints import failpoint
from pipelines.net.addresses import without_query
from pipelines.pacing.back_off import delay
from pipelines.pacing.poll_schedule import Durations, net_poll, next_poll
from pipelines.pacing.rate_limit import RateLimit
from pipelines.providers.protocol import Phase, Progress, Provider
from pipelines.run.status_queries import StatusQueries, Stopped
from pipelines.run.waiting import ClipMissing, DeadlinePassed, Waiting

log = logging.getLogger("reelbatch.poller")

#: The code of a job that its provider calls completed, and that has no clip.
EMPTY_RESULT = "empty_result"
SETTLE_S = 600.0  #: an id may take this long to be known everywhere, and a result to show its link
_EMPTY = "the provider says completed and shows no video; often its moderation has taken it away"
_WARN_AFTER = 20
_LAST_ANSWER_S = 2.0  # a request that is on its way when the run ends is given so long; the next run asks again
_TOO_MANY_MISSED = 3
_TOGETHER_S = 1.0  # calls that come within so long are followed by one question, where a provider takes many in one
_CALLED_BEFORE = 0.98  # times the age at which a job was called about, it had not ended
_TOO_LATE = 1.25  # times the age at which it was due: an answer that late says nothing of how long jobs take


@dataclass(slots=True)
class _Kind:
    durations: Durations = field(default_factory=Durations)
    scout: Waiting | None = None
    sleepers: set[asyncio.Future[None]] = field(default_factory=set)

    def ring(self) -> None:
        """Wake all who sleep until their time: it may have moved."""
        for bell in self.sleepers:
            _ring_one(bell)

    def learn(self, waiting: Waiting, age_s: float) -> None:
        """Remember how long a job took, unless it was asked about too late to tell: after a restart, a hold, a fault."""
        if age_s <= _TOO_LATE * waiting.due_s:
            was_cold = not len(self.durations)
            self.durations.add(waiting.last_not_ready_s, age_s)
            if was_cold:
                self.ring()

    def relieve(self, waiting: Waiting) -> None:
        """Make room for the next scout when one ends, however it does."""
        if self.scout is waiting:
            self.scout = None
            self.ring()

    def due_s(self, waiting: Waiting, every_s: float | None, *, called_back: bool) -> float:
        """The age at which a job is to be asked about next."""
        last = waiting.last_not_ready_s
        if waiting.faults:
            return last
        if waiting.look_again_s and every_s is None:
            return max(last + waiting.look_again_s, waiting.not_before_s)
        if called_back and every_s is None and waiting.awaits_call and not waiting.called:
            return min(net_poll(last, self.durations, expected_s=waiting.expected_s), waiting.deadline_s)
        scout = self.scout is waiting
        due = next_poll(last, self.durations, expected_s=waiting.expected_s, scout=scout, every_s=every_s)
        return max(due, min(waiting.not_before_s, waiting.deadline_s) if every_s is None else 0.0)


class Poller:
    """Everything that waits at one provider.

    Args:
        provider: who is asked.
        rate: how often, over all jobs.
        every_s: a fixed rhythm for each job, if the user asked for one.
        time_scale: divides our own patience in a rehearsal.
        stop: set when the run ends.
    """

    def __init__(
        self, provider: Provider, rate: RateLimit, *, every_s: float | None, time_scale: float, stop: asyncio.Event
    ) -> None:
        self._provider = provider
        self._rate = rate
        self._every_s = every_s
        self._scale = time_scale
        self._stop = stop
        self._kinds: dict[Hashable, _Kind] = defaultdict(_Kind)
        self._said: set[str] = set()
        self._by_id: dict[str, Waiting] = {}
        self._called: dict[str, str | None] = {}  # ids that somebody has called about before they were waited for
        self._missed = 0  # jobs in a row that ended, and nobody called
        self.silent: Callable[[int], None] = lambda _: None  # told once nobody seems to call
        self._closed = False
        self._queries = StatusQueries(provider, rate, over=lambda: self.over)
        self._patience: set[asyncio.Timeout] = set()  # of those who wait for an answer; it has an end when the run has

    @property
    def requests(self) -> int:
        """How many status queries were sent."""
        return self._queries.sent

    @property
    def is_called(self) -> bool:
        """Tell whether calls may be relied upon: of the latest jobs not all have ended without one."""
        return self._missed < _TOO_MANY_MISSED

    def call(self, provider_job_id: str, link: str | None = None) -> None:
        """Ask about a job at once, since somebody says that it has ended.

        Args:
            provider_job_id: the job; it may be waited for only later.
            link: where they say that the clip is.
        """
        self._missed = 0
        waiting = self._by_id.get(provider_job_id)
        if waiting is None:
            self._called[provider_job_id] = link
            return
        waiting.called, waiting.due_now, waiting.link = True, True, link
        if waiting.bell is None:
            return
        loop, step_s = asyncio.get_running_loop(), _TOGETHER_S / self._scale if self._queries.know_many else 0.0
        now = loop.time()  # those that end in one moment are asked about in one request
        loop.call_at(now + step_s - now % step_s if step_s else now, _ring_one, waiting.bell)

    def leave(self, provider_job_id: str) -> None:
        """Ask no more about a job: nobody waits for that id any more. Who did hears `Stopped`."""
        if (waiting := self._by_id.get(provider_job_id)) is not None:
            waiting.left = True
            if waiting.bell is not None:
                _ring_one(waiting.bell)

    def wake_all(self) -> None:
        """Wake everybody, so that they see that the run is stopping; who waits for an answer does so for a moment only."""
        for kind in self._kinds.values():
            kind.ring()
        for patience in self._patience:
            patience.reschedule(asyncio.get_running_loop().time() + _LAST_ANSWER_S)

    @property
    def over(self) -> bool:
        """Tell whether nobody is asked any more: the run ends, or the provider no longer takes the key."""
        return self._closed or self._stop.is_set()

    def close(self) -> None:
        """Ask no more in this run; whoever waits hears `Stopped`."""
        self._closed = True
        self.wake_all()

    async def ended(self, waiting: Waiting, seen: Callable[[Progress], None] | None = None) -> Progress:
        """Return when the provider says that the job has ended, with a link if it succeeded.

        Args:
            waiting: the job.
            seen: told every answer, for display.

        Raises:
            DeadlinePassed: it did not end in time.
            ClipMissing: it has ended well, and shows no clip where the profile looks, however often it is asked.
            Stopped: the run ends first, or nobody waits for that id any more.
            KeyRefused: the provider no longer takes the key.
            UnknownJob: the provider still does not know the id after ten minutes.
        """
        kind, name = self._kinds[waiting.kind], waiting.job.id
        self._by_id[name] = waiting
        if name in self._called:
            self.call(name, self._called.pop(name))
        try:
            while True:
                await self._sleep(waiting, kind)
                if (progress := await self._ask(waiting)) is None:
                    continue
                if seen is not None:
                    seen(progress)
                ended = self._judge(progress, waiting)
                if ended is not None:
                    self._notice_call(waiting, progress)
                    if progress.phase is Phase.SUCCEEDED and ended is progress:
                        kind.learn(waiting, waiting.answered_s)
                    return ended
        finally:
            kind.relieve(waiting)
            if self._by_id.get(name) is waiting:
                del self._by_id[name]

    def _notice_call(self, waiting: Waiting, progress: Progress) -> None:
        """Remember whether whoever was to call has called, and whether it said what the provider says."""
        if waiting.called:
            waiting.last_not_ready_s = max(waiting.last_not_ready_s, _CALLED_BEFORE * waiting.age())
            links = {without_query(link.url) for link in progress.links}
            if waiting.link is not None and links and waiting.link not in links:
                log.warning("%s: a callback named another link than its provider does; that is used.", waiting.job.id)
        elif waiting.awaits_call:
            self._missed += 1
            if self._missed == _TOO_MANY_MISSED:
                self.silent(self._missed)
                for kind in self._kinds.values():
                    kind.ring()

    def _judge(self, progress: Progress, waiting: Waiting) -> Progress | None:
        """Decide whether an answer is the end of a job, and remember what it says where it is not."""
        age = waiting.answered_s = waiting.age()
        empty = progress.phase is Phase.SUCCEEDED and not progress.links
        if progress.phase is not Phase.RUNNING and not empty:
            return progress
        waiting.last_not_ready_s = age
        waiting.not_before_s = age + (progress.poll_after_s or 0.0)  # a hint holds for one pause
        if empty:
            return self._look_again(progress, waiting, age)
        waiting.runs_again()
        self._notice_word(progress)
        if age > waiting.deadline_s:
            raise DeadlinePassed(f"still {progress.word or 'without a status'} after {age / 3600:.1f} h")
        return None

    def _look_again(self, progress: Progress, waiting: Waiting, age: float) -> Progress | None:
        """Ask again about a job that is completed without a clip; one that stays so is parked, or in the end empty."""
        if waiting.looks_again(age, self._scale):
            return None
        missing = progress.missing
        if missing is not None and missing.is_empty and not progress.unread and age > waiting.deadline_s:
            return replace(progress, phase=Phase.FAILED, code=EMPTY_RESULT, message=_EMPTY)
        name = self._provider.profile.name
        words = missing.words if missing is not None else "no clip stands where its profile looks"
        reason = f"{name} says {progress.word!r}, but its clip cannot be read: {words}"
        is_news = reason not in self._said
        self._said.add(reason)
        raise ClipMissing(reason, is_news=is_news, is_elsewhere=progress.unread)

    async def _sleep(self, waiting: Waiting, kind: _Kind) -> None:
        """Sleep until the job is due. News about its kind moves the time."""
        while not (self.over or waiting.left):
            age = waiting.age()
            if waiting.due_now:
                waiting.due_now, waiting.due_s = False, age
                return
            called_back = self.is_called
            if kind.scout is None and kind.durations.want_a_scout and not (called_back and waiting.awaits_call):
                kind.scout = waiting
            waiting.due_s = kind.due_s(waiting, self._every_s, called_back=called_back)
            if age >= waiting.due_s:
                return
            await self._nap(waiting, waiting.due_s - age)
        raise Stopped

    async def _nap(self, waiting: Waiting, seconds: float) -> None:
        if self.over or waiting.due_now or waiting.left:
            return
        loop, kind = asyncio.get_running_loop(), self._kinds[waiting.kind]
        bell: asyncio.Future[None] = loop.create_future()
        waiting.bell = bell
        timer = loop.call_later(seconds, _ring_one, bell)
        kind.sleepers.add(bell)
        try:
            await bell
        finally:
            timer.cancel()
            kind.sleepers.discard(bell)
            waiting.bell = None

    async def _ask(self, waiting: Waiting) -> Progress | None:
        """One answer, or None after a fault that passes; the pause that it needs has been slept."""
        try:
            waiting.asked += 1
            failpoint("poll.begin")
            alone = waiting.alone or not self._queries.know_many
            progress = await self._answer(waiting, alone=alone)
        except SlowDown as error:
            hold = self._rate.slow_down(error.retry_after_s)
            log.warning("%s Nothing is asked for %.0f s.", error, hold)
            return None
        except KeyRefused:
            raise
        except UnknownJob as error:
            if not alone:  # it is asked about by itself, at once
                waiting.alone = True
                return None
            if waiting.age() > SETTLE_S / self._scale:
                raise
            await self._pause(waiting, error)
            return None
        except (ProviderError, TransportError) as error:
            if waiting.faults % _WARN_AFTER == _WARN_AFTER - 1:
                log.warning("%s: %d queries in a row failed: %s", waiting.job.id, waiting.faults + 1, error)
            await self._pause(waiting, error)
            return None
        failpoint("poll.answered")
        waiting.faults, waiting.alone = 0, False
        self._rate.succeeded()
        return progress

    async def _answer(self, waiting: Waiting, *, alone: bool) -> Progress:
        try:
            async with asyncio.timeout(None) as patience:
                self._patience.add(patience)
                try:
                    return await self._queries.about(waiting.job, alone=alone)
                finally:
                    self._patience.discard(patience)
        except TimeoutError as error:
            raise Stopped from error

    async def _pause(self, waiting: Waiting, error: Exception) -> None:
        if waiting.age() > waiting.deadline_s:
            raise DeadlinePassed(f"the provider could not be asked in time: {error}")
        seconds = delay(waiting.faults, base_s=1.0 / self._scale, cap_s=60.0 / self._scale)
        waiting.faults += 1
        await self._nap(waiting, seconds)

    def _notice_word(self, progress: Progress) -> None:
        name, path = self._provider.profile.name, self._provider.profile.status_path
        if path is not None and not progress.word and path not in self._said:
            self._said.add(path)
            log.warning("%s says nothing at %s, where its profile looks for the status: taken as running.", name, path)
        known = {"", "queued", "pending", "processing", "in_progress", "running", *self._provider.profile.words}
        if progress.word not in known and progress.word not in self._said:
            self._said.add(progress.word)
            log.warning("%s says %r, an unknown word: taken as still running.", name, progress.word)


def _ring_one(bell: asyncio.Future[None]) -> None:
    if not bell.done():
        bell.set_result(None)
