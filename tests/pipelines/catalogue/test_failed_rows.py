from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.batch import Batch, read_batch
from pipelines.catalogue.done_copy import write_failed_rows
from pipelines.catalogue.failed_rows import failed_rows
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger.views import JobRecord
from pipelines.providers.profile.load import shipped_profiles

NOTHING = dict.fromkeys(
    [
        *("trace_id", "submitted_at", "completed_at", "downloaded_at", "url_expires_at", "output"),
        *("error_code", "error_message", "failed_stage"),
    ]
)
USUAL = {"in_batch": True, "attempts": 1, "flags": (), "billed": Billed.NO}


@pytest.fixture
def planned(tmp_path):
    """Reads a text as a batch file of the given kind."""

    def reader(text: str, kind: str = "yaml", **more) -> Batch:
        path = tmp_path / f"spring.{kind}"
        path.write_text(text, "utf-8")
        return read_batch(path, **more)

    return reader


def records_of(batch: Batch, **statuses: JobStatus | dict) -> list[JobRecord]:
    """What became of the jobs of a batch: they are done but for those that are named."""
    found = []
    for job in batch.jobs:
        said = statuses.get(job.id, JobStatus.DONE)
        more = said if isinstance(said, dict) else {"status": said}
        if more["status"] is JobStatus.SKIPPED:
            more = {"error_code": "parent_failed", **more}
        found.append(JobRecord(**NOTHING | USUAL | {"job": job, "provider_job_id": f"video_{job.id}0123456789"} | more))
    return found


def again(batch: Batch, records: list[JobRecord], folder: Path) -> Batch:
    """The batch that `failed.csv` is, read with no more than itself."""
    out = folder / "out"
    out.mkdir(exist_ok=True)
    path = write_failed_rows(out, *failed_rows(batch, records), batch.table.dialect)
    assert path is not None
    return read_batch(path)


def bought(batch: Batch, *ids: str) -> list[tuple]:
    """What jobs of a batch are and cost."""
    return [
        (job.id, job.order.fingerprint(), job.cost_estimated, job.filename, job.tags, job.campaign, job.fallbacks)
        for job in batch.jobs
        if not ids or job.id in ids
    ]


@pytest.mark.parametrize("status", JobStatus)
def test_only_what_has_surely_ended_can_be_ordered_again(planned, status):
    """A row that is parked, in doubt, under way or paid for is no row to buy once more."""
    batch = planned("id,prompt\nfox,A fox\n", "csv", provider="qiniu")

    _, rows = failed_rows(batch, records_of(batch, fox={"status": status}))

    ended = status in {JobStatus.REJECTED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.SKIPPED}
    assert len(rows) == (1 if ended and status is not JobStatus.SKIPPED else 0)


@pytest.mark.parametrize(
    "said",
    [
        {"status": JobStatus.FAILED, "failed_stage": "download", "billed": Billed.YES},
        {"status": JobStatus.FAILED, "in_batch": False},
        {"status": JobStatus.SKIPPED, "error_code": None},
    ],
)
def test_what_was_made_or_is_not_wanted_is_not_ordered_again(planned, said):
    """A clip that was paid for and lost, a row that has left the file, and one that is switched off stay out."""
    batch = planned("id,prompt\nfox,A fox\n", "csv", provider="qiniu")

    assert failed_rows(batch, records_of(batch, fox=said))[1] == []


def test_a_child_is_with_its_parent_or_not_at_all(planned):
    """What was skipped for its parent's sake is ordered again only where the parent is."""
    text = "id,prompt,remix_of\na,A fox,\nb,Blue,a\nc,Calm,b\n"
    batch = planned(text, "csv", provider="openai")
    skipped = {"b": JobStatus.SKIPPED, "c": JobStatus.SKIPPED}

    for status, ids in ((JobStatus.FAILED, ["a", "b", "c"]), (JobStatus.EXPIRED, []), (JobStatus.IN_DOUBT, [])):
        header, rows = failed_rows(batch, records_of(batch, a=status, **skipped))
        assert [row.cells[header.index("id")] for row in rows] == ids


