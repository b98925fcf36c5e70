from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest

from pipelines.core.errors import KeyRefused, NoAnswer, ProviderUnavailable, SlowDown, UnknownJob, UnusableAnswer
from pipelines.core.job import RemoteJob
from pipelines.pacing.rate_limit import RateLimit
from pipelines.providers.profile.load import profile_named
from pipelines.providers.protocol import Link, MissingClip, Phase, Progress
from pipelines.run.poller import Poller
from pipelines.run.status_queries import Stopped
from pipelines.run.waiting import ClipMissing, DeadlinePassed, Waiting

SCALE = 10_000  # six hundred seconds of patience become 60 ms
RUNNING = Progress(Phase.RUNNING, "in_progress")
DONE = Progress(Phase.SUCCEEDED, "completed", (Link("https://x/a.mp4"),))
EMPTY = Progress(Phase.SUCCEEDED, "completed")
UNREAD = Progress(Phase.SUCCEEDED, "completed", unread=True)
NONE_THERE = Progress(Phase.SUCCEEDED, "completed", missing=MissingClip("`data` is empty", is_empty=True))
FAILED = Progress(Phase.FAILED, "failed", code="c")


@dataclass
class FakeProvider:
    """Answers about each job with the next of its script, the last for ever; counts what it is asked."""

    script: dict = field(default_factory=lambda: defaultdict(lambda: [DONE]))
    profile: object = field(default_factory=lambda: profile_named("qiniu"))
    asked: Counter = field(default_factory=Counter)
    batches: list = field(default_factory=list)
    pause: float = 0.0

    async def check(self, job):
        """One job."""
        self.batches.append([job.id])
        await asyncio.sleep(self.pause)
        if (said := self._next(job.id)) is None:
            raise UnknownJob("404")
        return said

    async def check_many(self, jobs):
        """Many jobs; those whose script says None are left out."""
        self.batches.append([job.id for job in jobs])
        await asyncio.sleep(self.pause)
        found = {job.id: self._next(job.id) for job in jobs}
        return {name: progress for name, progress in found.items() if progress is not None}

    def _next(self, name):
        self.asked[name] += 1
        script = self.script[name]
        said = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(said, Exception):
            raise said
        return said


@pytest.fixture
def provider():
    return FakeProvider()


@pytest.fixture
def stop():
    return asyncio.Event()


@pytest.fixture
def poller(provider, stop):
    return Poller(provider, RateLimit(1e6, time_scale=SCALE, stop=stop), every_s=0.001, time_scale=SCALE, stop=stop)


@pytest.fixture
def batching(provider, stop):
    provider.profile = profile_named("acedata")
    return Poller(provider, RateLimit(1e6, time_scale=SCALE, stop=stop), every_s=0.001, time_scale=SCALE, stop=stop)


def _waiting(name="a", *, expected_s=0.01, deadline_s=10.0, age=0.0, kind="k"):
    return Waiting(RemoteJob(name, "video"), kind, expected_s, time.monotonic() - age, deadline_s)


async def _ended(poller, waiting, seen=None):
    return await asyncio.wait_for(poller.ended(waiting, seen), 10)


@pytest.mark.parametrize("last", [DONE, FAILED, Progress(Phase.CANCELLED, "cancelled")], ids=lambda p: p.phase)
async def test_it_asks_until_the_job_has_ended(poller, provider, last):
    """The provider's terminal word is the answer, and every word before it is shown."""
    provider.script["a"] = [RUNNING, RUNNING, last]
    seen = []
    assert await _ended(poller, _waiting(), seen.append) is last
    assert seen == [RUNNING, RUNNING, last]
    assert poller.requests == 3


@pytest.mark.parametrize(
    "fault",
    [NoAnswer("reset"), ProviderUnavailable("502"), UnusableAnswer("html"), UnknownJob("404"), SlowDown("429", 0.001)],
    ids=["W02 network", "W02 server", "W06 html", "W03 unknown at first", "S33 too many"],
)
async def test_a_fault_that_passes_is_asked_again(poller, provider, fault):
    """Network, server errors, nonsense, an id that is not known yet and a rate limit never fail a job."""
    provider.script["a"] = [fault, fault, RUNNING, fault, DONE]
    waiting = _waiting()
    assert await _ended(poller, waiting) is DONE
    assert waiting.faults == 0
    assert provider.asked["a"] == 5


