from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from pipelines.callbacks.addresses import CallbackKeys
from pipelines.callbacks.gate import MOST_HEAD, LetIn, Turned, judge

KEYS = CallbackKeys.of(("k" * 32,))
GOOD = KEYS.url("", "0123456789abcdef", str(uuid.UUID(int=7)))
HEAD = f"POST {GOOD} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n".encode()


@given(st.lists(st.tuples(st.integers(0, len(HEAD)), st.integers(0, 12), st.binary(max_size=8)), max_size=4))
def test_t12_a_bent_request_is_judged_and_never_let_in_without_its_token(edits):
    """Whatever becomes of a head, the verdict is one of three, in a moment, and only the whole token lets in."""
    text = bytearray(HEAD)
    for at, gone, new in edits:
        text[at : at + gone] = new
    verdict = judge(text, KEYS)
    assert verdict is None or isinstance(verdict, Turned | LetIn)
    if isinstance(verdict, LetIn):
        assert GOOD.encode() + b" HTTP/1." in text


@given(st.binary(max_size=300))
def test_c05_noise_is_turned_away_as_soon_as_it_is_a_line(noise):
    """Bytes of chance never get in; what may still become a request is waited for, up to the length of a line."""
    verdict = judge(noise + b"\r\n", KEYS)
    assert isinstance(verdict, Turned)
    assert verdict.status == 404


def test_a_head_is_judged_as_it_comes():
    """Nothing is decided too early, and a good head is let in at its very end."""
    for length in range(1, len(HEAD)):
        assert judge(HEAD[:length], KEYS) is None
    assert judge(HEAD + b"{}", KEYS) == LetIn(KEYS.opens(GOOD), len(HEAD), 2)
    assert judge(HEAD[:-2] + b"x: " + b"y" * MOST_HEAD, KEYS) == Turned(431, "head")
