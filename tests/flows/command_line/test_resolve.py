"""A campaign with a row in every status, settled to its end from the command line."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing

import pytest

from flows import settle
from pipelines.core.errors import SettlementRefused
from pipelines.ledger.storage.place import LEDGER_NAME
from tests.servers import prefect_at

IDS = ("doubt", "lost", "twice", "adopted", "failed", "moderated", "refused", "expired", "done")


def _rule(nth, **effect):
    return {"match": {"route": "submit", "nth": [nth]}, "do": effect}


@pytest.fixture
def campaign(provider, run_here, write_batch, tmp_path):
    """An output folder with rows in doubt, failed, moderated, refused, expired and done, and how to run it again."""
    rules = [_rule(n, cut="before" if n == 1 else "after") for n in (1, 2, 3, 4)]
    rules += [_rule(5, outcome="generation_failed"), _rule(6, outcome="moderation_blocked"), _rule(7, status=400)]
    provider.faults(*rules)
    batch = write_batch(*({"id": name, "prompt": f"clip {name}"} for name in IDS))
    command = ["run", batch, "--out", "out", "--provider", "openai", "--in-flight", 1]
    environment = provider.environment()
    assert run_here(*command, **environment).code == 4  # too many in doubt: no more are sent in this run
    ended = run_here(*command, **environment)
    provider.faults()
    # nothing but time, by two clocks, lets a clip expire
    with closing(sqlite3.connect(tmp_path / "out" / LEDGER_NAME)) as ledger, ledger:
        ledger.execute(
            "UPDATE job SET status = 'expired', output = NULL, error_code = 'link_ended' WHERE id = 'expired'"
        )
        ledger.execute("UPDATE attempt SET state = 'closed' WHERE job_id = 'expired'")
    (tmp_path / "out" / "videos" / "expired.mp4").unlink()
    return ended, lambda *arguments: run_here(*arguments, **environment), command


@pytest.mark.long
def test_a_row_in_every_status_is_settled(campaign, provider, manifest, tmp_path):
    """Evidence, then each word; retry, redo, verify and archive; at the end all is done or set aside, and the bill is known."""
    ended, reelbatch, command = campaign
    assert ended.code == 4
    rows = manifest(tmp_path / "out")
    assert [rows[name]["status"] for name in IDS[:7]] == ["in_doubt"] * 4 + ["failed", "failed", "rejected"]
    shown = reelbatch("resolve", "out", "adopted", "--json")
    assert shown.code == 0
    evidence = json.loads(shown.out)
    assert (evidence["prompt"], evidence["cost"]) == ("clip adopted", "0.40")
    [candidate] = evidence["candidates"]
    assert "prompt:" in reelbatch("resolve", "out", "adopted").out
    every = json.loads(reelbatch("resolve", "out", "--json").out)["in_doubt"]
    assert [one["id"] for one in every] == list(IDS[:4])
    assert every[3] == evidence
    assert reelbatch("resolve", "out", "--charged").code == 2
    assert reelbatch("resolve", "out", "adopted", "--adopt", candidate["id"]).code == 0
    unsaid = reelbatch("resolve", "out", "adopted", "--not-charged")  # somebody who has not seen that id
    assert (unsaid.code, "--yes" in unsaid.err, candidate["id"] in unsaid.out) == (2, True, True)
    assert reelbatch("resolve", "out", "doubt", "--not-charged").code == 0
    assert reelbatch("resolve", "out", "lost", "--charged").code == 0
    refused = reelbatch("resolve", "out", "twice", "--resubmit")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert reelbatch("resolve", "out", "twice", "--resubmit", "--yes").code == 0
    assert reelbatch("resolve", "out", "done", "--not-charged").code == 2
    assert reelbatch("resolve", "out", "twice", "--charged", "--resubmit").code == 2

    unasked = reelbatch("retry", "out")
    assert (unasked.code, "--budget" in unasked.err) == (2, True)
    retried = reelbatch("retry", "out", "--yes")
    for said in ("left: moderated", "left: refused", "left: lost", "left: expired", "Run again: failed"):
        assert said in retried.err
    assert manifest(tmp_path / "out")["failed"]["status"] == "done"
    assert reelbatch("redo", "out", "expired").code == 2
    for name in ("expired", "moderated", "lost"):
        again = reelbatch("redo", "out", name, "--prompt", f"another {name}", "--yes")
        assert f"New take {name}-r2" in again.err
    (tmp_path / "out" / "videos" / "done.mp4").unlink()
    assert reelbatch("verify", "out").code == 0
    assert reelbatch("archive", "out", "refused").code == 0
    assert "refused" not in reelbatch("ls", "out").out
    assert "refused" in reelbatch("ls", "out", "--all").out
    assert reelbatch(*command).code == 0
    rows = manifest(tmp_path / "out")
    assert {row["status"] for row in rows.values() if not row["flags"]} == {"done"}
    assert {name: row["flags"] for name, row in rows.items() if row["flags"]} == {
        "expired": ["replaced_by:expired-r2"],
        "moderated": ["replaced_by:moderated-r2"],
        "lost": ["replaced_by:lost-r2"],
        "refused": ["archived"],
    }
    prompts = provider.prompts()
    assert {prompt for prompt in prompts if prompts.count(prompt) > 1} == {"clip twice", "clip failed"}
    status = reelbatch("status", "out", "--json").json
    assert (status["counts"], status["archived"], status["replaced"]) == ({"done": 8}, 1, 3)


@pytest.mark.long
def test_what_is_settled_is_a_flow_as_well(campaign, prefect_api, tmp_path):
    """The same actions, with a run of their own in Prefect."""

    async def work():
        words = await settle.resolve(str(tmp_path / "out"), "doubt", "not-charged")
        with pytest.raises(SettlementRefused, match="Money is open on lost"):
            await settle.archive(str(tmp_path / "out"), ["lost"])
        archived = await settle.archive(str(tmp_path / "out"), ["lost"], open_too=True)
        assert "No run" in await settle.cancel(str(tmp_path / "out"))
        with pytest.raises(SettlementRefused, match="no line of a payment"):
            await settle.adopt("not a line")
        return words, archived, await settle.verify(str(tmp_path / "out"))

    with prefect_at(prefect_api):
        words, archived, files = asyncio.run(work())
    assert ("planned again" in words, archived, files) == (True, ["lost"], 1)
