"""Fit a remix: it takes over from the clip that it is made of."""

from __future__ import annotations

from dataclasses import replace

from pipelines.batch.matching.fitting import Fit, RequestedClip
from pipelines.batch.matching.mode import chosen_modes
from pipelines.batch.planning.draft import RowDraft
from pipelines.batch.planning.orders import Orders
from pipelines.core.job import Job
from pipelines.core.shape import has_shape, pixels_of, shape_named
from pipelines.core.text.excerpt import quoted
from pipelines.providers.profile.model import Profile


def remix_fit(draft: RowDraft, profile: Profile, parent: Job | None, orders: Orders) -> Fit:
    """The mode of a row that remixes another clip. What contradicts that clip is noted in the draft.

    Args:
        draft: the row.
        profile: of its provider.
        parent: the job that it remixes; None: a clip of the provider, of which nothing is known here.
        orders: those of the batch.
    """
    requested = orders.requested(draft, profile)
    if parent is None:
        fit = orders.fit(profile, requested)
        mode = profile.mode(fit.mode)
        # What `defaults` say is meant for rows that are free to choose.
        if mode.remix is None or not mode.remix.only_prompt:
            return fit
        return orders.fit_in(profile, mode, orders.requested(draft, profile, draft.values.by_default - {"model"}))
    if parent.order.provider != profile.name:
        what = f"{parent.id} is made by {parent.order.provider}, and this row by {profile.name}."
        draft.refuse("remix_of", what, "A clip is remixed where it was made: give both rows the same provider.")
        return orders.fit(profile, requested)
    mode = profile.mode(parent.order.mode)
    if mode.remix is not None and mode.remix.only_prompt and mode in chosen_modes(profile, requested):
        requested = orders.requested(draft, profile, draft.values.by_default)
        _check_inherited(draft, requested, parent)
        its, seconds = parent.order, parent.order.seconds
        seconds = seconds if seconds is not None else requested.seconds
        inherited = replace(requested, model=its.model, seconds=seconds, size=its.size, orientation=its.orientation)
        fit = orders.fit_in(profile, mode, inherited)
        return replace(fit, parameters=tuple(its.extra.items()))  # nothing of it is sent, but it has a price
    fit = orders.fit(profile, requested)
    _check_same_protocol(draft, profile, fit, parent)
    return fit


def _check_inherited(draft: RowDraft, requested: RequestedClip, parent: Job) -> None:
    """A row may repeat what its parent has, and not change it."""
    for column in ("model", "seconds", "size", "orientation"):
        asked, has = getattr(requested, column), getattr(parent.order, column)
        if column == "orientation":
            has = has or parent.order.size
        if asked is None or (has is None and column == "seconds") or repeats(column, str(asked), str(has)):
            continue
        shown = "not known" if has is None else quoted(str(has), 40)
        what = f"is {quoted(str(asked), 40)}, and that of {parent.id} is {shown}."
        draft.refuse(column, what, "A remix has it from the clip that it is made of: leave it empty.")


def repeats(column: str, asked: str, has: str) -> bool:
    """Tell whether a remix asks in this column for what the clip has anyway; a shape may be that of its size."""
    if column == "orientation":
        pixels = pixels_of(has)
        return has_shape(*pixels, asked) if pixels else shape_named(has) == asked
    return asked == has if column == "model" else asked.casefold() == has.casefold()


def _check_same_protocol(draft: RowDraft, profile: Profile, fit: Fit, parent: Job) -> None:
    """One provider may speak several protocols, and a clip of one is unknown to another."""
    remix = profile.mode(fit.mode).remix
    if remix is None:
        return  # refused already
    alike = profile.contract_of(fit.mode) == profile.contract_of(parent.order.mode)
    if remix.only_prompt or not alike:
        what = f"{parent.id} is made by {profile.name} {parent.order.mode}, whose clips {fit.mode} cannot remix."
        draft.refuse("remix_of", what, f"Make {parent.id} with a model of {fit.mode}, or empty remix_of.")
