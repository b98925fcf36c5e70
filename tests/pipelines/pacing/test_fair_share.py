from __future__ import annotations

import pytest

from pipelines.pacing.fair_share import Gift, fair_part, ladder, nearest
from pipelines.pacing.limit_server import SharedLimit


@pytest.mark.parametrize(("number", "largest"), [(0, 2), (1, 1), (5, 1), (12, 2), (50, 7), (1000, 125)])
def test_any_number_of_slots_can_go_back(number, largest):
    """A block is cut so that whatever part of it is not needed any more can be given back exactly, in few leases."""
    sizes = ladder(number, largest)
    assert sum(sizes) == number
    assert len(sizes) <= 16
    assert max(sizes, default=0) <= largest
    for part in range(number + 1):
        places = nearest(sizes, part)
        assert len(set(places)) == len(places)
        assert sum(sizes[place] for place in places) == part


@pytest.mark.parametrize(
    ("sizes", "most", "kept"), [([4], 3, 0), ([4, 3], 6, 4), ([5, 4, 3], 8, 8), ([2], 5, 2), ([], 3, 0)]
)
def test_whole_leases_are_kept_as_near_as_they_come(sizes, most, kept):
    """What was taken long ago may be cut otherwise than is wanted now."""
    assert sum(sizes[place] for place in nearest(sizes, most)) == kept


def test_who_holds_too_much_after_a_limit_fell_keeps_the_same_share():
    """From twelve to six, everybody keeps half; below the limit everything stays."""
    limit = SharedLimit("x", most=6, in_use=12)
    assert [fair_part(held, limit) for held in (8, 4, 1)] == [4, 2, 0]
    assert fair_part(5, SharedLimit("x", most=6, in_use=6)) == 5


def _offered(gift, now, *, held=12, waiting=5, in_use=12):
    gift.step(now, held, waiting, SharedLimit("x", most=12, in_use=in_use))
    return gift.keep


def test_who_holds_all_offers_a_slot_after_a_while():
    """Only while jobs wait here and nothing is free: else whatever is idle goes back anyway."""
    gift = Gift()
    assert [_offered(gift, now) for now in (0, 7.9, 8.0)] == [None, None, 11]
    assert [_offered(Gift(), now, in_use=11) for now in (0, 100)] == [None, None]
    assert [_offered(Gift(), now, waiting=0) for now in (0, 100)] == [None, None]
    assert [_offered(Gift(), now, held=1) for now in (0, 100)] == [None, None]


@pytest.mark.parametrize(
    ("in_use", "again", "keep"), [(12, 4.0, 9), (11, 16.0, 11)], ids=["somebody took it", "nobody took it"]
)
def test_a_gift_that_is_taken_is_soon_followed_by_a_larger_one(in_use, again, keep):
    """And one that nobody takes is kept, and offered ever more rarely."""
    gift = Gift()
    for now in (0.0, 8.0):
        _offered(gift, now)
    gift.gave(1, 9.0)
    assert _offered(gift, 10.0, held=11, in_use=11) == 11
    assert _offered(gift, 10.6, held=11, in_use=in_use) is None
    assert _offered(gift, 10.6 + again - 0.1) is None
    assert _offered(gift, 10.6 + again) == keep
