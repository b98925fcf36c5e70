"""Columns that a row's provider knows under names of its own are read as ours, or refused where that is not clear."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from pipelines.batch.columns.names import Column, parameter_key
from pipelines.batch.columns.vendor_words import Word, selecting_names, vendor_words
from pipelines.batch.files.document import Value
from pipelines.batch.planning.draft import RowDraft
from pipelines.batch.rows.reference import split_references
from pipelines.batch.rows.row import read_row
from pipelines.batch.rows.template import names_in
from pipelines.core.text.excerpt import quoted
from pipelines.providers.profile.model import Profile

_IMAGES = "image_url"


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """The meanings of the user's own columns to one provider."""

    words: tuple[tuple[str, Word | None], ...]  # column as written, and the field that it is; None: not clear which
    idle: tuple[tuple[str, str], ...]  # column as written, and why it has no effect
    shapes: Mapping[str, str]  # the provider's words for a shape, in small letters, and ours
    columns: tuple[str, ...]  # all of these

    @classmethod
    def of(cls, profile: Profile, own: Sequence[Column]) -> _Vocabulary:
        """The meanings of these columns to the provider of a profile."""
        words, offered = vendor_words(profile), profile.not_offered.items()
        fixed = ((name, f"{name}: {json.dumps(value)}") for name, value in profile.fixed.items())
        idle = {parameter_key(name): f"reelbatch does not offer it. {fix}" for name, fix in offered}
        idle |= {parameter_key(name): f"every order says {value}." for name, value in fixed}
        taken = {*words, *selecting_names(profile)}
        keys = [(column.written, parameter_key(column.written)) for column in own]
        shapes = [rule.values for mode in profile.modes if (rule := mode.orientation)]
        return cls(
            words=tuple((written, words[key]) for written, key in keys if key in words),
            idle=tuple((written, idle[key]) for written, key in keys if key in idle and key not in taken),
            shapes={word.casefold(): shape for values in shapes for shape, word in values.items()},
            columns=tuple(written for written, key in keys if key in words or key in idle),
        )


class PicturesUnclear(ValueError):
    """Pictures whose order nobody can tell; what is wrong."""


class Translator:
    """Translates the rows of one batch."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._own = [column for column in columns.values() if column.own]
        self._variables = {column.written: column.variable for column in self._own}
        self._vocabularies: dict[str, _Vocabulary] = {}

    def translate(self, draft: RowDraft, profile: Profile) -> None:
        """Read a row's columns as its provider means them. What is not clear, or has no effect, is noted in the draft."""
        if profile.name not in self._vocabularies:
            self._vocabularies[profile.name] = _Vocabulary.of(profile, self._own)
        vocabulary = self._vocabularies[profile.name]
        own = draft.values.own
        if not vocabulary.columns or not any(map(own.get, vocabulary.columns)):
            return
        named = names_in(draft.row.prompt) | names_in(draft.row.filename or "")
        spoken = {written for written in vocabulary.columns if self._variables[written] in named}
        for written, why in vocabulary.idle:
            if own.get(written) and written not in spoken:
                draft.warn(written, f"has no effect: {why}")
        said = [(written, word) for written, word in vocabulary.words if own.get(written)]
        for written, word in said:
            # A column that a template names may be meant as a word only; the clip is another then, so it is said.
            if written in spoken and word is not None and word.meaning != "callback":
                fix = f'Give a column "{word.meaning}" if it is meant so.'
                draft.warn(written, f"is not read as {word.meaning}, since a template names it.", fix)
        heard = [(written, word) for written, word in said if written not in spoken]
        for written, word in heard:
            if word is None or word.meaning in ("callback", "remix_of"):
                _refuse(draft, written, word, profile)
            elif (text := word.in_our_words(own[written])) is None:
                what = f"is {word.field} at {profile.name}, and {quoted(own[written], 40)} is no whole number of seconds there."
                draft.refuse(
                    written, what, f'Write {4 * word.per_second + word.more} for 4 s, or give a column "seconds".'
                )
            elif word.meaning != _IMAGES:
                shapes = vocabulary.shapes if word.meaning == "orientation" else {}
                _read(draft, written, word, shapes.get(text.casefold(), text))
        _read_images(draft, [(written, word) for written, word in heard if word and word.meaning == _IMAGES])


