from __future__ import annotations

import pytest

from pipelines.batch.rows.near_ids import near_ids


@pytest.mark.parametrize("text", ["heroo", "hro2", "hxro2", "hreo2", "ehro2", "hero", "2hero2", "HERO1"])
def test_one_slip_of_the_pen_is_found(text):
    """A sign changed, missing, too many, or swapped with its neighbour."""
    assert near_ids([text], ["other", "hero2"]) == {text: "hero2"}


@pytest.mark.parametrize("text", ["xxro2", "her", "h2", "herxxo2", "", "h" * 200])
def test_more_than_a_slip_is_another_word(text):
    """So is a short one."""
    assert near_ids([text], ["hero2", "h1", "h" * 199]) == {}
