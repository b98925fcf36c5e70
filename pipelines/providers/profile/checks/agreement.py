"""Refuse a profile whose parts contradict each other, which would be silently wrong at the first order. Pure.

pydantic checks each value by itself; here stands what holds between values. Every finding names its place in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

from pipelines.providers.profile.checks.answer_paths import unreadable, unreadable_results
from pipelines.providers.profile.checks.described import described_findings
from pipelines.providers.profile.checks.findings import Disagreement, not_among, within
from pipelines.providers.profile.checks.headers import header_findings
from pipelines.providers.profile.checks.heeded import unheeded
from pipelines.providers.profile.checks.modes import mode_findings
from pipelines.providers.profile.checks.paths import addressing
from pipelines.providers.profile.checks.prices import price_findings
from pipelines.providers.profile.checks.request import clashes, clashes_of_all
from pipelines.providers.profile.model import Profile


def checked_profile(data: Mapping[str, Any]) -> Profile:
    """Make a profile of what a file says.

    Raises:
        ValidationError: with everything that is wrong, each at its place: in single values, or, where all of these are
            right, between them.
    """
    profile = Profile.model_validate(data)
    errors = [
        InitErrorDetails(type="value_error", loc=place, input=None, ctx={"error": ValueError(words)})
        for place, words in disagreements(profile)
    ]
    if errors:
        raise ValidationError.from_exception_data("Profile", errors)
    return profile


def disagreements(profile: Profile) -> list[Disagreement]:
    """Everything that contradicts something else in a profile, and where."""
    found = [*addressing(profile), *word_findings(profile), *model_findings(profile), *clashes_of_all(profile)]
    found += [*described_findings(profile), *header_findings(profile), *unheeded(profile)]
    names: set[str] = set()
    for index, mode in enumerate(profile.modes):
        if mode.name in names:
            found.append((("modes", index, "name"), f'"{mode.name}" is the name of another mode too.'))
        names.add(mode.name)
        found += within(("modes", index), mode_findings(mode, profile))
        for place, words in clashes(mode, profile):
            above = place[0] == "attempt_field" or (place[0] == "callback_field" and mode.callback_field is None)
            found.append((place if above else ("modes", index, *place), words))
    for index, price in enumerate(profile.prices):
        found += within(("prices", index), price_findings(price, profile))
    return found


def word_findings(profile: Profile) -> Iterator[Disagreement]:
    """Find words that would never be found in an answer, and places of an answer that are none."""
    for name, words in (("words", profile.words), ("refusals", profile.refusals), ("errors", profile.errors)):
        for word in words:
            if not word.strip():
                yield (name, word), "is empty, so it would fit everything or nothing."
            elif name != "errors" and word != word.strip().lower():
                yield (name, word), "would never be found: words are compared in small letters."
    for name in ("id_path", "status_path"):
        yield from unreadable((name,), getattr(profile, name))
    yield from unreadable_results(profile.results)


def model_findings(profile: Profile) -> Iterator[Disagreement]:
    """Find models that no mode has, and what no model is asked."""
    spoken = {profile.contract, *(mode.contract for mode in profile.modes if mode.contract is not None)}
    if profile.limits.batch_query > 1 and spoken != {"acedata"}:
        yield ("limits", "batch_query"), "is for the contract acedata only: no other one asks about many jobs at once."
    known = {model for mode in profile.modes for model in mode.models}
    if profile.default_model not in known:
        yield ("default_model",), not_among(profile.default_model, sorted(known))
    for model in profile.retired_models:
        if model not in known:
            yield ("retired_models", model), not_among(model, sorted(known))
    for mode in profile.modes:
        for name in (*mode.fixed, *mode.parameters):
            if name in profile.not_offered:
                yield ("not_offered", name), f"is in `fixed` or `parameters` of the mode {mode.name}: it has an effect."
