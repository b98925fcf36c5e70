"""What the vendors charge, written down here a second time so that the bill does not copy a client's mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.sandbox.orders.state import Wish

CREDIT = 0.095215  # USD, in common packs [A14 A15]
#: USD a clip and a second: the vendor says "from" [A5]; seedance and happyhorse are stand-ins.
ACE_CLIP = {"veo": 0.30, "luma": 0.35, "hailuo": 0.20}
ACE_SECOND = {"kling": 0.04, "wan": 0.036, "seedance": 0.06, "happyhorse": 0.10}
MAESTRO_SECOND = 0.85  # credits [A2]
MAESTRO_TIMES = {"draft": 0.5, "premium": 2.0, "drama": 1.35, "avatar": 1.15}  # [A2]
MAESTRO_LANGUAGE = 6.0  # credits for each language after the first [A2]
#: Qiniu publishes no prices: for Veo those of its maker, with sound; for the others a stand-in.
VEO_SECOND = 0.40
VEO_FAST_SECOND = 0.15
QUEUE_SECOND = 0.10


def price(wish: Wish) -> float:
    """The price of an order in the vendor's currency."""
    if wish.contract == "acedata":
        return _ace(wish)
    if wish.contract in ("vllm-omni", "sglang"):  # servers of one's own
        return 0.0
    if wish.service:
        return round(_qiniu_second(wish.model) * wish.seconds * wish.clips, 6)
    if "pro" not in wish.model:
        return 0.1 * wish.seconds  # [O5]; Qiniu publishes none
    large = wish.size in ("1024x1792", "1792x1024")
    return {False: 0.3, True: 0.5}[large] * wish.seconds if "1080" not in wish.size else 0.7 * wish.seconds  # [O5 O8]


def _ace(wish: Wish) -> float:
    if wish.service == "maestro":
        times = [MAESTRO_TIMES.get(str(wish.fields.get(name)), 1.0) for name in ("quality", "scenario")]
        credits_due = MAESTRO_SECOND * wish.seconds * times[0] * times[1] + MAESTRO_LANGUAGE * (wish.clips - 1)
        return round(credits_due * CREDIT, 6)
    if wish.service in ACE_CLIP:
        return ACE_CLIP[wish.service]
    if wish.service in ACE_SECOND:
        return round(ACE_SECOND[wish.service] * wish.seconds, 6)
    return 1.5 if "pro" in wish.model else 0.5  # from 0.50 a clip [A5]; pro is not published


def _qiniu_second(model: str) -> float:
    if "veo" not in model:
        return QUEUE_SECOND
    return VEO_FAST_SECOND if "fast" in model else VEO_SECOND
