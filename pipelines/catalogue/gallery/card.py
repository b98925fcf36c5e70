"""One card of the gallery: a manifest row in the words that a person reads. Pure."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import PurePosixPath
from urllib.parse import quote

from pipelines.catalogue.gallery.thumbnails import FOLDER, thumbnail_name
from pipelines.catalogue.manifest_row import ManifestRow
from pipelines.core.status import Billed, JobStatus
from pipelines.core.text.amounts import amount_text

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MINUTE = 60
_KILOBYTE, _MEGABYTE = 1_000, 1_000_000


@dataclass(frozen=True, slots=True)
class Card:
    """What the template shows of a row. Text is escaped by the template; links are safe already.

    Args:
        row: of the manifest.
        thumbnails: file names of those that exist.
        poster_at_once: whether the thumbnail is loaded with the page.
    """

    row: ManifestRow
    thumbnails: AbstractSet[str]
    poster_at_once: bool

    @property
    def id(self) -> str:
        """Of the job."""
        return visible(self.row.id)

    @property
    def status(self) -> str:
        """In words."""
        return self.row.status.label

    @property
    def tone(self) -> str:
        """How the status looks."""
        return self.row.status.meaning.tone

    @property
    def provider(self) -> str:
        """Who makes it."""
        return visible(self.row.provider)

    @property
    def reason(self) -> str:
        """Why there is no clip to see."""
        row = self.row
        if said := row.error_message or row.error_code:
            return visible(said)
        if row.status is JobStatus.PLANNED and row.attempts:
            times = "once" if row.attempts == 1 else f"{row.attempts} times"
            return f"Tried {times}, and not taken by a provider yet."
        return "The file is missing." if row.status is JobStatus.DONE else row.status.meaning.words

    @property
    def video(self) -> str | None:
        """A relative link that stays in the folder; every other character than a plain one is escaped, ":" too."""
        inner = PurePosixPath(self.row.path or "/")
        if inner.is_absolute() or ".." in inner.parts:
            return None
        return quote(str(inner).encode("utf-8", "surrogateescape"))

    @property
    def poster(self) -> str | None:
        """A link to the thumbnail, if there is one."""
        name = thumbnail_name(self.row.id)
        return f"{FOLDER}/{quote(name)}" if self.video and name in self.thumbnails else None

    @property
    def portrait(self) -> bool:
        """Tell whether it is higher than wide."""
        return (self.row.height or 9) > (self.row.width or 16)

    @property
    def facts(self) -> tuple[str, ...]:
        """What the clip is: `4 s`, `1280 \u00d7 720`, `sound`."""
        row = self.row
        if not row.path:
            return ()
        found = (
            seconds_text(row.duration_s) if row.duration_s else "",
            f"{row.width} \u00d7 {row.height}" if row.width and row.height else "",
            {True: "sound", False: "silent", None: ""}[row.has_audio],
        )
        return tuple(filter(None, found))

    @property
    def amount(self) -> str:
        """The cost, for sorting."""
        return amount_text(self.row.cost or Decimal(0))

    @property
    def cost(self) -> str:
        """The cost, and how sure it is."""
        row = self.row
        # A row that goes on after a refusal was not billed for that one, and will be for the next.
        unbilled = row.billed is Billed.NO and row.status not in (JobStatus.PLANNED, JobStatus.SKIPPED)
        return row.cost_words or ("not billed" if unbilled else "")

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags in words: `fallback_from:qiniu` is "fallback from qiniu"; what follows the colon is a name, and stays."""
        parts = (visible(flag).partition(":") for flag in self.row.flags)
        return tuple(f"{what.replace('_', ' ')} {which}".strip() for what, _, which in parts)

    @property
    def details(self) -> tuple[tuple[str, str], ...]:
        """What is shown on request, as far as it is known."""
        row = self.row
        known = (
            ("File", row.path or ""),
            ("Size", bytes_text(row.bytes) if row.bytes else ""),
            ("Frames", f"{row.fps:.4g} a second" if row.fps else ""),
            ("Row", f"{row.row}, take {row.take}" if row.take > 1 else str(row.row)),
            ("Attempts", str(row.attempts) if row.attempts > 1 else ""),
            ("Task", row.task_id or ""),
            ("Billed", row.billed.value),
            ("Submitted", time_text(row.submitted_at)),
            ("Completed", time_text(row.completed_at)),
            ("Error", row.error_code or ""),
            ("SHA-256", row.sha256 or ""),
        )
        return tuple((label, visible(value)) for label, value in known if value)


def visible(text: str) -> str:
    """Text without characters that cannot be seen, or that turn the reading order of what stands beside them."""
    return _CONTROLS.sub("\ufffd", text)


def seconds_text(seconds: float) -> str:
    """A length as people say it: "4 s", "4.5 s", "2 min 05 s"."""
    if seconds < _MINUTE:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    return f"{int(seconds) // _MINUTE} min {int(seconds) % _MINUTE:02} s"


def bytes_text(size: int) -> str:
    """The size of a file as people say it: "812 bytes", "40 KB", "12.3 MB"."""
    if size >= _MEGABYTE:
        return f"{size / _MEGABYTE:.1f} MB"
    return f"{size / _KILOBYTE:.0f} KB" if size >= _KILOBYTE else f"{size} bytes"


def time_text(moment: datetime | None) -> str:
    """A moment to the minute: `2026-11-21 11:46 UTC`; nothing where there was none."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else ""
