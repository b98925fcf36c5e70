"""Who remixes whom in one batch: parents come first, however deep it goes, and nobody is their own ancestor."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.batch.planning.draft import Draft
from pipelines.batch.rows.claims import Claims
from pipelines.batch.rows.near_ids import near_ids
from pipelines.core.job import Job
from pipelines.core.text.excerpt import excerpt

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
class Child:
    """A row that remixes another clip."""

    draft: Draft
    place: int  # how many jobs stand before its own
    keys: tuple[str, ...]  # the ids of jobs that it may mean, the nearest first
    parent: str | None = None  # the id that it turned out to mean, where the batch has one
    jobs: list[Job] = field(default_factory=list)
    is_planned: bool = False

    @classmethod
    def of(cls, draft: Draft, place: int) -> Child:
        """The child of a row that names a parent."""
        name, suffix = (draft.row.remix_of or "").casefold(), draft.suffix.casefold()
        if not suffix:
            return cls(draft, place, (name,))
        take = _TAKE.fullmatch(name)
        return cls(draft, place, (f"{name}-{suffix}", *([f"{take[1]}-{suffix}{take[2]}"] if take else []), name))


class Family:
    """The children of one batch, and the jobs that they can come from."""

    def __init__(self, children: Sequence[Child], jobs: Iterable[Job], claims: Claims) -> None:
        self._children, self._claims = children, claims
        self._known = {job.id.casefold(): job for job in jobs}
        self._by_id = {key: child for child in children for key in _explicit_ids(child)}
        self._waiting: dict[str, list[Child]] = {}
        self._ready: deque[tuple[Child, Job | None]] = deque()

    def in_order(self) -> Iterator[tuple[Child, Job | None]]:
        """Every child once, after its parent, with its parent's job.

        Whoever iterates plans the child and puts its jobs into it before asking for the next. Without a parent come those
        that name a clip of the provider, and those whose draft has a problem now, as their parent is not to be had.
        """
        strangers = [child for child in self._children if not self._joins(child)]
        # Ids that reelbatch itself makes are known only when their row is planned, so what looks like one waits longest.
        strangers.sort(key=_may_name_a_derived_id)
        for child in filter(_may_name_a_derived_id, strangers):
            self._wait_for(child, child.keys)
        yield from self._planned()
        near = near_ids(dict.fromkeys(map(_written, strangers)), self._claims.ids()) if strangers else {}
        for child in strangers:
            if not child.is_planned:
                _judge(child, near)
                self._ready.append((child, None))
                yield from self._planned()
        left = [child for child in self._children if not child.is_planned]
        self._report_circles(left)
        for child in left:
            yield child, None

    def _joins(self, child: Child) -> bool:
        """Whether a child names a row of the batch; it is ready, or waits for that row."""
        child.parent = next((key for key in child.keys if key in self._known or self._claims.has_id(key)), None)
        if child.parent is None:
            return False
        if child.parent in self._known:
            self._ready.append((child, self._known[child.parent]))
        else:
            self._wait_for(child, (child.parent,))
        return True

    def _wait_for(self, child: Child, keys: Sequence[str]) -> None:
        for key in keys:
            self._waiting.setdefault(key, []).append(child)

    def _planned(self) -> Iterator[tuple[Child, Job | None]]:
        """The children that are ready, and those that become ready when they are planned."""
        while self._ready:
            child, parent = self._ready.popleft()
            if child.is_planned:
                continue
            child.is_planned = True
            yield child, parent
            for job in child.jobs:
                key = job.id.casefold()
                self._known[key] = job
                self._ready.extend((waiting, job) for waiting in self._waiting.pop(key, ()))

    def _report_circles(self, children: Sequence[Child]) -> None:
        """Name each circle once. Who merely descends from one, or from a row that cannot be planned, is not at fault."""
        met: dict[Child, int] = {}  # with the number of the walk in which it was met
        for number, first in enumerate(children):
            path: list[Child] = []
            child: Child | None = first
            while child is not None and child not in met:
                met[child] = number
                path.append(child)
                child = self._by_id.get(child.parent or "")
            if child is not None and met[child] == number:
                _report_circle(path[path.index(child) :])


def _judge(child: Child, near: Mapping[str, str]) -> None:
    """Refuse what names neither a row nor, by its looks, a clip of the provider."""
    text = _written(child)
    if text in near:
        what, fix = f"{excerpt(text)} is the id of no row here.", f'Did you mean "{near[text]}"? {_ALLOWED}'
        child.draft.refuse(_COLUMN, what, fix)
    elif len(text) > _LONGEST or not _VIDEO_ID.fullmatch(text):
        what = f"{excerpt(text)} is the id of no row here, and does not look like that of a provider's video."
        child.draft.refuse(_COLUMN, what, _ALLOWED)


def _report_circle(circle: list[Child]) -> None:
    start = min(range(len(circle)), key=lambda place: circle[place].draft.index)
    circle = [*circle[start:], *circle[: start + 1]]
    links = [child.draft.base or "" for child in circle]
    if len(links) > _MOST_LINKS:
        links[_MOST_LINKS // 2 : -_MOST_LINKS // 2] = ["..."]
    names = " -> ".join(links)
    fix = "One of them must be made first: empty its remix_of."
    circle[0].draft.refuse(_COLUMN, f"makes it a remix of itself: {names}.", fix)


def _may_name_a_derived_id(child: Child) -> bool:
    return any(map(_DERIVED.fullmatch, child.keys))


def _written(child: Child) -> str:
    return child.draft.row.remix_of or ""


def _explicit_ids(child: Child) -> list[str]:
    base = child.draft.base
    return [job_id.casefold() for job_id in child.draft.ids(base)] if base else []
