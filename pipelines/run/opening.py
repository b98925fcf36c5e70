"""Opening a run: everything that it needs is checked, then opened in order, and closed in reverse."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path

from pipelines.batch import Batch
from pipelines.core.errors import ReelbatchError, SetupError
from pipelines.core.status import ACCEPTED
from pipelines.ledger import registration, views
from pipelines.ledger.attempts import Budget
from pipelines.ledger.ledger import LEDGER_NAME, Ledger
from pipelines.ledger.storage.sqlite import ledger_path
from pipelines.net.addresses import Origin
from pipelines.net.http import Http
from pipelines.providers.client import Client
from pipelines.run.accounts import Account, accounts_of, accounts_to_collect, rehearsed, sandbox_options
from pipelines.run.options import RunOptions
from pipelines.run.progress import Tally, watched_tally
from pipelines.run.provider_session import Allowance, Lane, Pace
from pipelines.run.run import Run, current_run


def output_folder(batch: Batch, options: RunOptions) -> Path:
    """Where a run puts everything: `--out`, the batch file's `output.dir`, or `outputs/<name>`; rehearsals apart."""
    folder = options.out or batch.output.dir or Path("outputs") / batch.name
    return (folder / "rehearsal" if options.rehearse else folder).absolute()


def check_setup(batch: Batch, options: RunOptions) -> None:
    """What can be known to be missing before anything is started.

    Raises:
        SetupError: a key is missing, an address is none, `only` names unknown ids, the ledger or the rehearsal cannot
            be as asked for.
    """
    _check_only(batch, options)
    accounts_of(batch, options)
    folder = output_folder(batch, options)
    ledger_of(folder, options)
    if options.rehearse:
        sandbox_options(folder, options)


@asynccontextmanager
async def open_run(batch: Batch, options: RunOptions) -> AsyncIterator[Run]:
    """Everything that a run needs, opened in order and closed in reverse.

    Raises:
        BatchError: a row that was bought already asks for something else now, or `only` names unknown ids.
        SetupError: a key is missing, the folder cannot be used, another run owns it.
    """
    tally = watched_tally.get() or Tally()
    if tally.begun is not None:
        tally.begun()
    folder = output_folder(batch, options)
    _check_only(batch, options)
    accounts = accounts_of(batch, options)
    async with AsyncExitStack() as stack:
        _make_folders(folder)
        ledger = await stack.enter_async_context(Ledger(ledger_of(folder, options), folder=folder))
        await ledger.write(
            registration.enrol, batch.jobs, campaign=batch.name, path=batch.path, source_sha256=batch.source_sha256
        )
        standing, orphans = await ledger.write(views.standings), await ledger.write(views.orphans)
        made_as = {job.id: job for job in (*batch.jobs, *orphans)}
        made_as |= {job.id: job for job in await ledger.write(views.turned) if job.id in made_as}
        waiting = [job for job in made_as.values() if standing[job.id].status in ACCEPTED]
        accounts += accounts_to_collect(waiting, accounts, batch.profiles, options, say=tally.say)
        if options.rehearse:
            accounts = await rehearsed(stack, accounts, folder, options)
        http = await stack.enter_async_context(Http())
        stop = asyncio.Event()
        run = Run(
            batch=batch,
            options=options,
            folder=folder,
            ledger=ledger,
            http=http,
            lanes=_lanes(batch, options, accounts, http, stop),
            budget=_budget(batch, options),
            standing=standing,
            orphans=orphans,
            made_as=made_as,
            tally=tally,
            stop=stop,
            time_scale=options.speed if options.rehearse else 1.0,
        )
        await _fill_tally(run)
        _tell_who_never_calls(run)
        async with _current(run):
            yield run


@asynccontextmanager
async def _current(run: Run) -> AsyncIterator[None]:
    """The run that tasks find; at its end the tally says how it went."""
    token = current_run.set(run)
    bug = True
    try:
        yield
        bug = False
    except ReelbatchError as error:
        bug = False
        run.end(error)
        raise
    finally:
        current_run.reset(token)
        await run.settle()
        run.tally.interrupt = None
        run.tally.exit_code = None if bug else run.exit_code()
        run.tally.status_requests = sum(lane.watch.requests for lane in run.lanes.values())
        run.tally.reasons = tuple(str(reason) for reason in run.reasons())


