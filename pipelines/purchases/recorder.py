"""What a run buys goes into the index as soon as it stands in the ledger, without anybody waiting for it."""

from __future__ import annotations

import asyncio

from pipelines.core.errors import LedgerError
from pipelines.ledger.ledger import Ledger
from pipelines.purchases.reconciliation import Buyer, purchases_of


class PurchaseRecorder:
    """Appends the purchases of one run to the index, those that come together in one go.

    Args:
        ledger: open; what is appended is read from it.
        buyer: who buys, where.
    """

    def __init__(self, ledger: Ledger, buyer: Buyer) -> None:
        self._ledger = ledger
        self._buyer = buyer
        self._waiting: set[str] = set()
        self._turn = asyncio.Lock()
        self._failed = False

    async def note(self, job_id: str) -> LedgerError | None:
        """Bring the index up to what the ledger says of a job.

        Returns:
            Why it cannot be written, the first time only: the next run appends what is missing, from the ledger.
        """
        self._waiting.add(job_id)
        async with self._turn:
            wanted, self._waiting = self._waiting, set()
            if not wanted or self._failed:
                return None
            try:
                found = await self._ledger.write(lambda each: purchases_of(each, wanted, self._buyer.at(each)))
                await asyncio.to_thread(self._buyer.index.put, found)
            except LedgerError as error:
                self._failed = True
                return error
            return None
