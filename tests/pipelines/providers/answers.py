"""Answers of providers, made up: objects with the names that a contract looks for, and anything behind them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st


def any_answer(names: Iterable[str], *words: str) -> st.SearchStrategy[dict[str, Any]]:
    """Any object with some of these names, in which some of these words are said."""
    keys = st.sampled_from([*names])
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(words),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=10,
    )
    return st.dictionaries(keys, values, max_size=6)
