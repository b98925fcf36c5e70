from __future__ import annotations

import pytest

from pipelines.actions.listing import status_named
from pipelines.core.errors import SetupError
from pipelines.core.status import JobStatus


@pytest.mark.parametrize("status", JobStatus)
def test_a_status_is_known_by_its_label_and_by_its_value(status):
    """As the manifest writes it and as people read it, in any case."""
    for words in (status.value, status.label, status.label.upper(), f" {status.value.replace('_', '-')} "):
        assert status_named(words) is status


@pytest.mark.parametrize(
    ("words", "named"),
    [("in dout", '"in_doubt"'), ("Doubt", '"in_doubt"'), ("canceled", '"cancelled"'), ("finished", "done")],
)
def test_an_unknown_status_is_refused_with_the_nearest(words, named):
    """A slip of the pen is named; where nothing is near, every status is."""
    with pytest.raises(SetupError, match=named):
        status_named(words)
