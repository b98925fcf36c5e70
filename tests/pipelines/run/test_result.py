from __future__ import annotations

import pytest

from pipelines.ledger.balances import balances
from pipelines.run.options import RunOptions
from pipelines.run.output_folder import ledger_of, output_folder, title_of
from pipelines.run.result import CampaignResult, campaign_result


async def test_what_a_campaign_came_to(studio):
    """Folder, counts and money are as the ledger has them, and survive being written as JSON."""
    async with studio.opened(studio.job("a"), studio.job("b")) as run:
        await studio.work(run)
        result = campaign_result(run, "2 of 2 done", await run.ledger.write(balances), "an-id")
    assert (result.campaign, result.counts, result.exit_code, result.end) == ("x", {"done": 2}, 0, "Completed")
    assert result.folder == studio.folder / "out"
    assert [(money.currency, money.spent) for money in result.money] == [("USD", 0.8)]
    assert (result.rehearsal, result.occurrence, result.flow_run_id) == (False, None, "an-id")
    assert CampaignResult.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize(
    ("code", "counts", "end"),
    [
        (0, {"done": 1}, "Completed"),
        (1, {"done": 1, "failed": 1}, "Rows Failed"),
        (3, {"planned": 1}, "Budget Reached"),
        (4, {"in_doubt": 1, "failed": 1}, "In Doubt"),
        (4, {"parked": 1}, "Unfinished"),
    ],
)
def test_how_it_ended_is_the_name_of_a_state(tmp_path, code, counts, end):
    """What is in doubt is said before rows that failed: money hangs on it."""
    paths = dict.fromkeys(("folder", "manifest", "gallery"), tmp_path)
    assert CampaignResult(campaign="x", words="", counts=counts, exit_code=code, **paths).end == end


def test_an_occurrence_has_folder_ledger_and_title_of_its_own(studio):
    """Also where one ledger was named for all: in one file the second occurrence would find every row made."""
    batch = studio.batch([studio.job("a")])
    first, second = (RunOptions(out=studio.folder / "out", occurrence=day) for day in ("2026-11-21", "2026-11-22"))
    assert output_folder(batch, first) == studio.folder / "out" / "2026-11-21"
    assert title_of(batch, second) == "x 2026-11-22"
    named = [one.model_copy(update={"ledger": str(studio.folder / "a.sqlite3")}) for one in (first, second)]
    assert [ledger_of(studio.folder, one) for one in named] == [
        studio.folder / day / "a.sqlite3" for day in ("2026-11-21", "2026-11-22")
    ]
    assert ledger_of(studio.folder, named[0].model_copy(update={"occurrence": None})) == studio.folder / "a.sqlite3"
