"""What the user takes away: manifest, done copy, gallery, report. Derived from the ledger; knows no provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.catalogue.load import load_manifest

__all__ = ["load_manifest"]


def __getattr__(name: str) -> Any:
    """Import what is public when it is asked for, so that who needs one part of the room loads no other."""
    if name != "load_manifest":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pipelines.catalogue.load import load_manifest  # noqa: PLC0415 - see above

    return load_manifest
