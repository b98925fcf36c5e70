from __future__ import annotations

import pytest

from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.orders.life import (
    LITELLM_WORDS,
    NEW_API_WORDS,
    OPENAI_WORDS,
    QINIU_WORDS,
    SGLANG_WORDS,
    Stage,
    share_done,
    stage_of,
)


def bought(outcome="completed", latency=10.0):
    return Purchase(
        1, "id", "qiniu", "a", "sora-2", "p", 4, "1280x720", None, 1280, 720, "", 1000.0, latency, outcome, 0.4
    )


def test_stages_follow_each_other_in_the_vendors_order():
    """A job passes through all of Qiniu's working states, each once, and ends completed."""
    seen = list(dict.fromkeys(stage_of(bought(), 1000 + tenth / 10) for tenth in range(120)))
    assert seen == [stage for stage in Stage if stage not in (Stage.FAILED, Stage.CANCELLED)]


def test_a_job_that_fails_does_so_at_its_end():
    """Until its time is over, a job that will fail looks like any other."""
    assert stage_of(bought("generation_failed"), 1009.9) is Stage.UPLOADING
    assert stage_of(bought("generation_failed"), 1010.0) is Stage.FAILED


def test_a_cancelled_job_ends_as_such():
    """Cancelled is an end of its own."""
    assert stage_of(bought("cancelled"), 1010.0) is Stage.CANCELLED


def test_no_latency_means_done_at_once():
    """A latency of zero never divides by itself."""
    assert share_done(bought(latency=0.0), 1000.0) == 1.0


def test_a_clock_that_goes_back_does_not_undo_the_start():
    """Before its creation, a job has made no progress."""
    assert share_done(bought(), 990.0) == 0.0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (QINIU_WORDS, [stage.value for stage in Stage]),
        (OPENAI_WORDS, ["queued", "in_progress", "completed", "failed"]),
        (LITELLM_WORDS, ["queued", "processing", "completed", "failed"]),
        (SGLANG_WORDS, ["queued", "completed", "failed"]),
        (NEW_API_WORDS, ["queued", "unknown", "in_progress", "completed", "failed"]),
    ],
)
def test_each_server_has_words_of_its_own(words, expected):
    """Every stage has a word in every vocabulary, and no vocabulary has more than its server knows."""
    assert list(words) == list(Stage)
    assert list(dict.fromkeys(words.values())) == expected
