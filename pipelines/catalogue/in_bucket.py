"""The catalogue of an output folder that is in a bucket: what is derived goes up when it is written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from pipelines.catalogue.gallery.thumbnails import FOLDER
from pipelines.outputs.storage.object_store import ObjectStore

#: What the catalogue consists of, the gallery last: whoever sees it finds what it shows. Patterns, below the output folder.
_FILES = ("manifest.jsonl", "manifest.csv", "manifest.parquet", "*.done.csv", "failed.csv", "gallery.html")
_AT_ONCE = 8


def bring_thumbnails(store: ObjectStore) -> None:
    """Bring down the thumbnails of clips that were made elsewhere, so that the gallery shows them. Blocks.

    Raises:
        UploadFailed: the bucket cannot be read.
    """
    missing = [f"{FOLDER}/{name}" for name in store.sizes(FOLDER) if not (store.folder / FOLDER / name).exists()]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(store.fetch, missing))


def send_catalogue(store: ObjectStore, *, knows_failed: bool) -> None:
    """Put the thumbnails that are new, and every other file of the catalogue, into the bucket. Blocks.

    Args:
        store: the bucket.
        knows_failed: the batch file was at hand, so that no failed rows here means that there are none.

    Raises:
        UploadFailed: it takes no file.
    """
    there = store.sizes(FOLDER)
    thumbnails = (store.folder / FOLDER).glob("[!.]*.jpg")
    new = [f"{FOLDER}/{path.name}" for path in thumbnails if there.get(path.name) != path.stat().st_size]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(store.replace, new))
    for pattern in _FILES:
        for path in sorted(store.folder.glob(pattern)):
            store.replace(path.name)
    if knows_failed and not (store.folder / "failed.csv").exists():
        store.remove("failed.csv")
