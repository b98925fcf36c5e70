from __future__ import annotations

import json

import pytest

from pipelines.actions.adopt import adopt_line, read_line
from pipelines.core.errors import DiskFull, LedgerError, SettlementRefused
from pipelines.core.job import RemoteJob
from pipelines.core.status import JobStatus
from pipelines.ledger.ledger import LedgerReader, last_resort_record, ledger_in
from pipelines.ledger.views import provider_job_ids


@pytest.fixture
async def line(studio, in_doubt, capsys):
    """What was said of a payment that is in doubt in the ledger, since its id could not be written."""
    folder = await in_doubt(studio.job("a"))
    [bought] = studio.bill()
    remote = RemoteJob(bought["id"], "video", contract="openai")
    last_resort_record("a", remote, DiskFull(), ledger=ledger_in(folder), provider="qiniu", account="x")
    return capsys.readouterr().err


async def test_the_whole_line_or_its_json_is_taken_back(studio, line):
    """The payment is written down where it belongs, from anywhere; once more changes nothing; its clip comes home."""
    settled = await adopt_line(line)
    assert (settled.status, settled.folder) == (JobStatus.WAITING, studio.folder / "out")
    again = await adopt_line(line[line.index("{") :])
    assert "already" in again.words
    assert (await studio.make(studio.job("a"))).statuses == {"a": JobStatus.DONE}
    assert "it is done" in (await adopt_line(line)).words
    assert len(studio.bought()) == 1


async def test_an_old_line_needs_its_folder(studio, line):
    """It names the job and the id alone."""
    known = json.loads(line[line.index("{") :])
    old = json.dumps({name: known[name] for name in ("job", "provider_job_id")})
    with pytest.raises(SettlementRefused, match="--dir"):
        await adopt_line(old)
    assert (await adopt_line(old, studio.folder / "out")).status is JobStatus.WAITING
    owned = LedgerReader(ledger_in(studio.folder / "out")).read(provider_job_ids, "qiniu")
    assert owned == {known["provider_job_id"]}


@pytest.mark.parametrize("text", ["", "{", "hello", '{"job": "a"}', '{"job": 1, "provider_job_id": "x"}', "[]", "{}"])
def test_any_other_line_is_refused(text):
    """What to give is said."""
    with pytest.raises(SettlementRefused, match="could not be recorded"):
        read_line(text)


async def test_a_ledger_that_is_gone_is_said(line, tmp_path):
    """Nothing is made anew."""
    known = json.loads(line[line.index("{") :]) | {"ledger": str(tmp_path / "gone" / "ledger.sqlite3")}
    with pytest.raises(LedgerError, match="There is no ledger"):
        await adopt_line(json.dumps(known))
