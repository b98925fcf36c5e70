from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from pipelines.core.money import BUCKETS, Balance, Bucket, BucketMove

TENTH = Decimal("0.1")


@pytest.mark.parametrize("assumed", [False, True])
def test_a_price_is_in_one_bucket_at_a_time(assumed):
    """Reserved, then spent, then nowhere: the parts that are assumed move with it, and nothing is left behind."""
    way = [None, Bucket.RESERVED, Bucket.UNCERTAIN, Bucket.SPENT, None]
    balance = Balance("USD")
    for source, target in pairwise(way):
        move = BucketMove("USD", TENTH, source, target, assumed)
        after = balance.after(move)
        assert after.committed == balance.committed + move.committed
        held = {bucket: after.of(bucket) for bucket in BUCKETS if after.of(bucket)[0]}
        assert held == ({target: (TENTH, assumed * TENTH)} if target else {})
        balance = after
    assert balance == Balance("USD")


def test_machines_read_amounts_as_text():
    """0.10 stays 0.10, and only what is assumed is said to be."""
    balance = Balance("USD").plus(Bucket.SPENT, Decimal("0.10"), assumed=True).plus(Bucket.SPENT, TENTH, assumed=False)
    told = {"currency": "USD", "spent": "0.20", "reserved": "0", "uncertain": "0", "assumed": {"spent": "0.10"}}
    assert balance.as_dict() == told
