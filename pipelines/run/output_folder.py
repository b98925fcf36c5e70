"""Where a run puts everything, and where its ledger is. Of an output folder in a bucket this is the working folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipelines.batch import Batch
from pipelines.core.errors import LedgerError, SetupError
from pipelines.core.occurrence import occurrence_named
from pipelines.core.remote_folder import bucket_address, shown_place
from pipelines.core.text.counts import first_of
from pipelines.ledger.storage.place import (
    BY_ENVIRONMENT,
    LEDGER_NAME,
    PLACE_NOTE,
    FileLedger,
    LedgerPlace,
    SharedLedger,
    place_named,
    place_remembered,
    with_credentials,
)
from pipelines.run.options import RunOptions

FILLED = ("videos", "thumbs")  # folders of ours in it
FLOW_RUN_NOTE = ".prefect-flow-run"  # the id of a flow run that has not ended, beside its ledger


def output_folder(batch: Batch, options: RunOptions) -> Path:
    """Choose where a run puts everything.

    That is `--out`, the batch file's `output.dir`, or `outputs/<name>` beside the batch file (with a root: `<root>/<name>`);
    each occurrence in a folder of its own below it, and rehearsals apart.

    Raises:
        SetupError: the occurrence cannot be read.
    """
    own = batch.path.absolute().parent / "outputs" if options.root is None else options.root
    folder = options.out or batch.output.dir or own / batch.name
    if options.root is not None:
        folder = options.root / folder
    if (tick := options.tick) is not None:
        folder /= tick.key
    return (folder / "rehearsal" if options.rehearse else folder).absolute()


def refuse_ambiguous_day(batch: Batch, options: RunOptions) -> None:
    """Refuse a whole day that was not begun, where moments of that day were: one of them may be meant, and is paid for.

    Raises:
        SetupError: there are such; the message names them. Or the occurrence cannot be read.
    """
    tick = options.tick
    if tick is None or tick.at is not None or options.again:
        return
    folder = output_folder(batch, options)
    below = Path(folder.name) if options.rehearse else Path()
    campaign = folder.parents[len(below.parts)]
    if _is_begun_in(campaign / tick.key / below):
        return
    found = [path.name for path in sorted(campaign.glob("????-??-??T??-??-??Z")) if _is_begun_in(path / below)]
    same = [name for name in found if occurrence_named(name, options.timezone).date == tick.date]
    if same:
        raise SetupError(
            f"{tick.key} is a whole day, and these of its occurrences were begun in {shown_place(campaign)}: {first_of(same)}. Nothing "
            f"was sent. To go on with one, name it as its run is named, or as here: --occurrence {same[-1]} "
            "(advanced.occurrence in Prefect). To make the day as one more, add --again (advanced.again)."
        )


def _is_begun_in(folder: Path) -> bool:
    return any((folder / name).exists() for name in (LEDGER_NAME, PLACE_NOTE))


def ledger_of(
    folder: Path, options: RunOptions, campaign: str, environment: Mapping[str, str] = os.environ
) -> LedgerPlace:
    """Choose the ledger: the one that the folder has, else `--ledger`, else `REELBATCH_LEDGER`, else a file in the folder.

    A rehearsal always has its own. So has each occurrence: with `--ledger /srv/a.sqlite3` that of 2026-11-21 is
    `/srv/2026-11-21/a.sqlite3`, and in a database it is that of `campaign/2026-11-21`. In one for all, the second would
    find every row made.

    Args:
        folder: the output folder.
        options: of the run.
        campaign: its name.
        environment: has `REELBATCH_LEDGER`, perhaps.

    Raises:
        LedgerError: `--ledger` is of a kind that is not supported, or not that of the folder.
        SetupError: the occurrence cannot be read; or the folder is in a bucket, and the ledger would be a file.
    """
    if options.rehearse:
        return FileLedger(folder / LEDGER_NAME, folder)
    known = place_remembered(folder, environment, options.ledger)
    asked = None if options.ledger is None else _named(options.ledger, folder, options, campaign)
    if isinstance(asked, SharedLedger) and isinstance(known, SharedLedger) and asked.address == known.address:
        asked = replace(asked, campaign=known.campaign)
    elif asked is not None and known is not None and asked != known:
        raise LedgerError(
            f"The ledger of {shown_place(folder)} is {known}, and what was paid for is written there; --ledger names {asked}. Leave "
            "--ledger out, or choose another --out."
        )
    if asked is not None:
        asked = with_credentials(asked, environment)
    elif known is None and (default := environment.get(BY_ENVIRONMENT)):
        known = _named(default, folder, options, campaign)
    chosen = asked or known or FileLedger(folder / LEDGER_NAME, folder)
    if bucket_address(folder) is not None and isinstance(chosen, FileLedger):
        raise SetupError(
            f"{shown_place(folder)} keeps files and no ledger, and what is paid for must be written where it stays. Nothing was "
            f"sent. Give a ledger in PostgreSQL with --ledger postgresql://host/database or {BY_ENVIRONMENT}, or try it "
            "with --rehearse."
        )
    return chosen


def _named(text: str, folder: Path, options: RunOptions, campaign: str) -> LedgerPlace:
    key = None if options.tick is None else options.tick.key
    place = place_named(text, folder, campaign if key is None else f"{campaign}/{key}")
    if key is None or isinstance(place, SharedLedger):
        return place
    return FileLedger(place.file.parent / key / place.file.name, folder)


def title_of(batch: Batch, options: RunOptions) -> str:
    """Choose the heading of the gallery: the campaign and its occurrence; a rehearsal says that it is one."""
    tick = options.tick
    name = batch.name if tick is None else f"{batch.name} {tick.words}"
    return f"{name} (rehearsal, nothing was paid)" if options.rehearse else name


def refuse_links(folder: Path) -> None:
    """Refuse an output folder whose own folders lead elsewhere: whoever may write there decides what is overwritten.

    The folder itself may be a link: it is the operator who names it. That of a rehearsal is named by us.

    Raises:
        SetupError: one is a link.
    """
    ours = [folder / name for name in FILLED] + ([folder] if folder.name == "rehearsal" else [])
    for path in ours:
        if path.is_symlink():
            raise SetupError(
                f"{path} is a symbolic link, which is not followed. Remove it; to have the files on another disk, "
                "choose an --out there."
            )


def make_folders(folder: Path) -> None:
    """Make the folder and those in it that a run fills.

    Raises:
        SetupError: one cannot be made, or is a link.
    """
    refuse_links(folder)
    try:
        for name in FILLED:
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"The output folder {folder} cannot be made ({error.strerror}). "
            + ("Choose another --out." if bucket_address(folder) is None else "Set XDG_CACHE_HOME to another place.")
        ) from None