async def test_w03_an_id_that_stays_unknown_is_handed_to_a_person(poller, provider):
    """After ten minutes an unknown id is an error of its own, and nobody resubmits it here."""
    provider.script["a"] = [UnknownJob("404")]
    with pytest.raises(UnknownJob):
        await _ended(poller, _waiting())
    assert provider.asked["a"] > 1


async def test_w04_a_known_id_that_vanishes_is_too(poller, provider):
    """A job that was seen running and is then gone is held, not failed."""
    provider.script["a"] = [RUNNING, RUNNING, UnknownJob("410")]
    with pytest.raises(UnknownJob):
        await _ended(poller, _waiting())


async def test_w05_a_refused_key_ends_the_watch_at_once(poller, provider):
    """A refused key is the operator's matter: it is not asked again and fails no job."""
    provider.script["a"] = [KeyRefused()]
    with pytest.raises(KeyRefused):
        await _ended(poller, _waiting())
    assert provider.asked["a"] == 1


async def test_w07_an_unknown_word_means_running_and_is_said_once(poller, provider, caplog):
    """A new status word keeps the job waiting, and is logged once however often it is seen."""
    provider.script["a"] = [Progress(Phase.RUNNING, "marinating")] * 3 + [DONE]
    provider.script["b"] = [Progress(Phase.RUNNING, "marinating"), DONE]
    await asyncio.gather(_ended(poller, _waiting("a")), _ended(poller, _waiting("b")))
    assert [r.getMessage() for r in caplog.records if "marinating" in r.getMessage()] == [
        "qiniu says 'marinating', an unknown word: taken as still running."
    ]


async def test_a_status_path_that_leads_nowhere_is_said_once(poller, provider, caplog):
    """Who wrote the wrong path into a profile hears of it at the first answer, and not after the deadline."""
    provider.profile = provider.profile.model_copy(update={"status_path": "job.state"})
    provider.script["a"] = [Progress(Phase.RUNNING, "")] * 3 + [DONE]
    await _ended(poller, _waiting("a"))
    assert [r.getMessage() for r in caplog.records] == [
        "qiniu says nothing at job.state, where its profile looks for the status: taken as running."
    ]


async def test_w08_a_status_that_goes_backwards_is_believed(poller, provider):
    """Running, queued, running: only the end ends it."""
    provider.script["a"] = [RUNNING, Progress(Phase.RUNNING, "queued"), RUNNING, DONE]
    assert await _ended(poller, _waiting()) is DONE


async def test_w10_a_deadline_parks(poller, provider):
    """A job that never ends is parked at its deadline, with the last word that was heard."""
    provider.script["a"] = [RUNNING]
    with pytest.raises(DeadlinePassed, match="in_progress"):
        await _ended(poller, _waiting(deadline_s=0.03))


async def test_w10_a_parked_job_is_asked_once_in_every_run(poller, provider):
    """A job that is past its deadline when a run begins is still asked about, and may be ready."""
    assert await _ended(poller, _waiting(age=1000, deadline_s=1)) is DONE
    provider.script["b"] = [RUNNING]
    with pytest.raises(DeadlinePassed):
        await _ended(poller, _waiting("b", age=1000, deadline_s=1))
    assert provider.asked["b"] == 1


async def test_w10_a_provider_that_never_answers_parks_too(poller, provider):
    """Faults for ever end at the deadline as well."""
    provider.script["a"] = [NoAnswer("reset")]
    with pytest.raises(DeadlinePassed, match="could not be asked in time: reset"):
        await _ended(poller, _waiting(deadline_s=0.05))


async def test_w11_completed_without_a_link_is_asked_again(poller, provider):
    """A success that shows no clip yet is asked again, and taken when it does."""
    provider.script["a"] = [EMPTY, EMPTY, DONE]
    assert await _ended(poller, _waiting()) is DONE


