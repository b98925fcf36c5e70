from __future__ import annotations

import pytest

from pipelines.core.text.excerpt import quoted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a boat", '"a boat"'),
        ("", '""'),
        ("a\nb", r'"a\nb"'),
        ("\x1b[31m", r'"\x1b[31m"'),
        ("\u202etxt", r'"\u202etxt"'),
    ],
)
def test_a_text_is_quoted_on_one_line(text, shown):
    """What would break a line, colour a terminal or turn the direction of text is escaped."""
    assert quoted(text) == shown


def test_a_long_text_is_cut():
    """Only the first characters are shown, and that there were more."""
    assert quoted("x" * 81) == f'"{"x" * 80}…"'
    assert quoted("x" * 80) == f'"{"x" * 80}"'
    assert quoted("boat", most=2) == '"bo…"'
