from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.net.headers import LONGEST_HINT_S, poll_hint, retry_after

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": " 12 "}, 12),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Sat, 21 Nov 2026 13:00:30 +0100"}, 30),
        ({"retry-after": "Saturday, 21-Nov-26 12:00:30 GMT"}, 30),
        ({"retry-after": "Sat Nov 21 12:00:30 2026"}, 30),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after-ms": "-1", "retry-after": "9"}, 9),
        ({"retry-after": "100000"}, LONGEST_HINT_S),
        ({"retry-after": "1e308"}, LONGEST_HINT_S),
        ({"retry-after": "Sun, 21 Nov 2100 12:00:30 GMT"}, LONGEST_HINT_S),
    ],
)
def test_s33_a_hint_is_obeyed_in_every_form(headers, seconds):
    """Seconds, milliseconds and all three forms of an HTTP date are read; a very long wait is cut."""
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        "-1",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "soon",
        "Fri, 20 Nov 2026 12:00:00 GMT",
        "Mon, 99 Foo 2026",
        "Sat, 21 Nov 99999 12:00:30 GMT",
        "Sat, 21 Nov 2026 99:99:99 GMT",
        "Sat, 21 Nov 2026 12:00:30 +99999999",
        "0x10",
        "1,5",
        "7 seconds",
        "<html>",
    ],
)
def test_s35_nonsense_counts_as_no_hint(value):
    """Negative, past, endless and unreadable values are ignored."""
    assert retry_after({"retry-after": value}, NOW) is None


def test_s34_no_header_is_no_hint():
    """Without a header there is nothing to obey."""
    assert retry_after({}) is None


@given(st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} [\d:]{1,9} ?[-+\w]{0,6}"))
def test_s35_no_header_can_break_the_reader(value):
    """Whatever a server writes there, the answer is a sensible number or none."""
    hint = retry_after({"retry-after": value, "retry-after-ms": value}, NOW)
    assert hint is None or 0 <= hint <= LONGEST_HINT_S


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"openai-poll-after-ms": "2500"}, 2.5), ({"openai-poll-after-ms": "-1"}, None), ({"retry-after": "9"}, None)],
)
def test_a_poll_hint_is_read_in_milliseconds(headers, seconds):
    """OpenAI's servers say in a header of their own when to ask next; nonsense and other headers say nothing."""
    assert poll_hint(headers) == seconds
