"""A campaign and its clips as pages of Markdown, as Prefect shows them. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from pipelines.catalogue.manifest_row import ManifestRow
from pipelines.core.remote_folder import bucket_address, shown_place

_FALLBACK = "fallback_from:"  # the flag names the provider that was asked first
_MOST_PROMPT = 60
_MARKS = re.compile(r"([\\`*_{}\[\]<>|#~!])")
_BREAKS = re.compile(r"\s+")


def plain(text: str, most: int | None = None) -> str:
    """A user's text on one line of Markdown, none of its characters meaning anything.

    Args:
        text: whatever it is.
        most: so many characters of it; None: all.
    """
    line = _BREAKS.sub(" ", text).strip()
    if most is not None and len(line) > most:
        line = f"{line[: most - 1]}…"
    return _MARKS.sub(r"\\\1", line)


def clip_page(row: ManifestRow, folder: Path, picture: bytes | None, *, rehearsed: bool = False) -> str:
    """One clip: its picture, what it is, what it cost, and where its file is.

    Args:
        row: of a clip that is on disk.
        folder: the output folder.
        picture: a JPEG.
        rehearsed: nothing was paid.
    """
    shown = "" if picture is None else f"![](data:image/jpeg;base64,{base64.b64encode(picture).decode()})\n\n"
    size = f"{row.width} \u00d7 {row.height}" if row.width and row.height else ""
    length = "" if row.duration_s is None else f"{row.duration_s:.1f} s"
    facts = (row.provider, row.model, length, size, row.cost_words, *row.flags)
    kind = " (rehearsed, nothing was paid)" if rehearsed else ""
    file = folder / str(row.path)
    return (
        f"{shown}**{plain(row.id)}**: {row.status.label}{kind}\n\n{' · '.join(plain(fact) for fact in facts if fact)}\n\n"
        f"> {plain(row.prompt, 500)}\n\n[{plain(str(row.path))}]({_link(file)})\n\n"
        f"`{shown_place(file).replace('`', '')}`\n"
    )


def summary_page(rows: Sequence[ManifestRow], folder: Path, *, total: int, pages: Mapping[str, str]) -> str:
    """Make a table of jobs, those that need a person first.

    Args:
        rows: of the manifest, of those that are shown: the browser loads them all.
        folder: the output folder.
        total: so many rows there are.
        pages: by job id, the address of a page about the job alone.
    """
    more = f"{len(rows)} of {total} shown, those that need you first; " if len(rows) < total else ""
    manifest, gallery = (_link(folder / name) for name in ("manifest.csv", "gallery.html"))
    lines = [
        f"{more}all of it: [manifest.csv]({manifest}), [gallery.html]({gallery})",
        "",
        "| id | status | cost | file or reason | prompt | provider | s | size |",
        "|---|---|--:|---|---|---|--:|---|",
    ]
    for row in sorted(rows, key=lambda row: row.status.rank):
        named = plain(row.id)
        cells = (
            f"[{named}]({pages[row.id]})" if row.id in pages else named,
            row.status.label,
            row.cost_words,
            f"[{plain(row.path)}]({_link(folder / row.path)})" if row.path else plain(row.error_message or "", 200),
            plain(row.prompt, _MOST_PROMPT),
            plain(_maker(row)),
            str(row.params.get("seconds") or ""),
            plain(str(row.params.get("size") or "")),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _link(file: Path) -> str:
    """Where a browser finds it; a bucket's address is quoted like a file's, so that no character of it means anything."""
    address = bucket_address(file)
    return file.as_uri() if address is None else quote(address, safe=":/")


def _maker(row: ManifestRow) -> str:
    """Who made it; a fallback says whose place it took."""
    first = next((flag.removeprefix(_FALLBACK) for flag in row.flags if flag.startswith(_FALLBACK)), None)
    return f"{row.provider} {row.model}" if first is None else f"via {row.provider} {row.model}, fallback of {first}"
