"""The graph of remixes in one batch: parents come first, however deep it goes, and nobody is their own ancestor."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.batch.findings import RowFinding
from pipelines.batch.planning.draft import RowDraft
from pipelines.batch.rows.claims import Claims
from pipelines.batch.rows.near_ids import near_ids
from pipelines.core.job import Job
from pipelines.core.text.excerpt import quoted

#: What the ids of clips look like: a word for it and something with a digit, a UUID, or anything with one long token.
_VIDEO_ID = re.compile(
    r"(?:[a-z]*videos?|task)[-_:](?=\S*[0-9])[\w+/=:.-]{8,}"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|(?=\S*(?:[0-9]{15}|(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{16}))[\w+/=:.-]+",
    re.IGNORECASE | re.ASCII,
)
_ALLOWED = "Allowed are the id of a row, and the provider's id of a video, such as video_68d7512d07848190."
_TAKE = re.compile(r"(.+)(-t[0-9]{1,3})")
_DERIVED = re.compile(r".+-[0-9a-f]{10}(?:-[0-9]+)?(?:-t[0-9]+)?", re.IGNORECASE)
_COLUMN = "remix_of"
_LONGEST = 1_000  # characters of an id
_MOST_LINKS = 40  # of a circle, that a message names


@dataclass(slots=True, eq=False)
class RemixRow:
    """A row that remixes another clip."""

    draft: RowDraft
    place: int  # how many jobs stand before its own
    keys: tuple[str, ...]  # the ids of jobs that it may mean, the nearest first
    parent: str | None = None  # the id that it turned out to mean, where the batch has one
    jobs: list[Job] = field(default_factory=list)
    is_planned: bool = False

    @classmethod
    def of(cls, draft: RowDraft, place: int) -> RemixRow:
        """The remix of a row that names a parent."""
        name, suffix = (draft.row.remix_of or "").casefold(), draft.suffix.casefold()
        if not suffix:
            return cls(draft, place, (name,))
        take = _TAKE.fullmatch(name)
        return cls(draft, place, (f"{name}-{suffix}", *([f"{take[1]}-{suffix}{take[2]}"] if take else []), name))


class RemixGraph:
    """The remixes of one batch, and the jobs that they can come from."""

    def __init__(self, remixes: Sequence[RemixRow], jobs: Iterable[Job], claims: Claims) -> None:
        self._remixes, self._claims = remixes, claims
        self._known = {job.id.casefold(): job for job in jobs}
        self._by_id = {
            job_id.casefold(): remix
            for remix in remixes
            if (base := remix.draft.base)
            for job_id in remix.draft.ids(base)
        }
        self._waiting: dict[str, list[RemixRow]] = {}
        self._ready: deque[tuple[RemixRow, Job | None]] = deque()

    def in_order(self) -> Iterator[tuple[RemixRow, Job | None]]:
        """Every remix once, after its parent, with its parent's job.

        Whoever iterates plans the remix and puts its jobs into it before asking for the next. Without a parent come those
        that name a clip of the provider, and those whose draft has a problem now, as their parent is not to be had.
        """
        external = [remix for remix in self._remixes if not self._joins(remix)]
        # Ids that reelbatch itself makes are known only when their row is planned, so what looks like one waits longest.
        external.sort(key=_may_name_a_derived_id)
        for remix in filter(_may_name_a_derived_id, external):
            self._wait_for(remix, remix.keys)
        yield from self._planned()
        near = near_ids(dict.fromkeys(map(_written, external)), self._claims.ids()) if external else {}
        for remix in external:
            if not remix.is_planned:
                wrong = no_clip(_written(remix), near)
                if wrong:
                    remix.draft.problems.append(wrong)
                self._ready.append((remix, None))
                yield from self._planned()
        left = [remix for remix in self._remixes if not remix.is_planned]
        for circle in circles(left, lambda remix: self._by_id.get(remix.parent or "")):
            links = [each.draft.base or "" for each in (*circle, circle[0])]
            if len(links) > _MOST_LINKS:
                links[_MOST_LINKS // 2 : -_MOST_LINKS // 2] = ["..."]
            what = f"makes it a remix of itself: {' -> '.join(links)}."
            circle[0].draft.refuse(_COLUMN, what, "One of them must be made first: empty its remix_of.")
        for remix in left:
            yield remix, None

    def _joins(self, remix: RemixRow) -> bool:
        """Tell whether a remix names a row of the batch; it is ready then, or waits for that row."""
        remix.parent = next((key for key in remix.keys if key in self._known or self._claims.has_id(key)), None)
        if remix.parent is None:
            return False
        if remix.parent in self._known:
            self._ready.append((remix, self._known[remix.parent]))
        else:
            self._wait_for(remix, (remix.parent,))
        return True

    def _wait_for(self, remix: RemixRow, keys: Sequence[str]) -> None:
        for key in keys:
            self._waiting.setdefault(key, []).append(remix)

    def _planned(self) -> Iterator[tuple[RemixRow, Job | None]]:
        """The remixes that are ready, and those that become ready when they are planned."""
        while self._ready:
            remix, parent = self._ready.popleft()
            if remix.is_planned:
                continue
            remix.is_planned = True
            yield remix, parent
            for job in remix.jobs:
                key = job.id.casefold()
                self._known[key] = job
                self._ready.extend((waiting, job) for waiting in self._waiting.pop(key, ()))


def circles(remixes: Iterable[RemixRow], parent_of: Callable[[RemixRow], RemixRow | None]) -> Iterator[list[RemixRow]]:
    """Each circle of remixes once, from its first row in the file on.

    Who merely descends from a circle, or from a row that cannot be planned, is in none.
    """
    met: dict[RemixRow, int] = {}  # with the number of the walk in which it was met
    for number, first in enumerate(remixes):
        path: list[RemixRow] = []
        remix: RemixRow | None = first
        while remix is not None and remix not in met:
            met[remix] = number
            path.append(remix)
            remix = parent_of(remix)
        if remix is not None and met[remix] == number:
            circle = path[path.index(remix) :]
            start = min(range(len(circle)), key=lambda place: circle[place].draft.index)
            yield circle[start:] + circle[:start]


def no_clip(text: str, near: Mapping[str, str]) -> RowFinding | None:
    """Say what is wrong with a text that names no row, unless it looks like a provider's id of a clip.

    Args:
        text: what the row says.
        near: the ids of rows that texts like this were probably meant to be.
    """
    if text in near:
        fix = f'Did you mean "{near[text]}"? {_ALLOWED}'
        return RowFinding(_COLUMN, f"{quoted(text)} is the id of no row here.", fix)
    if len(text) > _LONGEST or not _VIDEO_ID.fullmatch(text):
        what = f"{quoted(text)} is the id of no row here, and does not look like that of a provider's video."
        return RowFinding(_COLUMN, what, _ALLOWED)
    return None


def _may_name_a_derived_id(remix: RemixRow) -> bool:
    return any(map(_DERIVED.fullmatch, remix.keys))


def _written(remix: RemixRow) -> str:
    return remix.draft.row.remix_of or ""