async def test_t27_completed_without_a_link_for_long_has_failed(poller, provider):
    """A success whose place for clips is empty, and that is past its deadline, has failed, with a code of its own."""
    provider.script["a"] = [NONE_THERE]
    progress = await _ended(poller, _waiting(age=1000, deadline_s=1))
    assert (progress.phase, progress.code, progress.word) == (Phase.FAILED, "empty_result", "completed")
    assert "shows no video" in progress.message
    assert provider.asked["a"] > 2


@pytest.mark.parametrize(
    ("said", "age"), [(EMPTY, 0.0), (UNREAD, 0.0), (NONE_THERE, 0.0), (EMPTY, 1000), (UNREAD, 1000)]
)
async def test_t27_a_clip_that_is_not_found_parks(poller, provider, said, age):
    """A success whose clip the profile does not find is asked about some times, and never failed: it may be the profile."""
    provider.script["a"] = [EMPTY, said]
    with pytest.raises(ClipMissing, match="qiniu says 'completed', but its clip cannot be read: "):
        await _ended(poller, _waiting(age=age, deadline_s=age + 10.0 if said is NONE_THERE else 1.0))
    assert provider.asked["a"] > 2


async def test_t27_why_clips_are_missing_is_news_once(poller, provider):
    """Of many jobs that end in the same way the first is told; another reason is news again."""
    heard = []
    for name, said in (("a", NONE_THERE), ("b", NONE_THERE), ("c", EMPTY)):
        provider.script[name] = [said]
        with pytest.raises(ClipMissing) as caught:
            await _ended(poller, _waiting(name))
        heard.append(caught.value.is_news)
    assert heard == [True, False, True]


async def test_t27_every_job_is_given_time_to_show_its_clip(poller, provider):
    """A job that ran for long before, and one whose deadline is over, are asked about again as well."""
    for name, age, deadline_s in (("old", 1000, 1e6), ("late", 1000, 1)):
        provider.script[name] = [EMPTY, EMPTY, DONE]
        assert await _ended(poller, _waiting(name, age=age, deadline_s=deadline_s)) is DONE


async def test_t27_a_job_that_runs_again_is_not_empty(provider, stop):
    """Completed, running again, completed: only the time since it was last said to be completed counts."""
    rate = RateLimit(1e6, stop=stop)
    poller = Poller(provider, rate, every_s=0.001, time_scale=1000, stop=stop)  # it is given 0.6 s
    provider.script["a"] = [EMPTY, RUNNING, EMPTY, EMPTY, DONE]
    waiting = _waiting(deadline_s=1e6)
    seen = []

    def grow_older(progress):
        seen.append(progress)
        waiting.accepted_at -= 0.4

    assert await _ended(poller, waiting, grow_older) is DONE
    assert len(seen) == 5


async def test_i11_a_stop_ends_all_waiting_at_once(provider, stop):
    """When the run ends, sleepers, those in a pause after a fault and those held by a rate limit leave at once."""
    rate = RateLimit(1000, stop=stop)
    poller = Poller(provider, rate, every_s=60, time_scale=1, stop=stop)
    provider.script["fault"] = [NoAnswer("reset")]
    fault = _waiting("fault", age=3600, deadline_s=1e6)
    tasks = [asyncio.create_task(poller.ended(waiting)) for waiting in (_waiting("sleeps"), fault)]
    await asyncio.sleep(0.02)
    rate.slow_down(60)
    tasks.append(asyncio.create_task(poller.ended(_waiting("held", age=3600, deadline_s=1e6))))
    await asyncio.sleep(0.02)
    stop.set()
    poller.wake_all()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert [type(result) for result in results] == [Stopped] * 3
    assert provider.asked == {"fault": 1}


async def test_a_watch_that_is_closed_asks_nobody_any_more(provider, stop):
    """When one job hears that the key is refused, those who sleep leave at once; other watches go on."""
    closed, other = (Poller(provider, RateLimit(1000), every_s=60, time_scale=1, stop=stop) for _ in range(2))
    asleep = asyncio.create_task(closed.ended(_waiting("sleeps")))
    await asyncio.sleep(0.02)
    closed.close()
    with pytest.raises(Stopped):
        await asyncio.wait_for(asleep, 3)
    assert (closed.over, other.over, provider.asked) == (True, False, {})


