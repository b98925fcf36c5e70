from __future__ import annotations

import pytest

from pipelines.core.text.escaping import encodable, harmless


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "\ufeff=1", "\uff1d1", "\tx", "\rx"])
def test_what_a_spreadsheet_would_calculate_is_text(text):
    """A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a boat", "1+1", "a = b", "'=1", "船"])
def test_other_text_stays_as_it_is(text):
    """Nothing is done to text that is no formula."""
    assert harmless(text) == encodable(text) == text


def test_half_a_surrogate_pair_can_be_written():
    """What UTF-8 cannot hold becomes the replacement character."""
    assert encodable("a\ud83db") == "a\ufffdb"
    assert encodable("a\ud83db").encode()
