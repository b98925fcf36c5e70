from __future__ import annotations

import asyncio
import csv
import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from decimal import Decimal

import httpx
import pytest

from pipelines.batch import read_batch
from pipelines.core.job import RemoteJob
from pipelines.core.money import BUCKETS
from pipelines.core.outcome import (
    Accepted,
    Archived,
    Done,
    Failed,
    FellBack,
    InDoubt,
    Parked,
    Ready,
    Rejected,
    Replaced,
    Resubmitted,
)
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger import attempts, outcomes, registration, settlement
from pipelines.ledger.ledger import Ledger
from pipelines.ledger.storage.place import LEDGER_NAME

END = (JobStatus.FAILED, JobStatus.EXPIRED, JobStatus.CANCELLED)
BAD = Rejected("row", "bad", "no", http_status=400)
#: What becomes of each row: the outcomes after it was sent, one list a submission. Nothing: it was never sent.
STORIES = {
    "planned": [],
    "more": [],
    "skipped": [],
    "submitting": [[]],
    "in_doubt": [[InDoubt("reset")]],
    "waiting": [["accepted"]],
    "ready": [["accepted", Ready()]],
    "done": [["accepted", Done({"path": "videos/x.mp4", "bytes": 1, "sha256": "0"})]],
    "rejected": [[BAD]],
    "failed": [["accepted", Failed("generate", "c", "m", Billed.UNKNOWN)]],
    "free": [["accepted", Failed("generate", "c", "m", Billed.NO)]],
    "parked": [["accepted", Parked("generate", "c", "m")]],
    "expired": [["accepted", Failed("download", "link_ended", "m", Billed.YES, JobStatus.EXPIRED)]],
    "cancelled": [["accepted", Failed("generate", "c", "m", Billed.NO, JobStatus.CANCELLED)]],
    "twice": [[InDoubt("reset"), Resubmitted("ann")], ["accepted", Done({"path": "videos/y.mp4", "bytes": 1, "sha256": "0"})]],
    "fallback": [["fell back"], ["accepted", Done({"path": "videos/z.mp4", "bytes": 1, "sha256": "0"})]],
    "archived": [[InDoubt("reset"), Archived("ann")]],
    "removed": [["accepted", Done({"path": "videos/r.mp4", "bytes": 1, "sha256": "0"})]],
    "replaced": [["accepted", Done({"path": "videos/o.mp4", "bytes": 1, "sha256": "0"}), "redo"]],
}  # fmt: skip
STATUSES = {name for name in STORIES if name in set(JobStatus)}


async def _live(ledger, job, story):
    """Write down what becomes of a job, and give the new take that replaces it, if one does."""
    made = job
    for submission in story:
        claim = (await ledger.write(outcomes.reserve, made, "account-a", None)).claim
        if not await ledger.write(attempts.mark_sending, claim):
            raise AssertionError(job.id)
        for outcome in submission:
            if outcome == "accepted":
                outcome = Accepted(RemoteJob(f"p-{job.id}", made.order.mode), None, 200)  # noqa: PLW2901
            elif outcome == "fell back":
                made = made.fall_back()
                outcome = FellBack(made, "c", "m", BAD)  # noqa: PLW2901
            elif outcome == "redo":
                new = job.model_copy(update={"id": f"{job.id}-r2", "take": 2, "filename": "new.mp4"})
                await ledger.write(settlement.write_word, job.id, Replaced(new, "ann"))
                await _live(ledger, new, STORIES["waiting"])
                continue
            change = await ledger.write(
                outcomes.record, job.id, outcome, claim if isinstance(outcome, Accepted | InDoubt | Rejected | FellBack) else None
            )  # fmt: skip
            assert change.changed, (job.id, outcome)


@pytest.fixture
def campaign(write_batch, tmp_path):
    """A folder whose ledger has a row in every status, at prices that are assumed and prices that are not."""
    providers = [("qiniu", "openai"), ("openai", "qiniu")]
    rows = [
        {"id": name, "prompt": name, "provider": providers[n % 2][0], "fallback": providers[n % 2][1]}
        | ({"enabled": "no"} if name == "skipped" else {"enabled": "yes"})
        for n, name in enumerate(STORIES)
    ]
    batch = read_batch(write_batch(*rows))

    async def live():
        async with Ledger(tmp_path / "out" / LEDGER_NAME) as ledger:
            source = {"campaign": batch.name, "path": batch.path, "source_sha256": batch.source_sha256}
            await ledger.write(registration.register, batch.jobs, **source)
            for job in batch.jobs:
                await _live(ledger, job, STORIES[job.id])

    asyncio.run(live())
    return write_batch(*(row for row in rows if row["id"] != "removed")), tmp_path / "out"


def _by_bucket(text):
    """The amounts of `5.10 USD (2.00 of it assumed), reserved 0.40 (assumed), uncertain 3.40`, with what is assumed."""
    found = {}
    for bucket, pattern in zip(BUCKETS, (r"([\d.]+) USD", r"reserved ([\d.]+)", r"uncertain ([\d.]+)"), strict=True):
        amount, note, part = re.search(pattern + r"( \((?:([\d.]+) of it )?assumed\))?", text).groups()
        found[bucket.value] = (Decimal(amount), Decimal(part or amount) if note else Decimal(0))
    return found


