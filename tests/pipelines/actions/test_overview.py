from __future__ import annotations

import pytest

from pipelines.actions.overview import campaign_overview
from pipelines.core.errors import LedgerError, SetupError
from pipelines.ledger.ledger import Ledger


async def test_a_campaign_can_be_looked_at_while_it_runs(tmp_path):
    """From Python as from the command line: counts, money and sums, of the rehearsal too; the ledger is left alone."""
    async with Ledger(tmp_path / "rehearsal" / "ledger.sqlite3"):
        found = campaign_overview(tmp_path, by="provider")
    assert (found.folder, found.counts.running, found.groups) == (tmp_path / "rehearsal", True, ())
    assert found.as_dict()["by"] == {"column": "provider", "groups": []}
    assert "by" not in campaign_overview(tmp_path).as_dict()
    with pytest.raises(SetupError, match="no column"):
        campaign_overview(tmp_path, by="colour")


async def test_a_clip_that_somebody_took_away_is_named(studio):
    """Its row is done, and its file is not there; until it was looked for nobody could know."""
    await studio.make(studio.job("a"), studio.job("b"))
    folder = studio.folder / "out"
    assert campaign_overview(folder).missing == {}
    (folder / "videos" / "b.mp4").unlink()
    assert campaign_overview(folder).as_dict()["missing"] == [{"id": "b", "path": "videos/b.mp4"}]


def test_where_no_run_has_been_there_is_nothing_to_look_at(tmp_path):
    """A folder without a ledger is an error, and stays as it is."""
    with pytest.raises(LedgerError):
        campaign_overview(tmp_path)
    assert [*tmp_path.iterdir()] == []
