"""Watching an inbox: what is whole and new is planned, refused or made within its cap, and filed.

A file is read where it lies, so that the pictures that its rows name are found beside it, and moved when it has ended. It is
taken when nothing of it has changed for a while. Files are made one after the other, each as a campaign with an output
folder of its own below the root: `<root>/<name of the batch>`, so that a corrected file of the same name goes on there, and
buys only what is new in it. What the memory keeps, and when, is told in `memory`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import shlex
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from pipelines.batch import Batch
from pipelines.batch.batch import plain_name
from pipelines.batch.files.source import MOST_BATCH_BYTES
from pipelines.core.errors import BatchError, LedgerOwned, Problem, ReelbatchError, SetupError
from pipelines.core.remote_folder import bucket_address, shown_place
from pipelines.inbox.memory import Content, ContentStage, InboxMemory
from pipelines.inbox.place import FileLook, InboxPlace
from pipelines.ledger import views
from pipelines.ledger.ledger import LedgerReader
from pipelines.ledger.storage.place import place_remembered
from pipelines.run.batch_file import read_for_run
from pipelines.run.exit_code import INTERRUPTED
from pipelines.run.observers import SAID
from pipelines.run.opening import check_setup
from pipelines.run.options import RunOptions
from pipelines.run.output_folder import output_folder
from pipelines.run.result import CampaignResult
from pipelines.run.run import RunContext, handed_over

_EMPTY_FOR_S = 60.0  # some programs make a file first and fill it later
_MOST_STUMBLES = 2
_AGAIN = "run the same command again"  # what a command line is told to do

log = logging.getLogger(SAID)

Make = Callable[[Batch, RunOptions], Awaitable[CampaignResult]]


@dataclass(frozen=True, slots=True)
class Filed:
    """What became of one file."""

    name: str  # as it was dropped
    tray: str  # done, failed, refused or seen: the sub-folder that it is in now
    words: str


def home_of(place: InboxPlace, root: Path) -> Path:
    """Choose where the memory of an inbox lies: in the inbox itself; that of a bucket below the root of the outputs."""
    return place.folder or root / f".inbox-{hashlib.sha256(place.address.encode()).hexdigest()[:8]}"


def root_of(place: InboxPlace, out: Path | None) -> Path:
    """Choose the folder below which the outputs go: the one that was named, or `outputs` in the inbox.

    Raises:
        SetupError: nothing was named, and the inbox is in a bucket; or both are in one.
    """
    if out is not None and place.folder is None and bucket_address(out) is not None:
        raise SetupError(
            f"What was taken of the inbox {place.address} must be remembered in a folder that stays, and {shown_place(out)} is in a "
            "bucket. Watch a folder, or name a folder: --out DIR."
        )
    if out is not None:
        return out.absolute()
    if place.folder is None:
        raise SetupError(f"The inbox {place.address} has no place for videos. Name a folder that stays: --out DIR.")
    return place.folder / "outputs"


def check_cap(options: RunOptions, *, yes: bool) -> None:
    """Refuse to watch an inbox that may cost any amount, unless somebody said so.

    Raises:
        SetupError: neither a budget nor a yes, and it is no rehearsal.
    """
    if options.budget is None and not (yes or options.rehearse):
        raise SetupError(
            "Whatever is dropped here would be paid for, without a cap. Say the most that one file may cost "
            "(--budget 25), or --yes for any amount, or --rehearse."
        )


@dataclass
class InboxWatch:
    """The watch over one inbox."""

    place: InboxPlace
    memory: InboxMemory
    root: Path  # of the outputs
    options: RunOptions  # of every file; the budget is for each of them
    make: Make  # runs a campaign to its end
    stop: asyncio.Event = field(default_factory=lambda: (handed_over() or RunContext()).stop)  # nothing more is taken
    whole_after_s: float = 5.0  # a file that has not changed for so long is whole
    _since: dict[str, tuple[FileLook, float]] = field(default_factory=dict)  # by name, since when it looks like that
    _missed: set[str] = field(default_factory=set)

    async def until_stopped(self) -> list[Filed]:
        """Watch until somebody stops it. A look that fails is said, and done again."""
        found: list[Filed] = []
        while not self.stop.is_set():
            try:
                found += await self.round()
            except SetupError as error:
                log.warning("%s It is looked into again.", error)
            await self._rest()
        return found

    async def once(self) -> list[Filed]:
        """Take everything that is there and whole, and leave."""
        self._whole(self.place.look())
        await self._rest()
        return await self.round()

    async def round(self) -> list[Filed]:
        """Take everything that is whole now; what was in hand when an earlier watch ended comes first."""
        names = self._whole(await asyncio.to_thread(self.place.look))
        self._reconcile()
        first = [content.name for content in self.memory.in_hand()]
        found = []
        for name in sorted(names, key=lambda name: (name not in first, name)):
            if self.stop.is_set():
                break
            if (filed := await self._take(name)) is not None:
                level = logging.INFO if filed.tray in (ContentStage.DONE, "seen") else logging.WARNING
                log.log(level, "%s: %s.", filed.name, said(filed))
                self._since.pop(name, None)
                found.append(filed)
        return found

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), self.whole_after_s)

    def _whole(self, sights: Mapping[str, FileLook]) -> list[str]:
        now = time.monotonic()
        self._since = {
            name: known if (known := self._since.get(name)) and known[0] == sight else (sight, now)
            for name, sight in sights.items()
        }
        return [
            name for name, (sight, since) in self._since.items() if is_whole(sight, now - since, self.whole_after_s)
        ]

    def _reconcile(self) -> None:
        """Make up for a kill between the move of a file and the note of it, and miss what somebody took away."""
        for content in self.memory.not_filed():
            if content.name in self._since:
                continue
            if content.stage is not ContentStage.IN_HAND:
                self.memory.filed(content.sha256)
            elif content.sha256 not in self._missed:
                self._missed.add(content.sha256)
                log.warning(
                    "%s was begun and is gone. Drop it again to go on with it, or bring home what is paid: "
                    "reelbatch collect %s",
                    content.name,
                    content.folder,
                )

    async def _take(self, name: str) -> Filed | None:
        """Take one file as far as it goes. None: it is looked at again."""
        sight = self._since[name][0]
        if sight.bytes > MOST_BATCH_BYTES:
            most = MOST_BATCH_BYTES >> 20
            too_big = BatchError([Problem(name, f"is larger than {most} MiB.", "Split it into several batches.")])
            return self._refuse(name, hashlib.sha256(repr(sight).encode()).hexdigest(), too_big)
        try:
            raw = await asyncio.to_thread(self.place.read, name)
        except OSError:  # somebody took it away again
            return None
        sha256 = hashlib.sha256(raw).hexdigest()
        known = self.memory.of(sha256)
        if known is not None and known.name == name and known.stage is not ContentStage.IN_HAND and not known.filed:
            return self._file(known)  # it was about to be moved
        if known is not None and (known.stage is not ContentStage.IN_HAND or self._is_there(known, but=name)):
            return self._set_aside(name, known)
        try:
            path = self.place.local(name, raw, home_of(self.place, self.root) / "files" / sha256[:8])
            notes, batch = await asyncio.to_thread(read_for_run, path, self.options)
            options = self._options_of(batch, known)
            check_setup(batch, options)
        except ReelbatchError as error:
            if known is not None and is_begun(known.folder):
                return self._fail(sha256, str(error))
            return self._refuse(name, sha256, error)
        if batch.source_sha256 != sha256:
            return None  # it has changed between two looks
        for note in notes:
            log.warning("%s", note)
        self.memory.take(sha256, name, options.out or output_folder(batch, options))
        return await self._make(sha256, batch, options)

    def _is_there(self, known: Content, *, but: str) -> bool:
        """Tell whether a content in hand lies here under the name that it was taken by."""
        return known.name != but and known.name in self._since

    def _options_of(self, batch: Batch, known: Content | None) -> RunOptions:
        """The choices for one file: its folder, where it was begun already; its cap, the lower of its own and ours."""
        caps: list[Decimal] = [cap for cap in (self.options.budget, batch.budget.max) if cap is not None]
        folder = self.root / plain_name(batch.name) if known is None else known.folder
        return self.options.model_copy(update={"out": folder, "root": None, "budget": min(caps, default=None)})

    async def _make(self, sha256: str, batch: Batch, options: RunOptions) -> Filed | None:
        name = batch.path.name
        try:
            result = await self.make(batch, options)
        except LedgerOwned as error:  # it stays in hand
            log.warning("%s waits: %s", name, error)
            return None
        except ReelbatchError as error:
            if isinstance(error, BatchError) or not is_begun(output_folder(batch, options)):
                return self._refuse(name, sha256, error)
            return self._fail(sha256, str(error))
        except Exception as error:
            if self.memory.stumbled(sha256) < _MOST_STUMBLES:
                raise  # it stays in hand; the next watch tries once more
            return self._fail(sha256, f"This is a bug in reelbatch ({type(error).__name__}: {error})")
        if result.exit_code == INTERRUPTED:
            self.stop.set()
            return None
        words = ". ".join([result.words, *result.reasons, *result.warnings])
        if result.exit_code != 0:
            return self._fail(sha256, words)
        return self._file(self.memory.end(sha256, ContentStage.DONE, words))

    def _fail(self, sha256: str, words: str) -> Filed:
        here = words.replace(_AGAIN, "go on as its report says")  # the same again is set aside here
        return self._file(self.memory.end(sha256, ContentStage.FAILED, here))

    def _file(self, ended: Content) -> Filed:
        """Move a file whose campaign has ended; what needs a person, with the words."""
        report = ""
        if ended.stage is not ContentStage.DONE:
            kept = self.place.kept_as(ended.name, ended.stage, ended.sha256)
            report = failure_report(ended, f"{self.place.folder or self.place.address}/{kept}", self.options)
        self.place.file(ended.name, ended.stage, ended.sha256, report)
        self.memory.filed(ended.sha256)
        return Filed(ended.name, ended.stage, ended.words)

    def _refuse(self, name: str, sha256: str, error: ReelbatchError) -> Filed:
        """Move a file that cannot be made, with every problem beside it."""
        self.memory.forget(sha256)
        words = str(error).replace(_AGAIN, "drop the file again")
        self.place.file(
            name, "refused", sha256, f"{words}\n\nNothing was sent. Drop the file again when it is mended.\n"
        )
        return Filed(name, "refused", words.partition("\n")[0])

    def _set_aside(self, name: str, known: Content) -> Filed:
        """Move a file whose content was taken before."""
        how = f": {known.words}" if known.words else ""
        words = f"seen before, as {known.name} on {known.taken_at[:10]} ({known.stage}{how})"
        self.place.file(name, "seen", known.sha256, f"{words}.\nIts videos are in {known.folder}\nNothing was sent.\n")
        return Filed(name, "seen", words)


def is_whole(sight: FileLook, unchanged_s: float, whole_after_s: float) -> bool:
    """Tell whether a file is all there: it has not changed for a while; one that is still empty, for a minute."""
    return unchanged_s >= (whole_after_s if sight.bytes else max(whole_after_s, _EMPTY_FOR_S))


def is_begun(folder: Path) -> bool:
    """Tell whether anything was ordered, or may have been, for an output folder."""
    try:
        place = place_remembered(folder)
        return place is not None and bool(LedgerReader(place).read(views.attempted))
    except ReelbatchError:  # a ledger that cannot be read may know of money
        return True


def said(filed: Filed) -> str:
    """What became of a file, in words."""
    return filed.words if filed.tray in (ContentStage.DONE, "seen") else f"{filed.tray}: {filed.words.rstrip('.')}"


def failure_report(ended: Content, kept: str, options: RunOptions) -> str:
    """What a person finds beside a file that failed: what happened, where everything is, how to go on.

    Args:
        ended: its content.
        kept: where its file is now.
        options: of every file of the inbox.
    """
    folder = shlex.quote(shown_place(ended.folder))
    further = "" if options.provider is None else f" --provider {shlex.quote(options.provider)}"
    cap = "--rehearse" if options.rehearse else "--budget N"
    return (
        f"{ended.words}\n\nVideos, manifest and ledger: {ended.folder}\n"
        f"What is paid already comes home by: reelbatch collect {folder}\n"
        f"To go on with the rest: reelbatch run {shlex.quote(kept)} --out {folder}{further} {cap}\n"
        "N is the most that all of it may cost, what is spent already included; nothing is bought twice there. Pictures that its\n"
        "rows name by a relative path must lie beside it then, and of a bucket the file must be copied to a disk first.\n"
        "Dropped into the inbox again, the same content is set aside.\n"
    )
