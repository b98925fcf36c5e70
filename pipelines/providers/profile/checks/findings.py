"""Findings of the checks of a profile, and the sentences that several of them share. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pipelines.core.text.strict_yaml import Place
from pipelines.providers.profile.model import Mode

#: A place, as keys and indexes from the top of the file or of the part that is looked at; and what is wrong there.
Disagreement = tuple[Place, str]


def within(place: Place, findings: Iterable[Disagreement]) -> Iterator[Disagreement]:
    """The same findings, as somebody names them who looks from further away."""
    return (((*place, *inner), words) for inner, words in findings)


def at(place: Place, sentences: Iterable[str]) -> Iterator[Disagreement]:
    """Several findings about one place."""
    return ((place, words) for words in sentences)


def unknown_models(place: Place, models: Iterable[str], mode: Mode) -> Iterator[Disagreement]:
    """The models at a place that the mode does not have."""
    return ((place, not_among(model, mode.models)) for model in models if model not in mode.models)


def not_among(value: Any, allowed: Collection[Any] | Mapping[Any, Any]) -> str:
    """A value is none of those that there are."""
    known = ", ".join(map(str, allowed))
    return f"{value} is not among what there is: {known}." if known else f"{value} is not there, nor is any other."


def in_full(number: float) -> str:
    """A number as a person writes it: 4294967295 and not 4.29497e+09."""
    return f"{number:.15g}"
