"""Ids that are one slip of the pen away from each other, found in time that grows with their number only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

#: A slip in a shorter word makes another word of it.
_SHORTEST = 4

#: So many texts, and so long ones, are looked at: the index of them stays small.
_MOST_TEXTS, _LONGEST = 1_000, 120


def near_ids(texts: Iterable[str], ids: Iterable[str]) -> Mapping[str, str]:
    """For each text the first id that differs from it by one sign: changed, missing, too many, or swapped.

    Two such words meet when one sign is left out of one or of both.

    Args:
        texts: what somebody wrote; only the first thousand are looked at.
        ids: what there is, in small letters.
    """
    index: dict[str, list[str]] = {}
    for _, text in zip(range(_MOST_TEXTS), texts, strict=False):
        if _SHORTEST <= len(text) <= _LONGEST:
            for variant in _variants(text.casefold()):
                index.setdefault(variant, []).append(text)
    found: dict[str, str] = {}
    for job_id in ids if index else ():
        for variant in _variants(job_id) if len(job_id) <= _LONGEST else ():
            for text in index.get(variant, ()):
                found.setdefault(text, job_id)
    return found


def _variants(word: str) -> Iterator[str]:
    yield word
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]
