"""Opening a run: everything that it needs is checked, then opened in order, and closed in reverse."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from pipelines.batch import Batch
from pipelines.callbacks.listener import listener_on
from pipelines.core.errors import ReelbatchError, SetupError
from pipelines.core.events import NoCallbacks, RowsChanged, RunBegan
from pipelines.core.failpoints import failpoint
from pipelines.core.job import Job
from pipelines.core.status import ACCEPTED
from pipelines.core.text.suggestion import near_name
from pipelines.ledger import registration, views
from pipelines.ledger.attempts import Budget
from pipelines.ledger.balances import balances
from pipelines.ledger.job_state import JobState
from pipelines.ledger.ledger import Ledger, is_begun
from pipelines.ledger.recovery import reopen_expired
from pipelines.ledger.storage.place import SharedLedger, place_remembered
from pipelines.net.http import Http
from pipelines.outputs import unsettled
from pipelines.outputs.storage.object_store import store_of
from pipelines.pacing.limit_server import LimitServer
from pipelines.pricing.budget import budget_currency
from pipelines.providers.client import Client
from pipelines.run.account_limits import in_flight_limit, pace_of, paying_together, submit_limit
from pipelines.run.accounts import Account, accounts_of, accounts_to_collect, trusted_hosts
from pipelines.run.bucket_notes import announce_ledger, ask_bucket
from pipelines.run.buying import buyer_of, is_remembered, reconciled, refuse_repeats, withdraw
from pipelines.run.callbacks import CallbackSettings, called_back, chosen_callbacks, without_callbacks
from pipelines.run.job.collect import settle_what_is_done
from pipelines.run.observers import write_log
from pipelines.run.options import RunOptions
from pipelines.run.output_folder import ledger_of, make_folders, output_folder
from pipelines.run.own_copies import refusal_of_own_copy
from pipelines.run.provider_session import Allowance, ProviderSession
from pipelines.run.purchase_recorder import PurchaseRecorder
from pipelines.run.run import Run, RunContext, run_context
from pipelines.run.selection import choose
from pipelines.run.sharing import Sharing
from pipelines.run.spending import caps_of, open_book


def check_setup(batch: Batch, options: RunOptions, kept: Mapping[str, str] | None = None) -> None:
    """Find what can be known to be missing before anything is started.

    Args:
        batch: the batch.
        options: of the run.
        kept: keys and addresses that count where the environment has no key.

    Raises:
        SetupError: a key is missing, an address is none, `only` names unknown ids, the ledger, the bucket or the rehearsal
            cannot be as asked for, or nobody can listen for callbacks where it is asked for.
    """
    check_only(batch, options)
    accounts_of(batch, options, kept or {})
    trusted_hosts(options)
    caps_of(batch, options)
    folder = output_folder(batch, options)
    store_of(folder)
    if not options.rehearse:
        ask_bucket(folder)
    ledger_of(folder, options, batch.name)
    called = callbacks_of(batch, options)
    if called is not None and called.listen is not None:
        listener_on(called.listen, "--callback-listen", insecure=called.insecure).close()
    if options.rehearse:
        from pipelines.run.rehearsal import sandbox_options  # noqa: PLC0415 - only a rehearsal loads the sandbox

        sandbox_options(folder, options)


@asynccontextmanager
async def open_ledger(
    batch: Batch, options: RunOptions, kept: Mapping[str, str] | None = None
) -> AsyncIterator[Ledger]:
    """Open the ledger of a batch, give it what it has lost, and register the batch in it.

    Raises:
        BoughtBefore: the batch file is what a campaign has written of its rows, and nobody has agreed to buy them again.
        LedgerOwned: another run works on this folder.
        SetupError: the folder or the ledger cannot be used, or they are another campaign's.
    """
    folder = output_folder(batch, options)
    refusal = refusal_of_own_copy(batch, options)
    if refusal is not None and not is_begun(ledger_of(folder, options, batch.name)):
        raise refusal
    make_folders(folder)
    if not options.rehearse:
        await asyncio.to_thread(ask_bucket, folder)
    place, known = ledger_of(folder, options, batch.name), place_remembered(folder, named=options.ledger)
    buyer = None if options.rehearse else buyer_of(batch, options, kept)
    # A ledger that is there needs no other memory, and looking for one reads the whole manifest.
    remembered = buyer is not None and not is_begun(place) and is_remembered(folder, buyer)
    async with Ledger(place, remembered=remembered) as ledger:
        if isinstance(place, SharedLedger) and known is None:
            await ledger.write(registration.check_same_campaign, batch.jobs, place)
        if buyer is not None:
            for event in await ledger.write(reconciled, batch.jobs, buyer):
                write_log(event)
        ledger.remember()
        if not options.rehearse:
            await asyncio.to_thread(announce_ledger, folder)
        await ledger.write(
            registration.register,
            batch.jobs,
            campaign=batch.name,
            path=batch.path,
            source_sha256=batch.source_sha256,
            reading=batch.reading,
        )
        failpoint("batch.registered")
        await ledger.write(reopen_expired, sure_as_well=False)
        if fetched := await asyncio.to_thread(unsettled, folder / "videos"):
            settle_what_is_done(fetched, await ledger.write(views.states))
        yield ledger


def is_work_left(batch: Batch, options: RunOptions, states: Mapping[str, JobState], orphans: Iterable[Job]) -> bool:
    """Tell whether a run would have anything to do: a job to send, to wait for, or to bring home."""
    ids = [job.id for job in batch.jobs]
    asked_for = choose(ids, options.only)[0] if options.only else [*ids, *(job.id for job in orphans)]
    return any(states[job_id].has_work for job_id in asked_for)


@asynccontextmanager
async def open_run(
    batch: Batch,
    options: RunOptions,
    kept: Mapping[str, str] | None = None,
    limits: LimitServer | None = None,
) -> AsyncIterator[Run]:
    """Open everything that a run needs, in order, and close it in reverse.

    Args:
        batch: the batch.
        options: of the run.
        kept: keys and addresses that count where the environment has no key.
        limits: who keeps the limits of the accounts, where other runs share them.

    Raises:
        BatchError: `only` names unknown ids.
        BoughtBefore: rows would be bought that were bought before, and nobody has agreed to that.
        SetupError: a key is missing, the folder cannot be used, another run owns it.
    """
    context = run_context.get() or RunContext()
    if context.begun is not None:
        context.begun()
    async with AsyncExitStack() as stack:
        run = context.ready
        if run is None:
            run = await stack.enter_async_context(ready_run(batch, options, kept, limits))
        run.emit(RunBegan())
        for event in run.first_events:
            run.emit(event)
        if (called := callbacks_of(run.batch, options)) is not None and (silent := without_callbacks(run)):
            run.emit(NoCallbacks(silent))
        async with called_back(run, called, os.environ), _current(run, context):
            yield run
            failpoint("run.ending")


@asynccontextmanager
async def ready_run(
    batch: Batch,
    options: RunOptions,
    kept: Mapping[str, str] | None = None,
    limits: LimitServer | None = None,
) -> AsyncIterator[Run]:
    """Open everything that a run needs but its beginning, as `open_run` does, and raises."""
    context = run_context.get() or RunContext()
    folder = output_folder(batch, options)
    check_only(batch, options)
    accounts = accounts_of(batch, options, kept or {})
    buyer = None if options.rehearse else buyer_of(batch, options, kept)
    async with AsyncExitStack() as stack:
        ledger = context.ledger
        if ledger is None:
            ledger = await stack.enter_async_context(open_ledger(batch, options, kept))
        if (states := context.states) is None:
            states = await ledger.write(views.states)
        context.states = None
        orphans = await ledger.write(views.orphans)
        changed = await ledger.write(views.changed_rows)
        bought = {each.bought.id: each.bought for each in changed}
        if bought:
            batch = replace(batch, jobs=tuple(bought.get(job.id, job) for job in batch.jobs), reading=None)
        named = {job.id for job in batch.jobs}
        orphans = [job for job in orphans if job.id not in named]
        made_as = {job.id: job for job in (*batch.jobs, *orphans)}
        made_as |= {job.id: job for job in await ledger.write(views.fallen_back) if job.id in made_as}
        at_providers = [job for job in made_as.values() if states[job.id].status in ACCEPTED]
        further, out_of_reach = accounts_to_collect(at_providers, accounts, batch.profiles, options, kept or {})
        accounts += further
        if options.rehearse:
            from pipelines.run.rehearsal import rehearsed  # noqa: PLC0415 - only a rehearsal loads the sandbox

            accounts = await rehearsed(stack, accounts, folder, options)
        http = await stack.enter_async_context(Http())
        stop = asyncio.Event()
        sharing = None if limits is None else Sharing(limits, stop)
        book = await stack.enter_async_context(open_book(ledger, batch, options))
        run = Run(
            batch=batch,
            options=options,
            folder=folder,
            ledger=ledger,
            http=http,
            sessions=_sessions(batch, options, accounts, http, stop, sharing),
            budget=budget_of(batch, options),
            states=states,
            orphans=orphans,
            made_as=made_as,
            progress=context.progress,
            observers=context.observers,
            store=store_of(folder),
            recorder=None if buyer is None and book is None else PurchaseRecorder(ledger, buyer, book),
            book=book,
            changed=tuple(each.change for each in changed),
            first_events=((RowsChanged(tuple(each.change for each in changed), folder),) if changed else ())
            + tuple(out_of_reach),
            stop=stop,
            time_scale=options.speed if options.rehearse else 1.0,
        )
        if buyer is not None:
            stack.callback(withdraw, buyer)
            await refuse_repeats(run, buyer)
        here = dict.fromkeys(job.id for job in (*batch.jobs, *orphans))
        run.progress.rehearsed = options.rehearse
        run.progress.begin(
            (states[job_id].status for job_id in here if states[job_id].counts), await ledger.write(balances)
        )
        if sharing is not None:
            await stack.enter_async_context(sharing.kept(run))
        yield run


@asynccontextmanager
async def _current(run: Run, context: RunContext) -> AsyncIterator[None]:
    """Show the run to tasks and to whoever started it; at its end the context says what it came to."""
    token = run_context.set(context)
    context.run, context.result = run, None
    bug = True
    try:
        yield
        bug = False
    except ReelbatchError as error:
        bug = False
        run.end(error)
        raise
    finally:
        run_context.reset(token)
        await run.settle()
        context.run, context.result = None, None if bug else run.result()


def callbacks_of(batch: Batch, options: RunOptions) -> CallbackSettings | None:
    """What is chosen of callbacks, by the command line or the batch file. None: nobody is to call.

    Raises:
        SetupError: an address is none, or there is none to give to providers.
    """
    return chosen_callbacks(
        url=options.callback_url,
        listen=options.callback_listen,
        insecure=options.insecure_callbacks,
        delivery=batch.delivery,
        rehearse=options.rehearse,
    )


def budget_of(batch: Batch, options: RunOptions) -> Budget | None:
    """Choose the cap of a run: that of the command line, else that of the batch file."""
    most = options.budget if options.budget is not None else batch.budget.max
    if most is None:
        return None
    return Budget(most, budget_currency(batch.jobs, batch.budget.currency))


def _sessions(
    batch: Batch,
    options: RunOptions,
    accounts: Iterable[Account],
    http: Http,
    stop: asyncio.Event,
    sharing: Sharing | None,
) -> dict[str, ProviderSession]:
    """Open a session for each provider; those of one account share what it may have at once, with other runs as well."""
    sessions: dict[str, ProviderSession] = {}
    for group in paying_together(accounts):
        pace, limits = pace_of(batch, options, group[0]), [account.profile.limits for account in group]
        slots = None
        if sharing is not None:
            names = [account.profile.name for account in group]
            slots = sharing.slots(in_flight_limit(group, pace), pace.in_flight, names)
        allowance = Allowance.of(pace, limits, stop, slots)
        for account in group:
            own, profile = pace_of(batch, options, account), account.profile
            rate = None
            if sharing is not None:
                asked = None if own.per_minute is None else own.per_minute / 60.0
                rate = sharing.rate(
                    submit_limit(account, own), own.submissions_per_second(profile.limits), asked, profile.name
                )
            client = Client(
                http,
                profile,
                account.base_url,
                account.key,
                account=account.name,
                trusted=account.trusted,
                trust_hosts=trusted_hosts(options),
            )
            sessions[profile.name] = ProviderSession(client, own, stop, allowance, rate)
    return sessions


def check_only(batch: Batch, options: RunOptions) -> None:
    """Look whether the batch has what `--only` names.

    Raises:
        SetupError: it does not.
    """
    if not options.only:
        return
    ids = [job.id for job in batch.jobs]
    _, unknown = choose(ids, options.only)
    if unknown:
        near = near_name(unknown[0], ids)
        raise SetupError(f"--only names {', '.join(unknown)}, which {batch.path.name} does not have. {near}".rstrip())
