"""Jobs with a price, of which it matters little what they order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pipelines.core.job import Job, Order


def job(name: str, provider: str = "qiniu", model: str = "sora-2", cost: str | None = "0.40", **more: Any) -> Job:
    """A job of 0.40 USD, if nothing else is said; without a cost nobody knows its price."""
    order = Order(provider=provider, mode="video", model=model, prompt="a", seconds=4, size="720x1280")
    usual = {"id": name, "row": 1, "campaign": "c", "order": order, "filename": f"{name}.mp4"}
    priced = {"cost_estimated": Decimal(cost), "currency": "USD"} if cost else {}
    return Job(**usual | priced | more)
