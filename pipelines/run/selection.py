"""Which jobs `--only` names: ids in any case, or patterns such as `hero-*`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def choose(ids: Sequence[str], only: Sequence[str]) -> tuple[list[str], list[str]]:
    """Choose ids by name or pattern.

    A name that is an id, letter by letter, means that one; else it means every id that differs in case only; else it is
    a pattern, in which `*` stands for any letters, `?` for one and `[ab]` for one of these.

    Args:
        ids: of the batch, in its order.
        only: names and patterns.

    Returns:
        The ids that are named, in the order of the batch; and the names that mean none.
    """
    exact, folded = set(ids), [(name, name.casefold()) for name in ids]
    chosen: set[str] = set()
    unknown = []
    for wanted in only:
        if wanted in exact:
            chosen.add(wanted)
            continue
        pattern = wanted.casefold()
        found = [name for name, fold in folded if fold == pattern]
        found = found or [name for name, fold in folded if fnmatchcase(fold, pattern)]
        chosen.update(found)
        if not found:
            unknown.append(wanted)
    return [name for name in ids if name in chosen], unknown
