"""What a check of a profile comes to in words: how each answer reads, what was covered, and what was not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.actions.sample_answers import STAGES, Reading, has_own_result
from pipelines.core.text.counts import first_of
from pipelines.providers.profile.model import Profile
from pipelines.providers.profile.terms import Limits

_TITLES = ("as the answer to an order", "as the answer to a query", "as the result of a job that has ended")
_MOST_NAMED = 8
_ACCEPTED, _SUCCEEDED = "accepted", "succeeded"  # how readings begin


def reading_lines(text: str, reading: Reading) -> Iterator[str]:
    """A reading as a person reads it: each stage, why nothing is read there, and which fits."""
    yield f"{text}{'' if reading.stage is None else f', the answer to: {reading.stage}'}"
    for stage, title in zip(STAGES, _TITLES, strict=True):
        found = reading.at(stage)
        if reading.stage in (None, stage):
            yield f"  {title}: {found.says}"
            yield from (f"    {why}" for why in (*found.why, *found.notes))
    if reading.stage is not None:
        yield f"  {'CONTRADICTS the profile' if reading.contradicts else 'the profile reads it'}"
    else:
        yield f"  fits: {', '.join(reading.fits)}" if reading.fits else "  CONTRADICTS the profile: it fits no stage"


def coverage(profile: Profile, readings: Sequence[Reading], *, rehearsed: bool) -> tuple[list[str], list[str]]:
    """Say what a check has held against the API, and what nobody has looked at.

    Returns:
        What was covered, and what was not with what to do about it.
    """
    orders = [each for each in readings if each.stage in (None, "order") and each.as_order.says.startswith(_ACCEPTED)]
    queries = [each for each in readings if each.stage in (None, "query") and each.as_query.fits and each.progress]
    results = [each for each in readings if each.stage in (None, "result") and each.as_result.fits]
    homes = results if has_own_result(profile) else queries
    files = [each for each in homes if _file_in(each, own=has_own_result(profile))]
    errors = {each.error for each in readings if each.error is not None}
    words = {each.progress.word for each in queries if each.progress is not None}
    seen = (
        ("the answer to an order", bool(orders)),
        ("the answer to a query", bool(queries)),
        ("the answer with the file", bool(files)),
        ("an error", bool(errors)),
    )
    covered = ["the requests"] + [name for name, is_seen in seen if is_seen]
    missing = ["whether the API takes such an order: compare it with the API's page, then buy one short clip"]
    missing += [f"{name}: paste one, and give it with --answer" for name, is_seen in seen if not is_seen]
    for what, left in (("words", [*profile.words]), ("error codes", [*profile.errors])):
        unseen = [each for each in left if each not in words | errors]
        if unseen and readings:
            missing.append(f"{what} that no answer has shown: {first_of(unseen, _MOST_NAMED)}")
    if rehearsed:
        covered.append("a rehearsal")
    else:
        missing.append("a rehearsal: --rehearse")
    return covered, [*missing, *_left_open(profile)]


def _file_in(reading: Reading, *, own: bool) -> bool:
    if own:
        return reading.as_result.says.startswith(_SUCCEEDED)
    return reading.progress is not None and bool(reading.progress.links)


def _left_open(profile: Profile) -> Iterator[str]:
    """What a profile does not say, with what is taken for it."""
    if not any(mode.images.most for mode in profile.modes):
        yield "pictures: no mode takes one (`images`)"
    priced = {price.model for price in profile.prices}
    unpriced = dict.fromkeys(model for mode in profile.modes for model in mode.models if model not in priced)
    if unpriced and "*" not in priced:
        yield f"prices: none for {first_of([*unpriced], _MOST_NAMED)} (`prices`), so no budget can be kept"
    if profile.limits == (usual := Limits()):
        most, rate = usual.in_flight, usual.submit_per_minute
        yield f"limits: none are given (`limits`), so {most} at once and {rate:g} a minute are taken"
    if profile.bills_failures == "unknown":
        yield "whether a job that fails is charged (`bills_failures`)"
