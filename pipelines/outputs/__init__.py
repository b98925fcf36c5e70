"""Bring a paid clip home: download, verification, probe, publishing, thumbnail. Knows no prompts and no ledger."""

from __future__ import annotations

from pipelines.outputs.download.download import Clip, ClipSource, DownloadLimits, bring_home, settle, unsettled
from pipelines.outputs.download.verify import verify_file
from pipelines.outputs.media.comparison import changed_orders, differences
from pipelines.outputs.media.probe import Media
from pipelines.outputs.media.thumbnail import make_thumbnail

__all__ = [
    "Clip",
    "ClipSource",
    "DownloadLimits",
    "Media",
    "bring_home",
    "changed_orders",
    "differences",
    "make_thumbnail",
    "settle",
    "unsettled",
    "verify_file",
]