def _refuse(draft: RowDraft, written: str, word: Word | None, profile: Profile) -> None:
    if word is None:
        what = f"has several meanings at {profile.name}."
        fix = "Give the column that is meant: seconds, size, orientation or image_url."
    elif word.meaning == "callback":
        what, fix = "is not read from a row.", "Give one address for the whole run: --callback-url."
    else:
        what = f"is how {profile.name} names the clip of a remix; here it would have no effect."
        fix = f'Name that clip in a column "{word.meaning}".'
    draft.refuse(written, what, fix)


def _read(draft: RowDraft, written: str, word: Word, text: str) -> None:
    """Take a value for a column of ours, unless that says something else."""
    column = word.meaning
    row, problems, warnings = read_row({column: text})
    value = draft.values.canonical.get(column)
    if value is None or not value:
        draft.problems += problems
        draft.warnings += warnings
        _adopt(draft, written, column, text)
        draft.row = replace(draft.row, **{column: getattr(row, column)})
    elif problems or getattr(row, column) != getattr(draft.row, column):
        shown = quoted(value if isinstance(value, str) else " ".join(value), 40)
        what = f"says {quoted(text, 40)}, and {draft.called.get(column, column)} {shown}."
        draft.refuse(written, what, f'Keep one of the two, as "{column}".')


def _read_images(draft: RowDraft, pictures: Sequence[tuple[str, Word]]) -> None:
    """Put the pictures of the provider's own fields in their places, with those of our column."""
    if not pictures or any(problem.column == _IMAGES for problem in draft.problems):
        return
    found = list(draft.row.image_url)
    pictures = sorted(pictures, key=lambda each: each[1].place or 0)
    for written, word in pictures:
        try:
            found = with_pictures(found, word, draft.values.own[written])
        except PicturesUnclear as unclear:
            draft.refuse(written, str(unclear), f'Give all pictures in a column "{_IMAGES}", in their order.')
            return
    row, problems, warnings = read_row({_IMAGES: tuple(found)})
    draft.problems += problems
    draft.warnings = [warning for warning in draft.warnings if warning.column != _IMAGES] + warnings
    for written, _ in pictures:
        _adopt(draft, written, _IMAGES, tuple(found))
    draft.row = replace(draft.row, image_url=row.image_url)
    draft.image_fields = tuple(word.field for _, word in pictures)


def with_pictures(pictures: list[str], word: Word, text: str) -> list[str]:
    """The pictures so far, and those of one field in their places.

    Args:
        pictures: so far.
        word: the field.
        text: its cell: addresses, or a JSON list of them.

    Raises:
        PicturesUnclear: the field says another thing than what there is, or its place is not the next one.
    """
    given: Any = list(split_references(text))
    if text[:1] in "[{":
        with suppress(ValueError, RecursionError):
            given = json.loads(text)
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        raise PicturesUnclear("holds more than addresses.")
    if word.place is None:
        if pictures and pictures != given:
            raise PicturesUnclear("names other pictures than the columns beside it.")
        return given
    if len(given) != 1:
        raise PicturesUnclear(f"takes one picture, and {len(given)} are given.")
    if word.place > len(pictures):
        raise PicturesUnclear(f"is picture {word.place + 1}, and there is no picture {word.place}.")
    if pictures[word.place : word.place + 1] not in ([], given):
        raise PicturesUnclear("names another picture than the column beside it.")
    return [*pictures[: word.place], *given, *pictures[word.place + 1 :]]


def _adopt(draft: RowDraft, written: str, column: str, value: Value) -> None:
    values = draft.values
    by_default = values.by_default | ({column} if written in values.by_default else set())
    if column not in values.canonical:
        draft.called[column] = written
    draft.values = replace(values, canonical={**values.canonical, column: value}, by_default=frozenset(by_default))
    counted = f"{value} " if column == "seconds" and value != values.own[written] else ""
    draft.warn(written, f"is read as {counted}{column}.")
