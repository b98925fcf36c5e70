from __future__ import annotations

import pytest

from pipelines.core.advice import advice_on
from pipelines.core.status import Billed, JobStatus


@pytest.mark.parametrize(
    ("status", "billed", "reason", "words"),
    [
        ("failed", "no", "The engine lost it. (engine_lost)", "It was not charged. `reelbatch retry DIR`"),
        ("failed", "unknown", "lost", "It may have been charged all the same."),
        ("failed", "yes", "lost", "`reelbatch redo DIR ID` buys a new take"),
        ("failed", "unknown", "blocked by our Safety review", "Change the prompt"),
        ("rejected", "no", "refused (moderation_blocked)", "Change the prompt"),
        ("rejected", "no", "bad size (invalid)", "Change what its row asks for"),
        ("parked", "no", "no clip there (clip_missing)", "Correct the profile"),
        ("parked", "no", "qiniu does not know this job (lost)", "`reelbatch resolve DIR ID` takes it back"),
        ("cancelled", "no", "by its owner", "It was not charged."),
    ],
)
def test_each_kind_of_end_has_an_advice_of_its_own(status, billed, reason, words):
    """Moderation needs another prompt, a refusal another row, and what was not charged may simply be tried again."""
    assert words in advice_on(JobStatus(status), Billed(billed), reason)


def test_what_has_not_ended_so_is_advised_by_its_status():
    """Of a doubt or a parked job the table of statuses has the advice; of what is in order there is none."""
    for status in JobStatus:
        if not status.meaning.failed or status is JobStatus.EXPIRED:
            assert advice_on(status, Billed.UNKNOWN, "moderation") == status.meaning.advice
