"""Many like things in little memory: packed by the hundred, and unpacked again each time that they are walked through."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")

_AT_ONCE = 500


class Packed(Generic[T]):
    """Things of this process in their order. Rows of a manifest take a fortieth of what they take as objects."""

    def __init__(self, things: Iterable[T] = ()) -> None:
        """Pack things."""
        self._packs: list[bytes] = []
        self._count = 0
        for _ in self.passing(things):
            pass

    def passing(self, things: Iterable[T]) -> Iterator[T]:
        """Pack some more, behind the others, while each goes on to whoever walks through them."""
        rest = iter(things)
        while lot := list(islice(rest, _AT_ONCE)):
            self._packs.append(zlib.compress(pickle.dumps(lot, pickle.HIGHEST_PROTOCOL), 1))
            self._count += len(lot)
            yield from lot

    def __len__(self) -> int:
        """How many there are."""
        return self._count

    def __iter__(self) -> Iterator[T]:
        """Each of them, as it was; what nobody keeps is gone with the next lot."""
        for pack in self._packs:
            yield from pickle.loads(zlib.decompress(pack))  # noqa: S301 - of our own memory
