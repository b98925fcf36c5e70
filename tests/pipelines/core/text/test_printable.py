from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.text.printable import printable


@pytest.mark.parametrize("link", ["https://x/y?s=SECRET", "HTTPS://x/y?s=SECRET", r"https:\/\/x\/y?s=SECRET"])
def test_the_mask_of_secrets_holds_for_every_scheme(link):
    """Signed queries are cut from words, also in capital letters and in escaped JSON."""
    assert "SECRET" not in printable(f"see {link} now")


@given(st.text(max_size=40), st.integers(1, 50))
def test_whatever_is_said_can_be_shown(words, most):
    """The result is on one line, has no control character, and is as short as it was asked to be."""
    shown = printable(words, most)
    assert shown.isprintable()
    assert len(shown) <= most
