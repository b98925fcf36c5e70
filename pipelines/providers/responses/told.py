"""What an answer says of an error, at the places that its profile names, else wherever its kind puts it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.core.text.printable import printable
from pipelines.providers.profile.model import Profile
from pipelines.providers.responses import json_values

_NO_ERROR = "0"  # so say those who give a code with every answer
_ALL_WELL = frozenset({_NO_ERROR, "ok", "success", "succeed"})  # the same in words
_LONGEST_CODE, _LONGEST_MESSAGE = 60, 500


def error_told(answer: Mapping[str, Any], profile: Profile) -> tuple[str | None, str | None]:
    """Code and message of an error, safe to show and to store.

    Where a profile names a place, an answer about a job has them there or nowhere; a bare refusal may have them where
    its kind usually puts them.
    """
    code, message = json_values.error_of(answer, profile.errors)
    if profile.answers is None:
        return code, message
    own_code = _at(answer, profile.answers.error_code)
    own_message = _at(answer, profile.answers.error_message)
    of_a_job = _at(answer, (profile.id_path,) if profile.id_path else ()) is not None
    if own_code or (of_a_job and profile.answers.error_code):
        code = own_code and printable(own_code, _LONGEST_CODE)
    if own_message or (of_a_job and profile.answers.error_message):
        message = own_message and printable(own_message, _LONGEST_MESSAGE)
    return None if code == _NO_ERROR else code, message


def _at(answer: Mapping[str, Any], places: Sequence[str]) -> str | None:
    found = (json_values.text(value) for place in places for value in json_values.at_path(answer, place))
    return next((text for text in found if text is not None and text.lower() not in _ALL_WELL), None)
