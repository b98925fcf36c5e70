from __future__ import annotations

import shutil
from pathlib import Path

from pipelines.actions.evidence import gather_evidence
from pipelines.actions.known_batch import profiles_of_folder
from pipelines.ledger.ledger import LedgerReader, ledger_in

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


async def test_a_profile_beside_the_batch_file_counts(studio, in_doubt):
    """Whoever settles or redoes sees the providers of one's own, without naming their files again."""
    folder = await in_doubt(studio.job("a"))
    shutil.copytree(EXAMPLES / "reelbatch.providers", studio.folder / "reelbatch.providers")
    assert "lumafox" in profiles_of_folder(LedgerReader(ledger_in(folder)))
    (studio.folder / "reelbatch.providers" / "qiniu.yaml").write_text(
        "extends: qiniu\nname: qiniu\nwants_https: true\nidempotency_header: x-once\n"
    )
    evidence = await gather_evidence(folder, "a")
    assert "no list of jobs" in evidence.listing
    assert len(evidence.attempt) == 36  # such an order bears a name