def test_what_failed_of_a_yaml_batch_stands_for_itself(planned, tmp_path):
    """Defaults, preset, matrix, templates, takes, lists and fallbacks: the very same orders, and no others."""
    batch = planned(
        """
name: launch
provider: acedata
fallback: ["qiniu:sora-2"]
defaults: {seconds: 8, tags: [hero, "two words"], takes: 2, campaign: spring, mood: calm}
presets:
  tall: {orientation: portrait}
matrix: {city: [Rome, Oslo]}
output: {filename: "{{ city }}/{{ id }}"}
jobs:
  - {id: fox, prompt: "A {{ mood }} fox in {{ city }}", preset: tall}
  - {id: bee, prompt: A bee, size: 1280x720, model: sora-2-pro}
  - {prompt: "=1+1 cats", mood: wild}
"""
    )
    failed = [job.id for job in batch.jobs][1::2]

    batch_again = again(batch, records_of(batch, **dict.fromkeys(failed, JobStatus.FAILED)), tmp_path)

    assert bought(batch_again) == bought(batch, *failed)
    assert {job.own["mood"] for job in batch_again.jobs} == {"calm", "wild"}
    assert {job.own["city"] for job in batch_again.jobs} <= {"Rome", "Oslo"}


def test_a_failed_take_is_one_take(planned, tmp_path):
    """A row of three takes of which one failed is not bought three times more."""
    batch = planned("key;prompt;count\nfox;A fox;3\n", "csv", provider="qiniu")

    batch_again = again(batch, records_of(batch, **{"fox-t2": JobStatus.REJECTED}), tmp_path)

    assert bought(batch_again) == [(*one[:5], "spring", one[6]) for one in bought(batch, "fox-t2")]
    assert batch_again.table.header[:3] == ("key", "prompt", "count")


@pytest.mark.parametrize("name", sorted(shipped_profiles()))
def test_a_bare_prompt_is_the_same_purchase_again_at_every_provider(planned, tmp_path, name):
    """What a provider decides by default is written out in words that it reads."""
    batch = planned("id,prompt\nfox,A fox\n", "csv", provider=name)

    assert bought(again(batch, records_of(batch, fox=JobStatus.FAILED), tmp_path)) == bought(batch)


def test_a_local_picture_is_found_from_the_new_folder(planned, tmp_path, make_picture):
    """Paths in the batch file are relative to it, and `failed.csv` lies elsewhere."""
    make_picture(tmp_path / "fox.png")
    batch = planned("id,prompt,image_url,size\nfox,A fox,fox.png,1280x720\n", "csv", provider="openai")

    (job,) = again(batch, records_of(batch, fox=JobStatus.FAILED), tmp_path).jobs

    assert job.order.image_urls[0].startswith(f"file:{tmp_path / 'fox.png'}#sha256=")


def test_a_failed_remix_names_the_clip_that_is_there(planned, tmp_path):
    """Its parent is not made again: the provider's own name of the clip stands for it, where that clip was made."""
    batch = planned("id,prompt,remix_of\na,A fox,\nb,Blue,a\n", "csv", provider="openai")
    records = records_of(batch, b=JobStatus.FAILED)
    moved = batch.jobs[1].model_copy(update={"order": batch.jobs[1].order.model_copy(update={"provider": "litellm"})})

    (job,) = again(batch, records, tmp_path).jobs
    assert (job.order.provider, job.order.remix_of, job.parent) == ("openai", "video_a0123456789", None)
    assert job.cost_estimated == batch.jobs[1].cost_estimated
    header, (row,) = failed_rows(batch, [records[0], replace(records[1], job=moved)])
    assert row.cells[header.index("provider")] == "litellm"


def test_the_users_cells_stay_as_they_are(planned):
    """Their columns come first, in their order and words; ours are added behind them."""
    batch = planned('{"text": " A fox ", "Market": "DE", "duration": "8s"}\n', "jsonl", provider="qiniu")

    header, (row,) = failed_rows(batch, records_of(batch, **{batch.jobs[0].id: JobStatus.FAILED}))

    assert (header[:3], row.cells[:3]) == (("text", "Market", "duration"), (" A fox ", "DE", "8s"))
    assert "seconds" not in header
    assert json.dumps(row.cells)
