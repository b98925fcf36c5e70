from __future__ import annotations

import pytest

from pipelines.actions.refresh import refresh
from pipelines.core.status import JobStatus
from pipelines.run.exit_code import ALL_DONE, SOME_FAILED, UNFINISHED
from pipelines.run.opening import open_ledger
from pipelines.run.options import RunOptions
from pipelines.run.run import RunContext


@pytest.fixture
def refreshed(studio):
    """Ask for a refresh of these jobs; gives whether there was nothing else to do, and the context."""

    async def ask(*jobs, **options):
        batch, chosen, context = studio.batch(jobs), RunOptions(out=studio.folder / "out", **options), RunContext()
        async with open_ledger(batch, chosen) as ledger:
            return await refresh(batch, chosen, ledger, context), context

    return ask


async def test_when_all_is_done_the_catalogue_is_written_anew(studio, refreshed):
    """A manifest that was thrown away is there again, without a provider, a key or Prefect."""
    await studio.make(studio.job("a"))
    manifest = studio.folder / "out" / "manifest.csv"
    manifest.unlink(missing_ok=True)
    over, context = await refreshed(studio.job("a"))
    assert (over, context.result.exit_code, context.progress.words()) == (True, ALL_DONE, "1 of 1 done")
    assert "videos/a.mp4" in manifest.read_text("utf-8")


async def test_a_clip_that_somebody_took_away_is_said(studio, refreshed):
    """It was paid for; the row is done, and its file is nowhere."""
    await studio.make(studio.job("a"), studio.job("b"))
    (studio.folder / "out" / "videos" / "b.mp4").unlink()
    over, context = await refreshed(studio.job("a"), studio.job("b"))
    assert (over, context.result.exit_code) == (True, ALL_DONE)
    [words] = context.result.warnings
    assert "no longer there: b (videos/b.mp4)" in words


@pytest.mark.parametrize(
    ("effect", "status", "code"),
    [({"status": 400}, JobStatus.REJECTED, SOME_FAILED), ({"cut": "after"}, JobStatus.IN_DOUBT, UNFINISHED)],
)
async def test_what_no_run_ends_is_not_begun_and_still_said(studio, refreshed, effect, status, code):
    """Refused rows and doubts are nobody's work, and the exit code is what the run before had."""
    studio.sandbox.faults({"match": {"route": "submit"}, "do": effect})
    await studio.make(studio.job("a"))
    over, context = await refreshed(studio.job("a"))
    assert (over, context.result.exit_code, context.progress.counts[status]) == (True, code, 1)


async def test_a_row_that_is_still_to_be_made_is_work(studio, refreshed):
    """A new row, and one that waits at its provider, are for a whole run; a row that nobody asked for is not."""
    await studio.make(studio.job("a"))
    assert (await refreshed(studio.job("a"), studio.job("b")))[0] is False
    assert (await refreshed(studio.job("a"), studio.job("b"), only=("a",)))[0] is True
