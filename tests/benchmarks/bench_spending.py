"""What the caps of a day and a month cost each order, on SQLite: CPU and writes, beside the same without caps.

Reserve, accept, done, as a run does it, 50 at once, with few and with many earlier prices of the month in the book.
`make bench-spending` prints one table; asserts nothing.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from pipelines.core.job import Job, Order, RemoteJob
from pipelines.core.outcome import Accepted, Done
from pipelines.core.text.times import utc_text
from pipelines.ledger import attempts, outcomes, registration
from pipelines.ledger.ledger import Ledger
from pipelines.ledger.spending import Cap, Payer, Period, SpendingEntry, follow
from pipelines.ledger.spending_book import SpendingBook

ORDERS = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
AT_ONCE = 50
CAPS = (Cap(Period.DAY, Decimal(10**9), "USD"), Cap(Period.MONTH, Decimal(10**9), "USD"))
END = {"completed_at": datetime(2026, 1, 1, tzinfo=UTC), "url_expires_at": None}


def job(number: int) -> Job:
    order = Order(provider="openai", mode="video", model="sora-2", prompt=f"a cat {number}", seconds=4, size="1280x720")
    price = {"cost_estimated": Decimal("0.40"), "currency": "USD"}
    return Job(id=f"r{number}", row=number, campaign="bench", order=order, filename=f"{number}.mp4", **price)


def written() -> tuple[int, int]:
    """How often this process has written, and how many bytes went towards the disk."""
    lines = Path("/proc/self/io").read_text().splitlines()
    said = {name: int(value) for name, _, value in (line.partition(": ") for line in lines)}
    return said["syscw"], said["write_bytes"]


async def measured(folder: Path, caps: tuple[Cap, ...] | None, earlier: int) -> tuple[float, float, float, float]:
    """Milliseconds of CPU and of time, writes and kilobytes of an order; caps None: without a book."""
    jobs = [job(number) for number in range(1, ORDERS + 1)]
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(Ledger(folder / "ledger.sqlite3"))
        given = {"campaign": "bench", "path": Path("b.csv"), "source_sha256": "s"}
        await ledger.write(registration.register, jobs, **given)
        book = None
        if caps is not None:
            book = await stack.enter_async_context(SpendingBook(ledger, folder / "book.sqlite3", "bench", caps))
            now = utc_text()
            before = [SpendingEntry(str(uuid4()), 1, "USD", 400_000, "spent", now) for _ in range(earlier)]
            await book._write(follow, Payer("another", "elsewhere", "another"), before)
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(planned: Job) -> None:
            async with gate:
                reserve = ledger.write(outcomes.reserve, planned, "a", None)
                if book is not None:
                    reserve.close()
                    reserve = book.reserve(planned, "a", None)
                claim = (await reserve).claim
                assert claim is not None
                await ledger.write(attempts.mark_sending, claim)
                await ledger.write(outcomes.record, planned.id, Accepted(RemoteJob(f"p-{planned.id}", "video")), claim)
                await ledger.write(outcomes.record, planned.id, Done(output={"path": "a"}, flags=(), **END))
                if book is not None:
                    await book.note([planned.id])

        wall, cpu, (writes, size) = time.monotonic(), time.process_time(), written()
        await asyncio.gather(*map(one, jobs))
        wall, cpu, now_written = time.monotonic() - wall, time.process_time() - cpu, written()
    each = 1000 / ORDERS
    return cpu * each, wall * each, (now_written[0] - writes) / ORDERS, (now_written[1] - size) / ORDERS / 1024


async def main() -> None:
    print(f"{ORDERS:,} orders, {AT_ONCE} at once            CPU ms  wall ms  writes       KB   (of each order)")
    for name, caps, earlier in [
        ("without a book", None, 0),
        ("a book, no caps", (), 0),
        ("a book, day and month", CAPS, 0),
        ("the same, 10,000 before", CAPS, 10_000),
        ("the same, 100,000 before", CAPS, 100_000),
    ]:
        with tempfile.TemporaryDirectory(prefix="reelbatch-spending-") as folder:
            found = await measured(Path(folder), caps, earlier)
        print(f"{name:36} {found[0]:8.2f} {found[1]:8.2f} {found[2]:7.1f} {found[3]:8.1f}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
