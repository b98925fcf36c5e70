"""docs/examples/every-mode.yaml, rehearsed from the command line: everything that the shipped providers can do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipelines.batch import read_batch
from pipelines.core.image import is_local
from pipelines.providers.profile.load import shipped_profiles

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
BATCH = read_batch(EXAMPLES / "every-mode.yaml")
COMMAND = ["run", "docs/examples/every-mode.yaml", "--rehearse"]  #: as the README has it
ORDERS = {job.id: job.order for job in BATCH.jobs}


def test_every_kind_of_order_is_in_it():
    """Text, image, several images, a local file, a character, V2, a chain of remixes, Veo, Kling, every provider."""
    modes = {(order.provider, order.mode) for order in ORDERS.values()}
    assert {provider for provider, _ in modes} == set(shipped_profiles())
    assert {
        ("acedata", "v1"),
        ("acedata", "v2"),
        ("qiniu", "video"),
        ("qiniu", "veo"),
        ("qiniu", "kling-v2-6"),
    } <= modes
    assert any(shipped_profiles()[provider].contract_of(mode) == "fal" for provider, mode in modes)
    pictures = [order.image_urls for order in ORDERS.values()]
    assert any(len(each) > 1 for each in pictures)
    assert sum(is_local(reference) for each in pictures for reference in each) >= 3
    assert any(order.character_url for order in ORDERS.values())
    assert any(job.fallbacks for job in BATCH.jobs)
    parents = {job.id: job.parent for job in BATCH.jobs if job.parent}
    assert parents == {"dusk": "noon", "night": "dusk"}


@pytest.fixture
def rehearsed(run_here, tmp_path):
    """How the rehearsal ended, and its folder."""
    shutil.copytree(EXAMPLES, tmp_path / "docs" / "examples")
    ended = run_here(*COMMAND, "--speed", 2000, "--out", "out", "--json")
    return ended, tmp_path / "out" / "rehearsal"


@pytest.mark.long
def test_all_of_it_is_done(rehearsed, manifest):
    """Every row comes home, as long and as large as it was ordered, and a remix is made of its parent's clip."""
    ended, folder = rehearsed
    assert (ended.code, ended.json["counts"]) == (0, {"done": len(ORDERS)})
    rows = manifest(folder)
    assert {row["status"] for row in rows.values()} == {"done"}
    assert {job_id: row["flags"] for job_id, row in rows.items() if row["flags"]} == {}
    assert all((folder / row["path"]).stat().st_size == row["bytes"] for row in rows.values())
    assert (rows["night"]["width"], rows["night"]["height"]) == (rows["noon"]["width"], rows["noon"]["height"])
