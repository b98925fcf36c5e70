"""One card of the gallery: a manifest row in the words that a person reads. Pure."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import PurePosixPath
from urllib.parse import quote

from pipelines.catalogue.gallery.thumbnails import FOLDER, poster_name
from pipelines.catalogue.manifest_row import ManifestRow, plain
from pipelines.core.status import Billed, JobStatus

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MINUTE = 60
_KILOBYTE, _MEGABYTE = 1_000, 1_000_000


@dataclass(frozen=True, slots=True)
class Card:
    """What the template shows. Text is escaped by the template; links are safe already."""

    number: int
    id: str
    status: str
    tone: str
    reason: str  # why there is no clip to see
    prompt: str
    provider: str
    model: str
    facts: tuple[str, ...]  # "4 s", "1280 \u00d7 720", ...
    cost: str
    flags: tuple[str, ...]
    tags: tuple[str, ...]
    review: str
    details: tuple[tuple[str, str], ...]
    video: str | None
    poster: str | None
    poster_at_once: bool
    width: int
    height: int
    seconds: float  # for sorting, as the next one
    amount: str

    @property
    def portrait(self) -> bool:
        """Whether it is higher than wide."""
        return self.height > self.width


def card(row: ManifestRow, posters: AbstractSet[str], *, poster_at_once: bool) -> Card:
    """The card of a row.

    Args:
        row: of the manifest.
        posters: file names of the thumbnails that exist.
        poster_at_once: whether the poster is loaded with the page.
    """
    video = _link(row.path) if row.path else None
    poster = poster_name(row.id)
    amount = row.cost_estimated if row.cost_actual is None else row.cost_actual
    return Card(
        number=row.row,
        id=visible(row.id),
        status=row.status.label,
        tone=row.status.meaning.tone,
        reason=visible(row.error_message or row.error_code or _reason(row)),
        prompt=visible(row.prompt),
        provider=visible(row.provider),
        model=visible(row.model),
        facts=_facts(row),
        cost=_cost(row, amount),
        flags=tuple(_flag_text(visible(flag)) for flag in row.flags),
        tags=tuple(visible(tag) for tag in row.tags),
        review=visible(row.review or ""),
        details=tuple((label, visible(value)) for label, value in _details(row) if value),
        video=video,
        poster=f"{FOLDER}/{quote(poster)}" if video and poster in posters else None,
        poster_at_once=poster_at_once,
        width=row.width or 16,
        height=row.height or 9,
        seconds=row.duration_s or 0,
        amount=plain(amount or Decimal(0)),
    )


def visible(text: str) -> str:
    """Text without characters that cannot be seen, or that turn the reading order of what stands beside them."""
    return _CONTROLS.sub("\ufffd", text)


def seconds_text(seconds: float) -> str:
    """A length as people say it: "4 s", "4.5 s", "2 min 05 s"."""
    if seconds < _MINUTE:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    return f"{int(seconds) // _MINUTE} min {int(seconds) % _MINUTE:02} s"


def money_text(amount: Decimal, currency: str) -> str:
    """An amount as people write it: `7.20 USD`."""
    return f"{plain(amount)} {currency}".strip()


def bytes_text(size: int) -> str:
    """The size of a file as people say it: "812 bytes", "40 KB", "12.3 MB"."""
    if size >= _MEGABYTE:
        return f"{size / _MEGABYTE:.1f} MB"
    return f"{size / _KILOBYTE:.0f} KB" if size >= _KILOBYTE else f"{size} bytes"


def time_text(moment: datetime | None) -> str:
    """A moment to the minute: `2026-11-21 11:46 UTC`; nothing where there was none."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else ""


def _reason(row: ManifestRow) -> str:
    if row.status is JobStatus.PLANNED and row.attempts:
        times = "once" if row.attempts == 1 else f"{row.attempts} times"
        return f"Tried {times}, and not taken by a provider yet."
    return "The file is missing." if row.status is JobStatus.DONE else row.status.meaning.words


def _flag_text(flag: str) -> str:
    """`fallback_from:qiniu` is "fallback from qiniu"; what follows the colon is a name, and stays as it is."""
    what, _, which = flag.partition(":")
    return f"{what.replace('_', ' ')} {which}".strip()


def _link(path: str) -> str | None:
    """A relative link that stays in the folder; every other character than a plain one is escaped, ":" too."""
    inner = PurePosixPath(path)
    if inner.is_absolute() or ".." in inner.parts:
        return None
    return quote(str(inner).encode("utf-8", "surrogateescape"))


def _facts(row: ManifestRow) -> tuple[str, ...]:
    if not row.path:
        return ()
    return tuple(
        fact
        for fact in (
            seconds_text(row.duration_s) if row.duration_s else "",
            f"{row.width} \u00d7 {row.height}" if row.width and row.height else "",
            {True: "sound", False: "silent", None: ""}[row.has_audio],
        )
        if fact
    )


def _cost(row: ManifestRow, amount: Decimal | None) -> str:
    # A row that goes on after a refusal was not billed for that one, and will be for the next.
    if row.billed is Billed.NO and not row.cost_actual and row.status is not JobStatus.PLANNED:
        return "not billed"
    if amount is None or row.status is JobStatus.SKIPPED:
        return "uncertain: price not known" if row.is_uncertain else ""
    text = money_text(amount, row.currency or "")
    if row.cost_actual is not None:
        return text
    return f"uncertain: {text}" if row.is_uncertain else f"about {text}"


def _details(row: ManifestRow) -> tuple[tuple[str, str], ...]:
    return (
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
