from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines.core.packed import Packed


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1_700])
def test_what_was_packed_comes_back_in_its_order_each_time(count):
    """However many there are, and how often they are walked through."""
    things = [(number, "text", Decimal(number)) for number in range(count)]
    packed = Packed(things)
    assert len(packed) == count
    assert list(packed) == list(packed) == things


def test_things_go_on_while_they_are_packed():
    """Whoever walks through them has each; what nobody took is not packed, and what comes later stands behind."""
    packed = Packed([0])
    assert list(packed.passing(iter(range(1, 1_200)))) == list(range(1, 1_200))
    assert list(packed) == list(range(1_200))