@pytest.mark.long
def test_every_place_shows_the_same_sums(campaign, run_here, cli, provider, prefect_api):
    """Summary, --json, status, manifest, done copy, gallery and Prefect: spent, reserved, uncertain, and what is assumed."""
    batch, out = campaign
    command = ["run", batch, "--out", out, "--only", "more"]
    run = run_here(*command, "--json", **provider.environment())
    said = run_here(*command, **provider.environment())  # with nothing to do, which is another way through
    assert (run.code, said.code) == (4, 4), said.err
    with closing(sqlite3.connect(out / LEDGER_NAME)) as ledger:
        paid = ledger.execute("SELECT bucket, cost_micros, assumed FROM attempt WHERE bucket IS NOT NULL").fetchall()
        kinds = {status for (status,) in ledger.execute("SELECT DISTINCT status FROM job")}
    assert kinds == STATUSES - {"submitting"}  # who was on his way when the process ended is in doubt
    truth = {
        bucket.value: tuple(
            sum((Decimal(micros) / 1_000_000 for name, micros, guess in paid if name == bucket and guess in kind), Decimal(0))
            for kind in ((0, 1), (1,))
        )
        for bucket in BUCKETS
    }  # fmt: skip
    assert all(0 < assumed < amount for amount, assumed in truth.values())

    for known in (run.json, cli("status", out, "--json").json):
        [money] = known["money"]
        assert {b.value: (Decimal(money[b]), Decimal(money["assumed"].get(b, 0))) for b in BUCKETS} == truth
    assert run.json["spent"] == {"USD": str(truth["spent"][0])}
    assert _by_bucket(said.err[said.err.index("Spent ") :]) == truth
    [line] = [line for line in cli("status", out).out.splitlines() if line.startswith("USD: ")]
    assert {
        words.split(" ", 2)[1]: Decimal(words.split(" ")[0]) for words in line.removeprefix("USD: ").split(", ")
    } == {name: amount for name, (amount, _) in truth.items()}

    summed, guessed = Counter[str](), Counter[str]()
    for row in map(json.loads, (out / "manifest.jsonl").read_text("utf-8").splitlines()):
        for bucket, column in zip(BUCKETS, ("cost_actual", "cost_reserved", "cost_uncertain"), strict=True):
            summed[bucket.value] += Decimal(row[column] or 0)
            guessed[bucket.value] += Decimal(row[column] or 0) * (row["cost_basis"] == "assumed")
    assert {name: (summed[name], guessed[name]) for name in summed} == truth

    with (out / "batch.done.csv").open(encoding="utf-8", newline="") as file:
        cells = [row["cost"] for row in csv.DictReader(file)]
    copied = Counter[str]()
    for part in (part.removesuffix(" (assumed)") for cell in cells for part in cell.split("; ") if part):
        what, _, amount = part.rpartition(" ")
        copied[what or "spent"] += Decimal(amount)
    copied["spent"] += Decimal("0.40")  # of the row that was removed: the user's file does not have it
    assert copied == {name: amount for name, (amount, _) in truth.items()}

    head = (out / "gallery.html").read_text("utf-8").partition("<header")[2].partition("</header>")[0]
    for name, (amount, assumed) in truth.items():
        assert f"<b>{amount:.2f} USD ({assumed:.2f} of it assumed)</b> {name}" in head

    every = httpx.post(f"{prefect_api}/artifacts/filter", json={"sort": "CREATED_DESC"}, timeout=30).json()
    summary = next(
        a["description"] for a in every if "gallery.html" in (a["description"] or "") and "Spent" in a["description"]
    )
    assert _by_bucket(summary[summary.index("Spent ") :]) == truth


def test_after_a_kill_status_writes_the_catalogue(campaign, cli):
    """The manifest of a run that was killed is made up for by `status`, without a change of the ledger, and once."""
    _, out = campaign
    first, second = cli("status", out), cli("status", out)
    assert "written anew" in first.err
    assert "written anew" not in second.err
    rows = {row["id"]: row for row in map(json.loads, (out / "manifest.jsonl").read_text("utf-8").splitlines())}
    assert (rows["waiting"]["status"], rows["waiting"]["billed"]) == ("waiting", "unknown")
    assert (rows["submitting"]["status"], rows["submitting"]["billed"]) == ("submitting", "unknown")
    assert (rows["done"]["billed"], rows["twice"]["flags"]) == ("yes", [])
    with closing(sqlite3.connect(out / LEDGER_NAME)) as ledger:
        assert ledger.execute("SELECT epoch FROM owner").fetchall() == [(1,)]


def test_what_is_set_aside_is_hidden(campaign, cli, run_here, provider):
    """A removed row is neither in the counts, nor in `ls` or the gallery; `ls --all` and the manifest have it, marked."""
    batch, out = campaign
    run_here("run", batch, "--out", out, "--only", "done", **provider.environment())
    names, everything = (
        {row["id"]: row["flags"] for row in cli("ls", out, *more, "--json").json} for more in ((), ("--all",))
    )
    assert everything.keys() - names.keys() == {"removed", "archived"}
    assert everything["removed"] == ["removed"]
    assert "1 removed from the batch file (ls --all shows them)" in cli("status", out).out
    page = (out / "gallery.html").read_text("utf-8")
    assert ("videos/r.mp4" in page, "videos/x.mp4" in page) == (False, True)
