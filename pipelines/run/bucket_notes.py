"""What a run and its bucket tell each other before anything is ordered: where the ledger is, and that files may be put there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
    if (store := store_of(folder)) is not None:
        with _before_anything_is_sent():
            store.fetch(PLACE_NOTE)
            brought_down(folder, TRACE)


def announce_ledger(folder: Path) -> None:
    """Tell the bucket where the ledger of its files is, which also proves that it takes files. Blocks.

    Raises:
        SetupError: the bucket takes no file.
    """
    if (store := store_of(folder)) is not None:
        with _before_anything_is_sent():
            store.replace(PLACE_NOTE)


@contextmanager
def _before_anything_is_sent() -> Iterator[None]:
    """Translate what a bucket refuses into bad input: nothing is paid yet, and the run does not begin."""
    try:
        yield
    except UploadFailed as error:
        raise SetupError(f"{error} Nothing was sent.") from None
