from __future__ import annotations

import pytest

from pipelines.core.status import ACCEPTED, FINAL, MEANINGS, JobStatus, Readiness, statuses


def test_every_status_has_a_meaning():
    """A status that is added later cannot be forgotten in the table."""
    assert set(MEANINGS) == set(JobStatus)
    assert sorted(status.rank for status in JobStatus) == list(range(len(JobStatus)))


@pytest.mark.parametrize("status", JobStatus)
def test_the_properties_of_a_status_agree(status):
    """What has ended is not unfinished, what is unsent owes nothing, what failed gives its remixes up."""
    meaning = status.meaning
    assert not (meaning.final and meaning.unfinished)
    assert not (meaning.failed and not meaning.final)
    assert not (meaning.unsent and not meaning.editable)
    assert not (meaning.accepted and not meaning.unfinished)
    assert not (meaning.editable and meaning.unfinished)
    assert meaning.remixes is Readiness.SKIP or not meaning.failed
    assert meaning.words.endswith(".")


def test_what_needs_a_person_comes_first():
    """Money in doubt first, then what was paid and lost, then what goes on at no cost, then what has ended."""
    needs_person = statuses(lambda meaning: meaning.needs_person)
    assert needs_person[:3] == (JobStatus.IN_DOUBT, JobStatus.EXPIRED, JobStatus.PARKED)
    assert [status.rank for status in needs_person] == list(range(len(needs_person)))
    assert JobStatus.DONE.rank == len(JobStatus) - 1


def test_the_groups_are_as_they_were_meant():
    """The statuses that others rely on, each written out once more here on purpose."""
    assert {*FINAL} == {"done", "rejected", "failed", "expired", "skipped", "cancelled"}
    assert {*ACCEPTED} == {"waiting", "ready", "parked"}
    assert {*statuses(lambda meaning: meaning.editable)} == {"planned", "rejected", "failed", "skipped", "cancelled"}
    assert {*statuses(lambda meaning: meaning.unfinished)} == {"parked", "in_doubt", "waiting", "ready", "submitting"}
    assert {*statuses(lambda meaning: meaning.failed)} == {"failed", "rejected", "expired", "cancelled"}


def test_a_label_is_as_people_read_it():
    """`in_doubt` is for machines."""
    assert JobStatus.IN_DOUBT.label == "in doubt"