async def test_i11_a_stop_during_a_request_ends_after_its_answer(provider, stop):
    """A fault that comes in after the stop is not slept off."""
    poller = Poller(provider, RateLimit(1000, stop=stop), every_s=60, time_scale=1, stop=stop)
    provider.pause, provider.script["a"] = 0.05, [NoAnswer("reset")]
    waiting = _waiting(age=3600, deadline_s=1e6)
    waiting.faults = 20
    task = asyncio.create_task(poller.ended(waiting))
    await asyncio.sleep(0.02)
    stop.set()
    poller.wake_all()
    with pytest.raises(Stopped):
        await asyncio.wait_for(task, 3)


@pytest.mark.parametrize("many", [False, True])
async def test_i11_a_stop_does_not_wait_for_a_server_that_hangs(poller, batching, provider, stop, monkeypatch, many):
    """An answer that is on its way when the run ends is given a moment, and no more."""
    monkeypatch.setattr("pipelines.run.poller._LAST_ANSWER_S", 0.05)
    asking = batching if many else poller
    provider.pause = 3600.0
    tasks = [asyncio.create_task(asking.ended(_waiting(name, age=3600, deadline_s=1e6))) for name in "ab"]
    await asyncio.sleep(0.02)
    stop.set()
    asking.wake_all()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert [type(result) for result in results] == [Stopped] * 2


async def test_many_jobs_share_a_request(batching, provider):
    """Where the provider can be asked about many, jobs that are due together go in one request, fifty at most."""
    names = [f"j{n}" for n in range(120)]
    results = await asyncio.gather(*[_ended(batching, _waiting(name)) for name in names])
    assert results == [DONE] * 120
    assert max(len(batch) for batch in provider.batches) <= 50
    assert len(provider.batches) < 20
    assert batching.requests == len(provider.batches)


async def test_a_job_that_a_batch_answer_leaves_out_is_unknown(batching, provider):
    """Silence about one job in an answer about many is asked again, and held in the end; the others are not hurt."""
    provider.script["gone"] = [None]
    tasks = [_ended(batching, _waiting(name)) for name in ("gone", "a", "b")]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], UnknownJob)
    assert results[1:] == [DONE, DONE]


async def test_t30_no_job_is_lost_on_the_word_of_an_answer_about_many(batching, provider):
    """Jobs that an answer about many does not know, or refuses with all the others, are asked about one by one first."""
    together = provider.check_many

    async def forgetful(jobs):
        await together(jobs)
        raise UnknownJob("404")

    provider.check_many = forgetful
    provider.script["gone"] = [None]
    tasks = [_ended(batching, _waiting(name, age=1000)) for name in ("gone", "a", "b")]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], UnknownJob)
    assert results[1:] == [DONE, DONE]
    assert sorted(map(len, provider.batches)) == [1, 1, 1, 3]


@pytest.mark.parametrize(
    "fault", [NoAnswer("reset"), SlowDown("429", 0.001), ValueError("a bug")], ids=["W02", "S33", "bug"]
)
async def test_all_of_a_batch_hear_of_its_fault(batching, provider, fault):
    """A request about many that fails is everybody's fault to wait out; a bug is nobody's to swallow."""
    provider.script["a"] = [fault, DONE]
    tasks = [_ended(batching, _waiting(name)) for name in ("a", "b")]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    if isinstance(fault, ValueError):
        assert fault in results
    else:
        assert results == [DONE, DONE]


async def test_a_cancelled_waiter_does_not_hold_up_the_batch(batching, provider):
    """Whoever is cancelled while a request is on its way leaves the others their answers."""
    provider.pause = 0.02
    tasks = [asyncio.create_task(batching.ended(_waiting(name))) for name in ("a", "b")]
    await asyncio.sleep(0.01)
    tasks[0].cancel()
    assert await asyncio.wait_for(tasks[1], 5) is DONE
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]


@pytest.fixture
def learning(provider, stop):
    return Poller(provider, RateLimit(1e6, stop=stop), every_s=None, time_scale=1, stop=stop)


