"""What a person allows to be spent in a day and in a month, over all campaigns; and the book that a run keeps of it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path

from pipelines.batch import Batch
from pipelines.core.errors import LedgerError, SetupError
from pipelines.core.events import IndexUnusable
from pipelines.ledger.ledger import Ledger
from pipelines.ledger.spending import Cap, Period
from pipelines.ledger.spending_book import SpendingBook
from pipelines.pricing.budget import budget_currency
from pipelines.purchases.index import index_path
from pipelines.run.observers import write_log
from pipelines.run.options import RunOptions

#: What a person allows for all campaigns; `--budget-per-day` and `--budget-per-month` say otherwise for one run.
CAPS_BY_ENVIRONMENT = {
    Period.DAY: "REELBATCH_BUDGET_PER_DAY",
    Period.MONTH: "REELBATCH_BUDGET_PER_MONTH",
}


def caps_of(batch: Batch, options: RunOptions, environment: Mapping[str, str] = os.environ) -> tuple[Cap, ...]:
    """Choose the caps of a run over all campaigns: those of the command line; else of batch file and environment the lower.

    Raises:
        SetupError: what the environment says is no amount.
    """
    if options.rehearse:
        return ()
    currency = budget_currency(batch.jobs, batch.budget.currency)
    asked = {Period.DAY: options.budget_per_day, Period.MONTH: options.budget_per_month}
    of_file = {Period.DAY: batch.budget.per_day, Period.MONTH: batch.budget.per_month}
    found = []
    for period, name in CAPS_BY_ENVIRONMENT.items():
        standing = _amount(name, environment.get(name, ""))
        of_run = asked[period]
        most = [Decimal(str(of_run))] if of_run is not None else [of_file[period], standing]
        if known := [each for each in most if each is not None]:
            found.append(Cap(period, min(known), currency))
    return tuple(found)


def book_path() -> Path:
    """Where the book of the user of this machine is: beside the index of purchases."""
    index = index_path()
    return index.with_name(f"{index.stem}.spending{index.suffix}")


@asynccontextmanager
async def open_book(ledger: Ledger, batch: Batch, options: RunOptions) -> AsyncIterator[SpendingBook | None]:
    """Open the book of spending for a run. None: nothing of it is paid, or there is no book and no cap that needs it.

    Raises:
        LedgerError: there is a cap, and the book cannot be used: nothing may be bought.
        SetupError: a cap is no amount.
    """
    caps = caps_of(batch, options)
    async with AsyncExitStack() as stack:
        book = None
        if not options.rehearse:
            try:
                book = await stack.enter_async_context(SpendingBook(ledger, book_path(), batch.name, caps))
            except LedgerError as error:
                if caps:
                    raise
                write_log(IndexUnusable(error))
        yield book


async def bring_book_up(ledger: Ledger, batch: Batch, options: RunOptions) -> None:
    """Tell the book what a person has settled in a ledger; nothing of a rehearsal, and nothing fails by it."""
    if options.rehearse:
        return
    try:
        async with SpendingBook(ledger, book_path(), batch.name):
            pass
    except LedgerError as error:
        write_log(IndexUnusable(error))


def _amount(name: str, text: str) -> Decimal | None:
    if not text.strip():
        return None
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise SetupError(f"{name}={text.strip()}: Write a number such as 20, without the currency. Nothing was sent.")
    return amount
