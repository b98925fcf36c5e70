from __future__ import annotations

import pytest

from pipelines.actions.archive import archive_jobs, open_of
from pipelines.actions.overview import campaign_overview
from pipelines.actions.resolve import settle_doubt
from pipelines.core.errors import SettlementRefused
from pipelines.core.outcome import NotCharged
from pipelines.core.status import JobStatus
from pipelines.ledger.set_aside import held_words
from tests.pipelines.actions.conftest import NOT_BOUGHT


async def test_a_job_with_open_money_is_archived_only_by_consent(studio, in_doubt, money):
    """It is named with its status and price; then the sums keep it, `status` says whose it is, and it can be settled."""
    folder = await in_doubt(studio.job("a"), studio.job("b"), fault=NOT_BOUGHT)
    with pytest.raises(SettlementRefused, match=r"a \(in doubt, 0.40 USD uncertain\)"):
        await archive_jobs(folder, ["b", "a"])
    assert campaign_overview(folder).counts.archived == 0
    assert await archive_jobs(folder, ["b", "a"], open_too=True) == ["b", "a"]
    assert open_of(folder, ["a"]) == []  # it is archived, and was asked about
    found = campaign_overview(folder)
    assert (found.counts.counts, money()) == ({}, (0, 0.4, 0.4))
    assert held_words(found.aside.money) == "0.40 USD spent, 0.40 USD uncertain"
    assert [each.id for each in found.aside.open] == ["a"]
    await settle_doubt(folder, "a", NotCharged)
    assert (money(), campaign_overview(folder).aside.open) == ((0, 0.4, 0), ())


async def test_what_is_archived_at_its_provider_comes_home(studio):
    """The next run brings it home all the same: it is paid for."""
    studio.sandbox.faults(
        {"match": {"route": "status"}, "do": {"status": 503}}
    )  # it does not come to its end meanwhile
    await studio.interrupt(studio.job("a"), when=lambda run: run.status_of("a") is JobStatus.WAITING)
    studio.sandbox.faults()
    folder = studio.folder / "out"
    await archive_jobs(folder, ["a"], open_too=True)
    assert [each.words for each in campaign_overview(folder).aside.open] == ["a (waiting, 0.40 USD reserved)"]
    assert (await studio.make(studio.job("a"))).statuses == {"a": JobStatus.DONE}
    assert campaign_overview(folder).aside.open == ()
