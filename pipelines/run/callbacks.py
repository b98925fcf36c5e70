"""What a run makes of callbacks: an address for each order, and a job that is asked about as soon as somebody calls.

A callback is a hint, the status query the truth: whatever a caller says, the provider is asked, with our key. Polling goes on
beneath, more slowly, and as ever where calls do not come.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pipelines.callbacks.addresses import CallbackKeys, check_public_url, keys_for
from pipelines.callbacks.inbox import OwnInbox
from pipelines.callbacks.metrics import ReceiverCounts
from pipelines.callbacks.signatures import secrets_of
from pipelines.core.errors import LedgerOwned, ReelbatchError, SetupError, UnknownJob
from pipelines.core.events import CallbackOdd, CallbacksSilent
from pipelines.core.job import Job, Order
from pipelines.core.outcome import BY_CALLBACK, Adopted
from pipelines.core.status import ACCEPTED, AttemptState, JobStatus
from pipelines.ledger import bought
from pipelines.ledger import callbacks as calls
from pipelines.ledger.attempts import Claim
from pipelines.ledger.callbacks import CallOfJob, Came
from pipelines.ledger.outcomes import Change
from pipelines.ledger.settlement import owner_at_provider
from pipelines.ledger.storage.callback_keys import register_campaign
from pipelines.ledger.storage.news import news_of
from pipelines.providers.protocol import Progress
from pipelines.run.run import Run

log = logging.getLogger("reelbatch")

_IN_DOUBT_FOR = 2.0  # times what such a job usually takes, a call is waited for that may end a doubt
_IN_DOUBT_LEAST_S = 30.0
_IN_DOUBT_MOST_S = 1_800.0
_TRIES = 5  # to ask about an id that a call names and the provider does not know


@dataclass(frozen=True, slots=True)
class CallbackSettings:
    """What a person has chosen."""

    public_url: str | None = None  # None: orders carry no address
    listen: str | None = None  # None: a receiver runs by itself, or none at all
    insecure: bool = False


@dataclass(slots=True)
class RunCallbacks:
    """The callbacks of one run.

    Args:
        run: whose jobs they are about.
        ledger_id: the name of its ledger in addresses.
        keys: that make tokens.
        public_url: where the receiver can be reached; None: orders carry no address.
        receiver: the one inside this run, if there is one.
    """

    run: Run
    ledger_id: str
    keys: CallbackKeys
    public_url: str | None = None
    receiver: ReceiverCounts | None = None
    signed: frozenset[str] = frozenset()  # providers that call an address of their own choice, and sign
    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    _expected: set[str] = field(default_factory=set)  # jobs whose provider was given an address
    _rescues: dict[str, asyncio.Future[Change]] = field(default_factory=dict)
    _rescuing: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _adopted: list[Job] = field(default_factory=list)
    _tries: dict[int, int] = field(default_factory=dict)

    def address_for(self, claim: Claim, order: Order) -> str | None:
        """The address that a submission gives its provider to call; None where it takes none."""
        profile = self.run.sessions[order.provider].provider.profile
        if self.public_url is None or not profile.calls_back(order.mode):
            return None
        return self.keys.url(self.public_url, self.ledger_id, claim.attempt_id)

    def sent(self, job: Job) -> None:
        """Expect a call about a job whose order carried an address."""
        self._expected.add(job.id)

    def expects(self, job: Job) -> bool:
        """Tell whether somebody is to call about a job, so that it need not be asked about often."""
        return self.public_url is not None and (job.id in self._expected or job.order.provider in self.signed)

    def turned_away(self) -> int:
        """How many requests the receiver in this run has not let in."""
        return 0 if self.receiver is None else self.receiver.refused_in_all()

    def ring(self) -> None:
        """Look into the inbox now."""
        self._bell.set()

    async def rescued(self, job: Job) -> Change | None:
        """Wait a while for a call that ends the doubt about a job. None: nobody has called."""
        if not self.expects(job) or self.run.stop.is_set():
            return None
        session = self.run.sessions[job.order.provider]
        if not session.poller.is_called:
            return None
        usual = _IN_DOUBT_FOR * session.expected_s(job.order) + _IN_DOUBT_LEAST_S / self.run.time_scale
        rescue = self._rescues.setdefault(job.id, asyncio.get_running_loop().create_future())
        stopped: asyncio.Task[bool] = asyncio.create_task(self.run.stop.wait())
        first: set[asyncio.Future[Any]] = {rescue, stopped}
        self.ring()
        try:
            await asyncio.wait(first, timeout=min(usual, _IN_DOUBT_MOST_S), return_when=asyncio.FIRST_COMPLETED)
            return rescue.result() if rescue.done() else None
        finally:
            stopped.cancel()
            self._rescues.pop(job.id, None)

    def take_adopted(self) -> list[Job]:
        """The jobs that a call has brought out of doubt when nobody waited for it any more, each once."""
        found, self._adopted = self._adopted, []
        return found

    async def look(self) -> None:
        """Heed every call that has come. Those about a doubt take as long as the provider does, and nobody waits."""
        came: dict[int, str] = {}
        for call in await self.run.ledger.write(calls.calls_to_heed, self._rescuing):
            if call.job_id not in self.run.made_as or call.provider not in self.run.sessions:
                continue  # for a run that has the job and the key
            if call.state is AttemptState.IN_DOUBT:
                self._rescuing[call.seq] = self.run.begin(self._settle(call))
            elif (what := self._heed(call)) is not None:
                came[call.seq] = what
        if came:
            await self.run.ledger.write(calls.mark_heeded, came)

    async def settled(self) -> None:
        """Return when every doubt that somebody has called about was asked about."""
        while self._rescuing:
            await asyncio.wait(set(self._rescuing.values()))

    async def _settle(self, call: CallOfJob) -> None:
        try:
            if (came := await self._rescue(call)) is not None:
                await self.run.ledger.write(calls.mark_heeded, {call.seq: came})
        finally:
            del self._rescuing[call.seq]

    def _heed(self, call: CallOfJob) -> Came | None:
        """Do what a call asks for. None: it is kept, for the next look."""
        session, profile = self.run.sessions[call.provider], self.run.sessions[call.provider].provider.profile
        if call.state in (AttemptState.CLAIMED, AttemptState.SENDING):
            return None  # the answer to the order is still to come
        if call.known_id is not None and call.named_id not in (None, call.known_id) and profile.repeats_id:
            self._odd(call, f"names {call.named_id}, which is not its job {call.known_id}; it is not followed")
            return Came.STRANGE
        if call.status in ACCEPTED and call.status is not JobStatus.READY and call.state is AttemptState.ACCEPTED:
            if call.has_ended is False:
                return Came.PROGRESS
            assert call.known_id is not None
            session.poller.call(call.known_id, call.link)
            return Came.WOKE
        if call.state is not AttemptState.ACCEPTED and call.has_ended and call.link and call.named_id:
            words = f"says that {call.named_id} has a clip, which this ledger has given up: it may still be had there"
            self._odd(call, words)
        return Came.LATE

    async def _rescue(self, call: CallOfJob) -> Came | None:
        """Adopt the id that a call names, if the provider knows it under our key and it is what was ordered."""
        run, job = self.run, self.run.job(call.job_id)
        provider = run.sessions[call.provider].provider
        if call.account != provider.account:
            return None  # for a run with that key
        if call.named_id is None:
            self._odd(call, "names no job, so the doubt about it stays")
            return Came.STRANGE
        owner = await run.ledger.write(owner_at_provider, job.id, call.named_id)
        if owner is not None:
            self._odd(call, f"names {call.named_id}, which is what {owner} was bought as; the doubt stays")
            return Came.STRANGE
        remote = provider.remote_named(call.named_id, job.order)
        try:
            progress = await provider.check(remote)
        except ReelbatchError as error:
            self._tries[call.seq] = self._tries.get(call.seq, 0) + isinstance(error, UnknownJob)
            if self._tries[call.seq] < _TRIES:
                return None
            self._odd(call, f"names {call.named_id}, which {call.provider} does not know; the doubt stays")
            return Came.STRANGE
        if (why := unlike(job.order, progress)) is not None:
            self._odd(call, f"names {call.named_id}, which is {why}; the doubt stays")
            return Came.STRANGE
        change = await run.record(job, Adopted(remote, BY_CALLBACK))
        if not change.changed:
            return Came.LATE
        run.sessions[call.provider].poller.call(remote.id, call.link)
        if (rescue := self._rescues.get(job.id)) is not None and not rescue.done():
            rescue.set_result(change)
        else:
            self._adopted.append(job)
        return Came.ADOPTED

    def _odd(self, call: CallOfJob, words: str) -> None:
        self.run.emit_rarely(f"odd call {call.seq}", CallbackOdd(call.job_id, words))

    async def follow(self) -> None:
        """Look into the inbox whenever something has come, until this is cancelled."""
        news = asyncio.create_task(self._hear())
        try:
            while True:
                await self._bell.wait()
                self._bell.clear()
                try:
                    await self.look()
                except LedgerOwned:
                    return
                except ReelbatchError as error:
                    log.warning("Callbacks cannot be looked at now: %s", error)
        finally:
            news.cancel()
            with suppress(asyncio.CancelledError):
                await news

    async def _hear(self) -> None:
        async with aclosing(news_of(self.run.ledger.place, calls.CHANNEL)) as news:
            async for _ in news:
                self._bell.set()

    async def remember(self) -> None:
        """Know which jobs an earlier run has given an address for."""
        self._expected |= await self.run.ledger.write(calls.still_expected)


def _say_silent(run: Run, provider: str, missed: int) -> None:
    run.emit_rarely(f"no calls of {provider}", CallbacksSilent(provider, missed))


def unlike(order: Order, progress: Progress) -> str | None:
    """Say how a job at a provider differs from an order, as far as its status tells; None: it may well be it."""
    if progress.seconds is not None and order.seconds is not None and progress.seconds != order.seconds:
        return f"{progress.seconds:g} s long, where {order.seconds} s were ordered"
    if progress.size is not None and order.pixels() is not None and progress.size != order.size:
        return f"{progress.size} large, where {order.size} was ordered"
    return None


def chosen_callbacks(
    *, url: str | None, listen: str | None, insecure: bool, delivery: str, rehearse: bool
) -> CallbackSettings | None:
    """Put together what the command line and the batch file say of callbacks. None: nobody is to call.

    Raises:
        SetupError: an address is none, or would give tokens away, or there is none to give to providers.
    """
    if url is None and listen is None:
        if delivery != "callback":
            return None
        if not rehearse:
            raise SetupError(
                "The batch says `delivery: callback`, and nobody has said where providers can call: give --callback-url, "
                "with --callback-listen HOST:PORT or beside `reelbatch callbacks` (docs/callbacks.md). Nothing was sent."
            )
        listen = "127.0.0.1:0"
    if url is not None:
        return CallbackSettings(check_public_url(url, insecure=insecure), listen, insecure)
    if not rehearse:
        raise SetupError(
            "--callback-listen says where this run listens; --callback-url must say where providers call, such as the "
            "https address of the tunnel or proxy that leads there. Nothing was sent."
        )
    return CallbackSettings(None, listen, insecure)


@asynccontextmanager
async def called_back(
    run: Run, settings: CallbackSettings | None, environment: Mapping[str, str]
) -> AsyncIterator[None]:
    """Let a run be called back for the length of the block; what came while none ran is heeded first.

    Raises:
        SetupError: nobody can listen there, or a key or secret is none.
    """
    known = await run.ledger.write(calls.is_anybody_to_call)
    if settings is None and not known:
        yield
        return
    place = run.ledger.place
    ledger_id = await run.ledger.write(bought.ledger_id)
    keys = await asyncio.to_thread(keys_for, place, environment)
    await asyncio.to_thread(register_campaign, place, ledger_id)
    secrets = secrets_of(environment)
    found = RunCallbacks(run, ledger_id, keys, signed=frozenset(secrets))
    async with AsyncExitStack() as stack:
        if settings is not None and settings.listen is not None:
            # Few runs are called, and it loads a web server.
            from pipelines.callbacks.listener import listener_on, listening  # noqa: PLC0415
            from pipelines.callbacks.receiver import Receiver  # noqa: PLC0415

            counts = found.receiver = ReceiverCounts()
            receiver = Receiver(keys, OwnInbox(run.ledger, ledger_id, found.ring), counts, secrets, answers_of(run))
            listener = listener_on(settings.listen, "--callback-listen", insecure=settings.insecure)
            stack.callback(listener.close)
            port = await stack.enter_async_context(listening(receiver, listener))
            found.public_url = settings.public_url or f"http://127.0.0.1:{port}"
        elif settings is not None:
            found.public_url = settings.public_url
        run.callbacks = found
        for name, session in run.sessions.items():
            session.poller.silent = partial(_say_silent, run, name)
        await found.remember()
        await found.look()
        await found.settled()
        found.take_adopted()  # they are among the jobs of the run now
        following = asyncio.create_task(found.follow())
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            run.progress.calls_turned_away = found.turned_away()


def without_callbacks(run: Run) -> tuple[str, ...]:
    """The providers that cannot call back for the jobs of a run."""
    modes = {(job.order.provider, job.order.mode) for job in run.jobs()}
    profiles = {name: session.provider.profile for name, session in run.sessions.items()}
    silent = {name for name, mode in modes if not profiles[name].calls_back(mode)}
    return tuple(sorted(silent - secrets_of(os.environ).keys()))


def answers_of(run: Run) -> dict[str, str]:
    """The bodies with which providers want their calls to be acknowledged."""
    profiles = (session.provider.profile for session in run.sessions.values())
    return {profile.name: profile.callback_answer for profile in profiles if profile.callback_answer}
