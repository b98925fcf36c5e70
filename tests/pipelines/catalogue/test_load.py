from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pandas.testing import assert_frame_equal
from sqlalchemy import Boolean, Integer, insert

from pipelines.catalogue import load_manifest
from pipelines.catalogue.frame import catalogue_frame
from pipelines.catalogue.manifest import write_manifest
from pipelines.catalogue.manifest_row import manifest_row
from pipelines.core.errors import LedgerError
from pipelines.core.job import Job, Order
from pipelines.ledger.ledger import Ledger, LedgerReader, ledger_in
from pipelines.ledger.snapshot import Snapshot
from pipelines.ledger.storage.schema import attempt, job

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def rows(make_row):
    return [
        make_row(
            submitted_at=NOON.replace(microsecond=250_000),
            cost_estimated=Decimal("0.123456"),
            cost_actual=Decimal("0.40"),
            params={"seconds": 4},
            flags=("no_audio", "also:b.mp4"),
            tags=("x",),
            duration_s=4.02,
            width=1280,
            has_audio=True,
            own={"market": "DE", "status": "hot"},
        ),
        make_row(id="a-2", status="failed", billed="unknown", own={"market": ""}),
    ]


def columns_of(planned: Job, position: int) -> dict[str, object]:
    """What the ledger keeps of a job, whatever else it keeps."""
    empty = {c.name: 0 if isinstance(c.type, Integer | Boolean) else "" for c in job.c if not c.nullable}
    known = {"id": planned.id, "position": position, "plan": planned.model_dump_json(), "in_batch": True}
    return (
        empty
        | known
        | {
            "status": "done",
            "billed": "yes",
            "downloaded_at": "2026-11-21T12:00:00.250Z",
        }
    )


def paid_for(made: Job) -> dict[str, object]:
    """A submission that is paid for."""
    empty = {c.name: 0 if isinstance(c.type, Integer | Boolean) else "" for c in attempt.c if not c.nullable}
    price = {"cost_micros": 400_000, "currency": "USD", "bucket": "spent"}
    return empty | price | {"id": made.id, "job_id": made.id, "state": "accepted"}


@pytest.mark.parametrize("place", ["", "rehearsal"])
def test_the_manifest_is_the_table_again(tmp_path, rows, place):
    """From JSON lines and from Parquet comes what was written, type by type; a rehearsal's too."""
    frame = catalogue_frame(rows, ["market", "status"])
    folder = tmp_path / place
    folder.mkdir(exist_ok=True)
    write_manifest(folder, rows, ["market", "status"])

    assert_frame_equal(load_manifest(tmp_path), frame)
    (folder / "manifest.jsonl").unlink()
    assert_frame_equal(load_manifest(str(tmp_path)), frame)


async def test_the_ledger_goes_before_the_manifest(tmp_path):
    """A folder's table is the same with its ledger, also while a run holds it, and without; the file's order counts."""
    order = Order(provider="qiniu", model="sora-2", prompt="\u2028 =1", seconds=4, extra={"seed": 7})
    owns = [{"market": "DE", "status": "hot"}, {"mood": "calm", "market": "FR"}]
    jobs = [
        Job(
            id=f"a-{n}",
            row=n,
            campaign="spring",
            order=order,
            filename=f"{n}.mp4",
            own=own,
            tags=("t",),
            currency="USD",
        )
        for n, own in enumerate(owns, 1)
    ]
    async with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        await ledger.write(lambda c: c.execute(insert(job), [columns_of(one, n) for n, one in enumerate(jobs)]))
        await ledger.write(lambda c: c.execute(insert(attempt), [paid_for(one) for one in jobs]))
        young = load_manifest(tmp_path)
    assert list(young.columns[-3:]) == ["market", "own_status", "mood"]

    columns = ["mood", "never", "market", "own_status"]
    records = LedgerReader(ledger_in(tmp_path)).read(Snapshot)
    write_manifest(tmp_path, map(manifest_row, records), ["mood", "never", "market", "status"])
    with_ledger = load_manifest(tmp_path)
    (tmp_path / "ledger.sqlite3").unlink()
    without = load_manifest(tmp_path)

    assert list(with_ledger.columns[-4:]) == columns
    assert with_ledger["cost_actual"].sum() == Decimal("0.8")
    assert_frame_equal(with_ledger, without)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.jsonl", b'{"id": '),
        ("manifest.jsonl", b'{"id": "a"}\n'),
        ("manifest.parquet", b"PAR1"),
        ("nothing", b""),
    ],
)
def test_a_folder_without_either_says_so(tmp_path, name, content):
    """Where there is neither ledger nor manifest, or a broken one, the error names the place."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LedgerError, match=str(tmp_path)):
        load_manifest(tmp_path)
