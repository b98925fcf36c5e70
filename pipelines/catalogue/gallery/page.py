"""The gallery: one HTML file in the output folder that shows every row, offline, also when it is e-mailed with it.

Nothing is loaded from elsewhere: a Content-Security-Policy allows the one style and the one script by their digests,
and pictures and clips from this folder. Without its script it is a plain page that shows everything.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from pathlib import Path

from pipelines.catalogue.gallery.card import Card, card, money_text, seconds_text, visible
from pipelines.catalogue.gallery.thumbnails import FOLDER
from pipelines.catalogue.manifest_row import ManifestRow
from pipelines.core.status import JobStatus, Tone
from pipelines.ledger.balances import Balance
from pipelines.outputs.storage.whole_file import whole_file

_POSTERS_AT_ONCE = 60  # the script brings the later ones in as they scroll into view


@dataclass(frozen=True, slots=True)
class Sum:
    """An amount of money in the head of the page."""

    amount: str  # in every currency that there is
    words: str
    tone: str = ""
    words_first: bool = False


def write_gallery(
    folder: Path,
    campaign: str,
    rows: Sequence[ManifestRow],
    money: Sequence[Balance] = (),
    *,
    rehearsed: bool = False,
) -> Path:
    """Write `gallery.html`, and say where it is.

    Args:
        folder: the output folder. Only thumbnails that are there are shown.
        campaign: the heading.
        rows: of the manifest, in its order.
        money: what the ledger holds, by currency.
        rehearsed: nothing was paid: the sums are what it would have cost.
    """
    thumbs = folder / FOLDER
    posters = {entry.name for entry in thumbs.iterdir()} if thumbs.is_dir() else set()
    cards = [card(row, posters, poster_at_once=number < _POSTERS_AT_ONCE) for number, row in enumerate(rows)]
    path = folder / "gallery.html"
    with whole_file(path) as temporary:
        temporary.write_text(
            _page(campaign, rows, cards, _sums(money, rehearsed=rehearsed)), encoding="utf-8", errors="replace"
        )
    return path


def _page(campaign: str, rows: Sequence[ManifestRow], cards: Sequence[Card], sums: Sequence[Sum]) -> str:
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - slow to load, and only needed here
    from markupsafe import Markup  # noqa: PLC0415 - as above

    style, script, template = (_text(name) for name in ("gallery.css", "gallery.js", "gallery.html.j2"))
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return page.from_string(template).render(
        campaign=visible(campaign),
        cards=cards,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        style_digest=_digest(style),
        script_digest=_digest(script),
        done=sum(row.status is JobStatus.DONE for row in rows),
        sums=sums,
        running_time=seconds_text(sum(row.duration_s or 0 for row in rows if row.path)),
        date=_date(rows),
        bar=_bar(cards),
        tones=Counter(one.tone for one in cards),
        statuses=Counter(one.status for one in cards),
        providers=Counter(one.provider for one in cards),
    )


def _text(name: str) -> str:
    return resources.files("pipelines.catalogue.gallery").joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """As a Content-Security-Policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _sums(money: Sequence[Balance], *, rehearsed: bool) -> list[Sum]:
    """What was surely paid, what is set aside, and what may have been paid, apart; only what there is."""
    if rehearsed:
        total = _joined((balance.committed, balance.currency) for balance in money)
        return [Sum(total, "would have cost", words_first=True)] if total else []
    sums = (
        Sum(_joined((balance.spent, balance.currency) for balance in money), "spent"),
        Sum(_joined((balance.reserved, balance.currency) for balance in money), "reserved"),
        Sum(_joined((balance.uncertain, balance.currency) for balance in money), "uncertain", "warn"),
    )
    return [one for one in sums if one.amount]


def _joined(amounts: Iterable[tuple[Decimal, str]]) -> str:
    return " + ".join(money_text(amount, currency) for amount, currency in amounts if amount)


def _date(rows: Iterable[ManifestRow]) -> str:
    """The day of the last thing that happened, so that the same rows give the same page."""
    moments = [moment for row in rows for moment in (row.submitted_at, row.completed_at, row.downloaded_at) if moment]
    return f"{max(moments):%Y-%m-%d}" if moments else ""


def _bar(cards: Sequence[Card]) -> list[tuple[Tone, float, float]]:
    """The parts of the progress bar: tone, start and width in per cent."""
    counts = Counter(one.tone for one in cards)
    parts, start = [], 0.0
    for tone in Tone:
        if counts[tone]:
            width = 100 * counts[tone] / len(cards)
            parts.append((tone, round(start, 3), round(width, 3)))
            start += width
    return parts
