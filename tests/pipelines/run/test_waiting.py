from __future__ import annotations

from pipelines.core.job import RemoteJob
from pipelines.run.waiting import Waiting


def test_t27_only_the_time_since_it_was_last_completed_counts():
    """A job that is finished without its clip is asked about again; what it was before it ran again is forgotten."""
    waiting = Waiting(RemoteJob("a", "video"), "k", 60.0, 0.0, 1e6)
    assert [waiting.looks_again(age, 1.0) for age in (100.0, 200.0, 300.0)] == [True, True, False]
    waiting.runs_again()
    assert (waiting.looks, waiting.empty_since_s) == (0, 0.0)
    assert waiting.looks_again(400.0, 1.0)
    assert (waiting.looks, waiting.empty_since_s, waiting.look_again_s) == (1, 400.0, 5.0)


def test_a_rehearsal_has_less_patience():
    """Our own patience is divided in a rehearsal, as all that it waits for is."""
    waiting = Waiting(RemoteJob("a", "video"), "k", 60.0, 0.0, 1e6)
    assert waiting.looks_again(1.0, 100.0)
    assert waiting.look_again_s == 0.05
    assert [waiting.looks_again(age, 100.0) for age in (1.1, 2.3)] == [True, False]


def test_t27_who_was_given_its_time_is_asked_about_more_shortly():
    """A job that an earlier run has parked, and one that is hours old, are parked again after seconds, not minutes."""
    for parked, age in ((True, 40.0), (False, 4000.0)):
        waiting = Waiting(RemoteJob("a", "video"), "k", 60.0, 0.0, 1e6, was_parked=parked)
        assert [waiting.looks_again(age + since, 1.0) for since in (0.0, 5.0, 15.0)] == [True, True, False]
