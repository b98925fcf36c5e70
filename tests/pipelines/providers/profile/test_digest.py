from __future__ import annotations

import pytest

from pipelines.providers.profile.digest import orders_digest
from pipelines.providers.profile.load import profile_named


@pytest.mark.parametrize(
    ("changed", "is_another"),
    [
        ({"headers": {"x-revision": "2"}}, True),
        ({"fixed": {"draft": True}}, True),
        ({"base_url": "https://elsewhere.example"}, True),
        ({"modes": ()}, True),
        ({"notes": ("new",), "prices": (), "title": "T"}, False),
        ({"results": ("clips[].url",), "words": {}, "bills_failures": "no"}, False),
    ],
)
def test_the_digest_tells_whether_an_order_would_go_out_differently(changed, is_another):
    """What writes an order counts; prices, pace, and how answers about jobs are read do not."""
    profile = profile_named("qiniu")
    assert orders_digest(profile) == orders_digest(profile.model_copy())
    assert (orders_digest(profile.model_copy(update=changed)) != orders_digest(profile)) is is_another
