"""What a run and its bucket tell each other before anything is ordered: where the ledger is, and that files may be put there."""

from __future__ import annotations

from pathlib import Path

from pipelines.core.errors import SetupError, UploadFailed
from pipelines.ledger.storage.place import PLACE_NOTE, TRACE
from pipelines.outputs.storage.object_store import brought_down, store_of


def ask_bucket(folder: Path) -> None:
    """Bring into a working folder what earlier runs have left in its bucket: where their ledger is, and that there is one.

    The word of the bucket counts more than what a run has left here. Blocks; nothing is done for a plain folder.

    Raises:
        SetupError: the bucket cannot be read.
    """
    store = store_of(folder)
    if store is None:
        return
    try:
        store.fetch(PLACE_NOTE)
        brought_down(folder, TRACE)
    except UploadFailed as error:
        raise SetupError(f"{error} Nothing was sent.") from None


def announce_ledger(folder: Path) -> None:
    """Tell the bucket where the ledger of its files is, which also proves that it takes files. Blocks.

    Raises:
        SetupError: the bucket takes no file.
    """
    store = store_of(folder)
    if store is None:
        return
    try:
        store.replace(PLACE_NOTE)
    except UploadFailed as error:
        raise SetupError(f"{error} Nothing was sent.") from None
