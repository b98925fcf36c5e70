"""What the vendors charge, written down here a second time so that the bill does not copy a client's mistake."""

from __future__ import annotations


def price(contract: str, model: str, size: str, seconds: int) -> float:
    """The price of one clip in the vendor's currency."""
    is_pro = "pro" in model
    if contract == "acedata":  # from 0.50 a clip [A5]; pro is not published
        return 1.5 if is_pro else 0.5
    if not is_pro:
        return 0.1 * seconds  # [O5]; Qiniu publishes none
    large = size in ("1024x1792", "1792x1024")
    return {False: 0.3, True: 0.5}[large] * seconds if "1080" not in size else 0.7 * seconds  # [O5 O8]
