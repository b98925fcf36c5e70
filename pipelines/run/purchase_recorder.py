"""What a run buys goes into the index, and its price into the book, once it stands in the ledger; nobody waits for it.

Many jobs in one go cost little more than one: each costs three milliseconds of CPU time alone (`make bench`).
"""

from __future__ import annotations

import asyncio

from pipelines.core.errors import LedgerError
from pipelines.ledger.ledger import Ledger
from pipelines.ledger.spending_book import SpendingBook
from pipelines.pacing.waits import sleep_unless
from pipelines.purchases.reconciliation import Buyer, purchases_of

_TOGETHER_S = 0.25  # in which jobs are collected


class PurchaseRecorder:
    """Brings the index of purchases, and the book of spending, up to what the ledger of one run says.

    Args:
        ledger: open; what is noted is read from it.
        buyer: who buys, where; None: there is no index.
        book: of spending, open; None: there is none.
    """

    def __init__(self, ledger: Ledger, buyer: Buyer | None, book: SpendingBook | None) -> None:
        self._ledger = ledger
        self.buyer = buyer
        self._book = book
        self._behind: dict[str, bool] = {}  # by id, whether the index lacks it as well
        self._at_once = asyncio.Event()
        self._turn = asyncio.Lock()  # an older reading must not overwrite a newer one
        self._ending = False
        self._failed = False

    def note(self, job_id: str, *, bought: bool) -> bool:
        """Remember that the ledger says something new of a job.

        Args:
            job_id: the job.
            bought: it concerns the index, and not the book alone.

        Returns:
            Whether `catch_up` is to be called: nobody has called it for what was noted before.
        """
        first = not self._behind
        self._behind[job_id] = bought or self._behind.get(job_id, False)
        if self._ending:
            self._at_once.set()
        return first

    async def catch_up(self) -> LedgerError | None:
        """Write down what was noted, and what is noted within a moment.

        Returns:
            Why the index cannot be written, the first time only: the next run appends what is missing, from the ledger.
        """
        await sleep_unless(self._at_once, _TOGETHER_S)
        async with self._turn:
            behind, self._behind = self._behind, {}
            self._at_once.clear()
            error = await self._append([job_id for job_id, bought in behind.items() if bought])
            if self._book is not None and behind:
                await self._book.note(behind)
            return error

    def hurry(self) -> bool:
        """Wait for nothing more of what was noted. Returns whether there is anything that is not written yet."""
        self._at_once.set()
        return bool(self._behind) or self._turn.locked()

    def end(self) -> None:
        """Write at once what was noted, and what is noted from now on: the run is at its end."""
        self._ending = True
        self._at_once.set()

    async def _append(self, job_ids: list[str]) -> LedgerError | None:
        buyer = self.buyer
        if buyer is None or self._failed or not job_ids:
            return None
        try:
            found = await self._ledger.write(lambda each: purchases_of(each, job_ids, buyer.at(each)))
            await asyncio.to_thread(buyer.index.put, found)
        except LedgerError as error:
            self._failed = True
            return error
        return None
