"""The road home of a paid clip: download, verification, probe, publishing, thumbnail. Knows no prompts and no ledger."""

from __future__ import annotations

from pipelines.outputs.download import Clip, DownloadLimits, Source, bring_home, settle
from pipelines.outputs.order_check import changed_orders, differences
from pipelines.outputs.probe import Media
from pipelines.outputs.thumbnail import make_thumbnail
from pipelines.outputs.verify import verify_file

__all__ = [
    "Clip",
    "DownloadLimits",
    "Media",
    "Source",
    "bring_home",
    "changed_orders",
    "differences",
    "make_thumbnail",
    "settle",
    "verify_file",
]
