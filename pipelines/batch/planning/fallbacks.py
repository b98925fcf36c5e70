"""Other ways to have a row made: each is a whole order, checked and priced like the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pipelines.batch.columns.names import normalised, parameter_key
from pipelines.batch.findings import Report, RowFinding
from pipelines.batch.matching.fitting import Fit, RequestedClip
from pipelines.batch.matching.mode import chosen_modes
from pipelines.batch.planning.draft import RowDraft
from pipelines.batch.planning.orders import Orders
from pipelines.core.job import Choice, Order
from pipelines.core.shape import pixels_of, ratio_of, shape_of
from pipelines.core.text.excerpt import quoted
from pipelines.core.text.suggestion import did_you_mean
from pipelines.pricing.price import Quote
from pipelines.providers.profile.model import Profile

COLUMN = "fallback"
_CHOICE_FIELDS = set(Choice.model_fields)


@dataclass(frozen=True, slots=True)
class Entry:
    """One provider to turn to, written as `provider` or `provider:model`."""

    profile: Profile
    model: str | None  # None: that of the row
    models: frozenset[str]  # all that the provider has

    @property
    def label(self) -> str:
        """Its name in messages."""
        return f"{self.profile.name}:{self.model}" if self.model else self.profile.name


def entry_of(text: str, profiles: Mapping[str, Profile]) -> Entry | RowFinding:
    """One entry of a list of fallbacks, or why it is none."""
    name, _, model = (part.strip() for part in text.partition(":"))
    profile = profiles.get(name) or profiles.get(normalised(name).replace("_", "-"))
    if profile is None:
        what = f"there is no provider {quoted(name, 40)}."
        return RowFinding(COLUMN, what, did_you_mean(name, sorted(profiles)))
    return Entry(profile, model or None, frozenset(one for mode in profile.modes for one in mode.models))


def check_entries(texts: Sequence[str], profiles: Mapping[str, Profile], where: str, report: Report) -> bool:
    """Tell whether a list for the whole batch can be read; what is wrong with it goes to the report, once."""
    entries = [entry_of(text, profiles) for text in texts]
    wrong = [entry for entry in entries if isinstance(entry, RowFinding)]
    wrong += [_twice(text) for place, text in enumerate(texts) if entries[place] in entries[:place]]
    for finding in wrong:
        report.problem(where, finding.what, finding.fix)
    return not wrong


def _twice(text: str) -> RowFinding:
    return RowFinding(COLUMN, f"names {quoted(text, 40)} twice.", "Name each once, in the order to try them.")


class Fallbacks:
    """Plans the fallbacks of one batch."""

    def __init__(self, orders: Orders, profiles: Mapping[str, Profile], general: tuple[str, ...]) -> None:
        """Remember what the batch is made of.

        Args:
            orders: those of the batch.
            profiles: by name.
            general: the fallbacks of rows that name none.
        """
        self._orders, self._profiles, self._general = orders, profiles, general
        self._entries: dict[str, Entry | RowFinding] = {}
        self._fits: dict[tuple[str, RequestedClip, tuple[str | None, str | None, int | None]], Fit] = {}

    def names_of(self, draft: RowDraft) -> tuple[str, ...]:
        """The fallbacks that a row has, as they are written."""
        return self._general if draft.row.fallback is None else draft.row.fallback

    def choices(self, draft: RowDraft, order: Order, first_price: Quote | None) -> tuple[Choice, ...]:
        """A row's fallbacks, in order. What is wrong with any of them is noted in the draft.

        Args:
            draft: the row.
            order: what it buys first.
            first_price: the price of that.
        """
        made: list[Choice] = []
        taken = {(order.provider, order.model)}
        names = self.names_of(draft)
        for name in names:
            if name not in self._entries:
                self._entries[name] = entry_of(name, self._profiles)
            entry = self._entries[name]
            if isinstance(entry, RowFinding):
                draft.problems.append(entry)
                continue
            way = (entry.profile.name, entry.model or order.model)
            if way not in taken:
                taken.add(way)
                made += self._choice(draft, order, first_price, entry)
            elif way != (order.provider, order.model):
                draft.problems.append(_twice(name))
            elif draft.row.fallback is not None or len(names) == 1:  # a longer list may serve rows of several providers
                what = f"{quoted(name, 40)} is where the row is made at first."
                draft.refuse(COLUMN, what, "Name another provider, another model of it, or none.")
        return tuple(made)

    def _choice(self, draft: RowDraft, order: Order, first_price: Quote | None, entry: Entry) -> list[Choice]:
        profile, name = entry.profile, entry.label
        if entry.model is None and order.model not in entry.models:
            what = f"fallback {name}: it has no model {quoted(order.model, 40)}."
            draft.refuse(COLUMN, what, f"Name one of its own, such as {profile.name}:{profile.default_model}.")
            return []
        # What is found here is found of the column of fallbacks, so it is noted apart at first.
        apart = replace(draft, problems=[], warnings=[])
        fit = self._fit(apart, order, entry)
        apart.problems += fit.problems
        apart.warnings += fit.warnings
        turned = self._orders.order(apart, profile, fit)
        price = self._orders.quote(turned)
        for finding in apart.problems:
            draft.refuse(COLUMN, f"fallback {name}: {finding.column}: {finding.what}", finding.fix)
        for finding in apart.warnings:
            draft.warn(COLUMN, f"fallback {name}: {finding.column}: {finding.what}", finding.fix)
        differs = contrasts(order, turned, first_price, price)
        for words in (*self._left_out(draft, order, turned, profile), *differs):
            draft.warn(COLUMN, f"fallback {name} {words}")
        return [
            Choice.model_construct(
                _fields_set=_CHOICE_FIELDS,
                order=turned,
                cost_estimated=price.amount if price else None,
                currency=price.currency if price else None,
                price_assumed=price is not None and price.assumed,
            )
        ]

    def _fit(self, draft: RowDraft, order: Order, entry: Entry) -> Fit:
        """The row in the mode of the fallback that takes it best: size before shape, then with most of its parameters."""
        profile = entry.profile
        asked = replace(
            self._orders.requested(draft, profile),
            model=entry.model or order.model,
            seconds=order.seconds,
            size=None,
            orientation=None,
        )
        key = (profile.name, asked, (order.size, order.orientation, draft.row.seconds))

        def misfit(way: tuple[int, Fit]) -> tuple[int, bool, int, int]:
            number, fit = way  # a shape says more where no size is
            return fit.distance, any(problem.column == "size" for problem in fit.problems), number, -len(fit.parameters)

        if key not in self._fits:
            self._fits[key] = min(self._ways(profile, asked, order, draft.row.seconds), key=misfit)[1]
        return self._fits[key]

    def _ways(
        self, profile: Profile, asked: RequestedClip, order: Order, seconds: int | None
    ) -> Iterator[tuple[int, Fit]]:
        """Every way to ask for what was first ordered, numbered from the best, in every mode that may take it."""
        fixed = {name for mode in profile.modes for name in mode.fixed}
        pixels = pixels_of(order.size)
        pictures = [(None if pixels is None else order.size, None if pixels else order.orientation)]
        if pixels is not None:
            shapes = [order.orientation] if order.orientation else dict.fromkeys((ratio_of(*pixels), shape_of(*pixels)))
            pictures += [(None, shape) for shape in shapes]
        for number, (size, shape) in enumerate(pictures):
            requested = replace(asked, size=size, orientation=shape)
            # The row's parameters speak against no mode, but its fixed keys do.
            keys = tuple(each for each in requested.given if each[0] in fixed)
            for mode in chosen_modes(profile, replace(requested, given=keys)):
                # A parameter that the mode does not have is left out, and a length that the row does not insist on.
                given = tuple(each for each in requested.given if each[0] in mode.parameters or each[0] in mode.fixed)
                length = requested.seconds if mode.seconds is not None else seconds
                yield number, self._orders.fit_in(profile, mode, replace(requested, given=given, seconds=length))

    def _left_out(self, draft: RowDraft, order: Order, turned: Order, profile: Profile) -> Iterator[str]:
        """The parameters that the row gives its first provider, and that the fallback does not take."""
        if not order.extra:
            return
        taken = {parameter_key(name) for name in profile.mode(turned.mode).parameters}
        first = self._profiles[order.provider]
        parameters = first.mode(order.mode).parameters
        for name, _ in self._orders.given(draft, first):
            if name in parameters and parameter_key(name) not in taken:
                yield f"takes no {name}: it is left out there."


def contrasts(order: Order, turned: Order, first_price: Quote | None, price: Quote | None) -> Iterator[str]:
    """Say in what a fallback is another clip, or costs more, than what the row buys first.

    Args:
        order: what the row buys first.
        turned: what it buys of the fallback.
        first_price: the price of the first; None: not known.
        price: the price of the other.
    """
    if order.seconds is not None and turned.seconds is None:
        yield f"decides itself how long a clip is, and {order.provider} makes {order.seconds} s."
    if order.size is not None and turned.size is not None and order.size != turned.size:
        yield f"makes {turned.size} instead of {order.size}."
    if price is None:
        yield "has no known price."
    elif first_price is not None and first_price.currency != price.currency:
        known = f"{first_price.amount} {first_price.currency}"
        yield f"costs {price.amount} {price.currency}, and {order.provider} {known}."
    elif first_price is not None and price.amount > first_price.amount:
        yield f"is dearer: {price.amount} {price.currency} instead of {first_price.amount} at {order.provider}."
