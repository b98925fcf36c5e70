from __future__ import annotations

from pipelines.actions.archive import archive_jobs
from pipelines.ledger.clips import clips_at_home
from pipelines.ledger.ledger import LedgerReader, ledger_in


async def test_what_is_done_and_counts_is_at_home(studio):
    """Each job's file as the folder has it; what was refused or is archived has none there that anybody waits for."""
    studio.sandbox.faults({"match": {"route": "submit", "nth": [3]}, "do": {"status": 400}})
    await studio.make(*map(studio.job, "abc"), in_flight=1)
    folder = studio.folder / "out"
    reader = LedgerReader(ledger_in(folder))
    assert reader.read(clips_at_home) == {"a": "videos/a.mp4", "b": "videos/b.mp4"}
    await archive_jobs(folder, ["a"])
    assert reader.read(clips_at_home) == {"b": "videos/b.mp4"}
