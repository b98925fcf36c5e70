"""Say why nothing is read at a place of an answer, for whoever wrote the profile: where the way ends, and what is there. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from pipelines.core.text.counts import first_of
from pipelines.core.text.excerpt import quoted
from pipelines.core.text.printable import printable

_LONGEST_NAME, _LONGEST_VALUE = 30, 40
_MOST_NAMES = 8
_KINDS: Mapping[type, str] = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}


class Reach(IntEnum):
    """How far an answer goes along the way to a place."""

    NOWHERE = 0  # it has not even the first name
    BEGUN = 1
    EMPTY = 2  # the way ends at a place with nothing in it
    WRONG = 3  # something stands there, and it is not what it should be


@dataclass(frozen=True, slots=True)
class Unread:
    """Why nothing is read at a place."""

    place: str
    ends: str  # what there is where the way ends
    reach: Reach

    @property
    def words(self) -> str:
        """The same as a sentence of its own."""
        return f"nothing at `{self.place}`; {self.ends}" if self.reach <= Reach.BEGUN else self.ends


def unread_at(answer: Mapping[str, Any], place: str, wanted: str, *, shows_values: bool = False) -> Unread:
    """Follow the way to a place, through every item of a list, and say where it ends.

    Args:
        answer: in which nothing is read at the place.
        place: such as `clips[].url`.
        wanted: what should be there: a link, base64, an id.
        shows_values: tell the beginning of a text as well. Else only names are told: a value may be a secret.
    """
    above: list[Any] = [answer]
    at, reach = "", Reach.NOWHERE
    for step in place.split("."):
        name, is_list = step.removesuffix("[]"), step.endswith("[]")
        found = [each[name] for each in above if isinstance(each, dict) and name in each] if name else above
        if not found:
            return Unread(place, _there(above, at), reach)
        at, reach = f"{at}.{name}".strip("."), Reach.BEGUN
        if not any(found):
            return Unread(place, f"`{at}` is empty", Reach.EMPTY)
        if not is_list and any(isinstance(each, list) and each for each in found):
            return Unread(place, f"`{at}` is a list: write `{at}[]`", Reach.WRONG)
        above = [item for each in found for item in (each if isinstance(each, list) else [each])]
        at += "[]" if is_list else ""
    value = next((each for each in above if each), above[0])
    kind = f" but {_KINDS.get(type(value), 'a number')}"
    shown = f": {quoted(value, _LONGEST_VALUE)}" if shows_values and isinstance(value, str) else kind
    return Unread(place, f"`{at}` is no {wanted}{shown}", Reach.WRONG)


def names_in(value: Mapping[str, Any]) -> str:
    """The first names of an object, safe to show; nothing where it has none."""
    return first_of([printable(str(name), _LONGEST_NAME) for name in value], _MOST_NAMES)


def _there(above: Sequence[Any], at: str) -> str:
    """What there is where a way ends."""
    value = next((each for each in above if isinstance(each, dict)), above[0])
    if isinstance(value, dict):
        names = names_in(value) or "nothing"
        return f"`{at}` has: {names}" if at else f"there is: {names}"
    return f"`{at}` is {_KINDS.get(type(value), 'a number')}"
