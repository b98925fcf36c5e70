"""The batch of a run: a path, an https:// or s3:// address, or the text of a CSV file; read from a file in any case."""

from __future__ import annotations

import asyncio
import hashlib
import os
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from pipelines.batch import Batch, read_batch
from pipelines.batch.files.source import MOST_BATCH_BYTES
from pipelines.core.errors import BatchError, Problem, ReelbatchError, TransportError
from pipelines.core.job import Job
from pipelines.core.reading import Reading
from pipelines.ledger.known_plan import known_plan
from pipelines.ledger.ledger import LedgerReader, is_begun
from pipelines.net.http import Http
from pipelines.outputs.storage.whole_file import whole_file
from pipelines.providers.profile.load import find_profiles
from pipelines.run.occurrence_note import noted_occurrence
from pipelines.run.options import RunOptions
from pipelines.run.output_folder import ledger_of, output_folder

_OK = 200


def is_text(batch: str) -> bool:
    """Tell whether it is the text of a CSV file itself: a header and rows."""
    return "\n" in batch.strip()


def is_remote(batch: str) -> bool:
    """Tell whether the batch has to be fetched first."""
    return urlsplit(batch).scheme in {"http", "https", "s3", "gs", "gcs"} and not is_text(batch)


def batch_name(batch: str) -> str:
    """The name that the batch has without looking into it."""
    if is_text(batch):
        return f"batch-{hashlib.sha256(batch.encode()).hexdigest()[:8]}"
    return PurePosixPath(urlsplit(batch).path).stem if is_remote(batch) else Path(batch).stem


async def local_batch(batch: str, root: Path | None) -> Path:
    """Find the file of a batch, or make one of what was fetched or typed.

    Args:
        batch: as the form of Prefect takes it.
        root: of the outputs; a batch without a file is kept there, or in the working directory.

    Raises:
        BatchError: it cannot be fetched.
    """
    if not is_text(batch) and not is_remote(batch):
        return Path(batch)
    suffix = ".csv" if is_text(batch) else PurePosixPath(urlsplit(batch).path).suffix
    raw = batch.encode() if is_text(batch) else await _fetched(batch)
    path = (root or Path.cwd()) / "batches" / hashlib.sha256(raw).hexdigest()[:8] / f"{batch_name(batch)}{suffix}"
    with whole_file(path) as file:
        file.write_bytes(raw)
    return path


def read_for_run(path: Path, options: RunOptions) -> tuple[tuple[object, ...], Batch]:
    """Read a batch file with the profiles, the provider and the occurrence of a run.

    Returns:
        What is worth knowing, and the batch.

    Raises:
        BatchError: with all problems at once. Nothing is sent then.
        ProfileError: a profile of a provider has problems.
    """
    known = find_profiles(options.profiles, beside=path)
    read = partial(
        read_batch,
        path,
        provider=options.provider,
        fallback=options.fallback,
        profiles=known.profiles,
        elsewhere=known.elsewhere(os.environ),
        recall=partial(_recalled, options=options),
    )
    tick = options.tick
    batch = read(occurrence=tick)
    begun = noted_occurrence(output_folder(batch, options), tick)
    if begun is None or tick is None or begun.variables == tick.variables:
        return (*known.notes, *batch.warnings), batch
    batch = read(occurrence=begun)
    note = f"This occurrence was begun as {begun.words}; its prompts and file names stay of that day and hour."
    return (*known.notes, *batch.warnings, note), batch


def _recalled(batch: Batch, inputs: str, options: RunOptions) -> tuple[Reading, tuple[Job, ...]] | None:
    """Find the jobs of a batch in its ledger, if that was last registered with the very same inputs."""
    try:
        place = ledger_of(output_folder(batch, options), options, batch.name)
        return LedgerReader(place).read(known_plan, inputs) if is_begun(place) else None
    except ReelbatchError:  # whoever opens it says what is wrong
        return None


async def _fetched(address: str) -> bytes:
    """Fetch a batch file.

    Raises:
        BatchError: it does not come.
    """
    scheme = urlsplit(address).scheme
    if scheme in {"http", "https"}:
        try:
            async with Http() as http:
                answer = await http.ask("GET", address, headers={}, deadline_s=60)
        except TransportError as error:
            raise _refused(address, f"cannot be fetched ({error}).") from None
        if answer.status != _OK:
            raise _refused(address, f"cannot be fetched: the server answers {answer.status}.")
        if not answer.complete:
            raise _refused(address, "broke off, or is larger than 1 MiB.", "Give the path of a file.")
        return answer.body
    return await asyncio.to_thread(_from_bucket, address)


def _from_bucket(address: str) -> bytes:
    import fsspec  # noqa: PLC0415 - few batches lie in a bucket

    try:
        with fsspec.open(address, "rb") as file:
            return bytes(file.read(MOST_BATCH_BYTES + 1))
    except ImportError as error:
        raise _refused(address, f"needs another package ({error}).", "Install s3fs or gcsfs.") from None
    except Exception as error:  # noqa: BLE001 - whatever a bucket's client raises, the batch is not there
        raise _refused(address, f"cannot be fetched ({type(error).__name__}: {error}).") from None


def _refused(address: str, what: str, fix: str = "Check the address.") -> BatchError:
    return BatchError([Problem(address.partition("?")[0], what, fix)])