def _lanes(
    batch: Batch, options: RunOptions, accounts: Iterable[Account], http: Http, stop: asyncio.Event
) -> dict[str, Lane]:
    """A lane for each provider; those of one account share what it may have at once."""
    groups: dict[object, list[Account]] = defaultdict(list)
    for account in accounts:
        shared = account.profile.limits.shared
        groups[(shared, Origin.of(account.base_url), account.key) if shared else account.profile.name].append(account)
    lanes: dict[str, Lane] = {}
    for group in groups.values():
        pace = _pace(batch, options, group[0])
        allowance = Allowance.of(pace, [account.profile.limits for account in group], stop)
        for account in group:
            own = _pace(batch, options, account)
            lanes[account.profile.name] = Lane(_client(http, account), own, stop, allowance)
    return lanes


def _client(http: Http, account: Account) -> Client:
    return Client(http, account.profile, account.base_url, account.key, account=account.name, trusted=account.trusted)


def _pace(batch: Batch, options: RunOptions, account: Account) -> Pace:
    """The command line wins over the batch file, which wins over the profile."""
    limits = batch.limits
    per_minute = options.per_minute or limits.per_minute
    return Pace(
        in_flight=options.in_flight or limits.in_flight,
        per_minute=float(per_minute) if per_minute else None,
        poll_every_s=options.poll_every or (float(limits.poll_every) if limits.poll_every else None),
        time_scale=options.speed if options.rehearse else 1.0,
        patience_s=options.wait_for_provider,
        vendor_links=options.rehearse or not account.elsewhere,
        vendor_limits=options.rehearse or not account.trusted,
    )


def _budget(batch: Batch, options: RunOptions) -> Budget | None:
    most = options.budget if options.budget is not None else batch.budget.max
    if most is None:
        return None
    currencies = {job.currency for job in batch.jobs if job.currency}
    return Budget(most, batch.budget.currency or (currencies.pop() if len(currencies) == 1 else "USD"))


def _check_only(batch: Batch, options: RunOptions) -> None:
    unknown = sorted(set(options.only) - {job.id for job in batch.jobs})
    if unknown:
        raise SetupError(f"--only names {', '.join(unknown)}, which {batch.path.name} does not have.")


def ledger_of(folder: Path, options: RunOptions) -> Path:
    """The file of the ledger: `--ledger`, or in the folder; a rehearsal always has its own."""
    if options.ledger and not options.rehearse:
        return ledger_path(options.ledger)
    return folder / LEDGER_NAME


def _make_folders(folder: Path) -> None:
    try:
        for name in ("videos", "thumbs"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"The output folder {folder} cannot be made ({error.strerror}). Choose another --out."
        ) from None


def _tell_who_never_calls(run: Run) -> None:
    """Say for which providers `--callback-url` is of no use."""
    modes = {(job.order.provider, job.order.mode) for job in run.jobs()} if run.options.callback_url else set()
    profiles = {name: lane.provider.profile for name, lane in run.lanes.items()}
    silent = sorted({name for name, mode in modes if profiles[name].callback_field_of(mode) is None})
    if silent:
        run.tally.say(f"{', '.join(silent)}: these jobs cannot call back; they are asked about, as always.")


async def _fill_tally(run: Run) -> None:
    tally = run.tally
    tally.interrupt = run.interrupt
    tally.counts.clear()  # a flow that is tried again in this process counts anew
    tally.spent.clear()
    ids = {job.id for job in (*run.batch.jobs, *run.orphans)}
    tally.total = len(ids)
    for job_id in ids:
        tally.move(None, run.standing[job_id].status)
    tally.done_before = tally.done
    for balance in (await run.ledger.write(views.overview)).money:
        tally.price(balance.currency, Decimal(balance.committed))
