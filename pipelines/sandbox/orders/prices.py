"""What the vendors charge, written down here a second time so that the bill does not copy a client's mistake."""

from __future__ import annotations

from pipelines.sandbox.orders.bill import ParsedOrder

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


def price_of_order(parsed: ParsedOrder) -> float:
    """The price of an order in the vendor's currency."""
    if parsed.contract == "acedata":
        return _ace(parsed)
    if parsed.contract in ("vllm-omni", "sglang"):  # servers of one's own
        return 0.0
    if parsed.service:
        veo = VEO_FAST_SECOND if "fast" in parsed.model else VEO_SECOND
        return round((veo if "veo" in parsed.model else QUEUE_SECOND) * parsed.seconds * parsed.clips, 6)
    if "pro" not in parsed.model:
        return 0.1 * parsed.seconds  # [O5]; Qiniu publishes none
    if "1080" in parsed.size:
        return 0.7 * parsed.seconds  # [O5 O8]
    return (0.5 if parsed.size in ("1024x1792", "1792x1024") else 0.3) * parsed.seconds


def _ace(parsed: ParsedOrder) -> float:
    if parsed.service == "maestro":
        times = [MAESTRO_TIMES.get(str(parsed.fields.get(name)), 1.0) for name in ("quality", "scenario")]
        credits_due = MAESTRO_SECOND * parsed.seconds * times[0] * times[1] + MAESTRO_LANGUAGE * (parsed.clips - 1)
        return round(credits_due * CREDIT, 6)
    if parsed.service in ACE_CLIP:
        return ACE_CLIP[parsed.service]
    if parsed.service in ACE_SECOND:
        return round(ACE_SECOND[parsed.service] * parsed.seconds, 6)
    return 1.5 if "pro" in parsed.model else 0.5  # from 0.50 a clip [A5]; pro is not published
