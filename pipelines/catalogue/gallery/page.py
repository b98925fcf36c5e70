"""The gallery: one HTML file in the output folder that shows every row, offline, also when it is e-mailed with it.

Nothing is loaded from elsewhere: a Content-Security-Policy allows the one style and the one script by their digests,
and pictures and clips from this folder. Without its script it is a plain page that shows everything.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from importlib import resources
from pathlib import Path
from typing import Any

from pipelines.catalogue.gallery.card import Card, seconds_text, visible
from pipelines.catalogue.gallery.thumbnails import FOLDER
from pipelines.catalogue.manifest_row import ManifestRow
from pipelines.core.money import BUCKETS, Balance, Bucket
from pipelines.core.status import JobStatus, Tone
from pipelines.core.text.amounts import assumed_text, price_text
from pipelines.outputs.storage.whole_file import whole_file

_POSTERS_AT_ONCE = 60  # the script brings the later ones in as they scroll into view


@dataclass(frozen=True, slots=True)
class HeadFigure:
    """An amount of money in the head of the page."""

    amount: str  # in every currency that there is
    words: str
    tone: str = ""
    words_first: bool = False


def write_gallery(
    folder: Path,
    campaign: str,
    rows: Iterable[ManifestRow],
    money: Sequence[Balance] = (),
    *,
    rehearsed: bool = False,
) -> Path:
    """Write `gallery.html`, and say where it is.

    Args:
        folder: the output folder. Only thumbnails that are there are shown.
        campaign: the heading.
        rows: of the manifest, in its order; walked through twice. What is archived or removed is not shown.
        money: what the ledger holds, by currency.
        rehearsed: nothing was paid: the sums are what it would have cost.
    """
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - slow to load, and only needed here
    from markupsafe import Markup  # noqa: PLC0415 - as above

    names = ("gallery.css", "gallery.js", "gallery.html.j2")
    style, script, template = (resources.files(__package__).joinpath(name).read_text("utf-8") for name in names)
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page.filters["visible"] = visible
    parts = page.from_string(template).generate(
        campaign=visible(campaign),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        style_digest=_digest(style),
        script_digest=_digest(script),
        sums=head_figures(money, rehearsed=rehearsed),
        **_shown(folder, rows),
    )
    path = folder / "gallery.html"
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", errors="replace") as file:
        file.writelines(parts)
    return path


def _shown(folder: Path, rows: Iterable[ManifestRow]) -> dict[str, Any]:
    """What the template says of the rows."""
    thumbs = folder / FOLDER
    there = {entry.name for entry in thumbs.iterdir()} if thumbs.is_dir() else set[str]()
    statuses, providers, tones = Counter[str](), Counter[str](), Counter[Tone]()
    done, seconds, last = 0, 0.0, ""

    def shown() -> Iterator[ManifestRow]:
        return (row for row in rows if not (row.archived or row.removed))

    for row in shown():
        statuses[row.status.label] += 1
        tones[row.status.meaning.tone] += 1
        providers[visible(row.provider)] += 1
        done += row.status is JobStatus.DONE
        seconds += (row.duration_s or 0) if row.path else 0
        for moment in (row.submitted_at, row.completed_at, row.downloaded_at):
            if moment is not None:
                last = max(last, f"{moment.astimezone(UTC):%Y-%m-%d}")
    bar, start = [], 0.0
    for tone in (tone for tone in Tone if tones[tone]):
        width = 100 * tones[tone] / tones.total()
        bar.append((tone, round(start, 3), round(width, 3)))  # start and width in per cent
        start += width
    return {
        "cards": (Card(row, there, poster_at_once=number < _POSTERS_AT_ONCE) for number, row in enumerate(shown())),
        "count": tones.total(),
        "done": done,
        "running_time": seconds_text(seconds),
        "date": last,  # of the last event: the same rows give the same page
        "bar": bar,
        "tones": tones,
        "statuses": statuses,
        "providers": providers,
    }


def _digest(text: str) -> str:
    """As a Content-Security-Policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


#: What a rehearsal's buckets say; nothing was paid.
_REHEARSED = {
    Bucket.SPENT: "would have cost",
    Bucket.RESERVED: "would reserve",
    Bucket.UNCERTAIN: "would leave uncertain",
}


def head_figures(money: Sequence[Balance], *, rehearsed: bool) -> list[HeadFigure]:
    """What was surely paid, what is set aside, and what may have been paid, apart; only what there is."""
    figures = []
    for bucket in BUCKETS:
        held = [(balance, *balance.of(bucket)) for balance in money]
        total = " + ".join(f"{price_text(a, b.currency)}{assumed_text(a, part)}" for b, a, part in held if a)
        tone = "warn" if bucket is Bucket.UNCERTAIN and not rehearsed else ""
        words = _REHEARSED[bucket] if rehearsed else bucket.value
        figures += [HeadFigure(total, words, tone, words_first=rehearsed)] if total else []
    return figures