async def test_the_scout_learns_for_all(learning, provider):
    """Of many that begin together one asks often, and when it is ready the others are asked, long before expected."""
    began = time.monotonic()

    async def check(name):
        provider.asked[name] += 1
        return DONE if time.monotonic() - began > 0.1 else RUNNING

    provider.check = check
    tasks = [_ended(learning, _waiting(f"j{n}", expected_s=20)) for n in range(20)]
    assert await asyncio.gather(*tasks) == [DONE] * 20
    assert time.monotonic() - began < 20  # as long as each was expected to take
    assert sum(provider.asked.values()) < 20 * 4


async def test_w01_a_resumed_job_is_asked_at_once_and_teaches_nothing(learning, provider):
    """A job that was ready long before the restart says nothing of how long jobs take, so new ones are not made to wait."""
    await asyncio.gather(*[_ended(learning, _waiting(f"j{n}", expected_s=1, age=36_000)) for n in range(5)])
    assert len(learning._kinds["k"].durations) == 0
    assert provider.asked.total() == 5


async def test_a_scout_that_fails_is_relieved(learning, provider):
    """When the scout ends without a success, or is cancelled, another takes over, so that nobody waits in the dark."""
    provider.script |= {"scout": [FAILED], "b": [RUNNING], "c": [RUNNING]}
    first = asyncio.create_task(_ended(learning, _waiting("scout", expected_s=9)))
    await asyncio.sleep(0)
    others = {name: asyncio.create_task(_ended(learning, _waiting(name, expected_s=9))) for name in ("b", "c")}
    assert await first is FAILED
    await asyncio.sleep(0.15)
    [second] = [name for name in others if provider.asked[name]]
    [third] = set(others) - {second}
    assert provider.asked[second] > 1
    others[second].cancel()
    await asyncio.sleep(0.15)
    assert provider.asked[third] > 1
    others[third].cancel()
    results = await asyncio.gather(*others.values(), return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 2


def _running(hint_s):
    return Progress(Phase.RUNNING, "in_progress", poll_after_s=hint_s)


async def test_t18_a_hint_is_heeded_for_one_pause(learning, provider):
    """When the provider says when to ask again, it is not asked before, and the next pause is our own again."""
    provider.script["a"] = [_running(0.2), RUNNING, RUNNING, DONE]
    waiting = _waiting(deadline_s=1e6)
    ages, dues = [], []

    def note(_progress):
        ages.append(waiting.age())
        dues.append(waiting.due_s)

    assert await _ended(learning, waiting, note) is DONE
    assert dues[1] >= ages[0] + 0.2
    assert ages[1] >= dues[1]
    assert dues[2] < ages[1] + 0.2
    assert dues[3] < ages[2] + 0.2


async def test_t18_a_hint_that_gets_shorter_is_believed(learning, provider):
    """Each answer's own hint counts: a long one at first does not hold up a job whose provider then says sooner."""
    provider.script["a"] = [_running(0.3), _running(0.05), DONE]
    waiting = _waiting(deadline_s=1e6)
    dues = []
    await _ended(learning, waiting, lambda _: dues.append((waiting.age(), waiting.due_s)))
    assert dues[1][1] >= dues[0][0] + 0.3
    assert dues[1][0] + 0.05 <= dues[2][1] < dues[1][0] + 0.3


async def test_t18_no_hint_goes_beyond_the_deadline(learning, provider):
    """A provider that asks to be left alone for long does not keep a job from being parked in time."""
    provider.script["a"] = [_running(900.0)]
    with pytest.raises(DeadlinePassed):
        await _ended(learning, _waiting(deadline_s=0.1))
    assert provider.asked["a"] == 2


async def test_t18_the_users_own_rhythm_wins_over_a_hint(poller, provider):
    """Who asks for a fixed rhythm gets it, whatever the provider hints."""
    provider.script["a"] = [_running(900.0), _running(900.0), DONE]
    assert await _ended(poller, _waiting()) is DONE


async def test_t18_a_hint_about_an_empty_result_is_heeded_too(learning, provider):
    """A job that is completed without its clip is asked about again when the provider says."""
    empty = Progress(Phase.SUCCEEDED, "completed", poll_after_s=0.2)
    provider.script["a"] = [empty, DONE]
    waiting = _waiting(deadline_s=1e6)
    dues = []
    assert await _ended(learning, waiting, lambda _: dues.append((waiting.age(), waiting.due_s))) is DONE
    assert dues[1][1] >= dues[0][0] + 0.2
