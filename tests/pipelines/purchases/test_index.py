from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.core.errors import LedgerError
from pipelines.ledger.bought import Bought
from pipelines.purchases.index import KnownPurchase, Place, PurchaseIndex, index_path
from pipelines.purchases.likeness import Likeness

HOUSE = Path(__file__).parents[3]
PLACE = Place("l1", "/x/outputs/spring", "spring", None, "/x/spring.csv")


def purchase(attempt="a1", **more):
    values = {"job_id": "j", "plan": "{}", "made_as": None, "provider": "qiniu", "account": "0" * 16}
    values |= {"state": "accepted", "bucket": "reserved", "cost_micros": 2_500_000, "currency": "USD"}
    values |= {"sent_at": "2026-05-03T12:00:00.000Z", "provider_job_id": "p1", "mode": "video"}
    values |= {"contract": None, "status_url": None, "result_url": None} | more
    return KnownPurchase(Bought(attempt_id=attempt, **values), PLACE, "goods", "goods", "subject", False)  # noqa: FBT003


@pytest.fixture
def index(tmp_path):
    return PurchaseIndex(tmp_path / "state" / "purchases.sqlite3")


def test_where_it_is(monkeypatch, tmp_path):
    """Below the user's state, or wherever a variable says: a team shares one file so."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert index_path() == tmp_path / "reelbatch" / "purchases.sqlite3"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert index_path() == Path.home() / ".local" / "state" / "reelbatch" / "purchases.sqlite3"
    monkeypatch.setenv("REELBATCH_PURCHASES", str(tmp_path / "team.sqlite3"))
    assert index_path() == tmp_path / "team.sqlite3"


def test_a_purchase_is_found_by_what_was_ordered(index):
    """By its goods or its subject, with the day, the folder and the price; only its owner may read the file."""
    assert index.of_goods([Likeness("goods", "subject")]) == []
    index.put([purchase()])
    for key in (Likeness("goods", "-"), Likeness("-", "subject")):
        (found,) = index.of_goods([key])
        assert found == purchase()
        assert found.words == "bought on 3 May 2026 in /x/outputs/spring, 2.50 USD"
    assert index.of_goods([Likeness("-", "-")]) == []
    assert index.path.stat().st_mode & 0o777 == 0o600


def test_what_is_known_is_written_over(index):
    """The same attempt stands there once, as it is now; one that turned out not to be charged is not found."""
    index.put([purchase()])
    index.put([purchase(state="closed", bucket=None)])
    assert [trace.state for trace in index.traces_of(PLACE)] == ["closed"]
    assert index.of_goods([Likeness("goods", "subject")]) == []


def test_a_file_that_is_none_is_said(index):
    """What cannot be used is an error with its path, for whoever reads and whoever writes."""
    index.path.parent.mkdir()
    index.path.write_text("no database at all, and long enough to look like one" * 30)
    for work in (lambda: index.put([purchase()]), lambda: index.of_goods([Likeness("goods", "subject")])):
        with pytest.raises(LedgerError, match=r"purchases\.sqlite3 cannot be used"):
            work()


@pytest.mark.long
def test_many_processes_write_at_once(index):
    """Nobody loses a purchase, also while the file is being made."""
    programme = (
        "import sys; from pathlib import Path; from tests.pipelines.purchases.test_index import *\n"
        "for n in range(10): PurchaseIndex(Path(sys.argv[1])).put([purchase(f'{sys.argv[2]}-{n}')])"
    )
    started = [subprocess.Popen([sys.executable, "-c", programme, index.path, str(n)], cwd=HOUSE) for n in range(4)]
    assert [each.wait(timeout=60) for each in started] == [0] * 4
    assert len(index.traces_of(PLACE)) == 40
