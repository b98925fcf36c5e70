"""Orders: one row at one provider, fitted to a mode, filled in, checked and priced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.batch.columns.names import WELL_KNOWN, Column, near_miss, normalised, parameter_key, variable_name
from pipelines.batch.columns.vendor_words import selecting_names, vendor_keys
from pipelines.batch.matching.fitting import ANY, Fit, RequestedClip
from pipelines.batch.matching.image_files import misfits, plain_addresses
from pipelines.batch.matching.mode import best_fit, fit_in, free_names, priced_fields
from pipelines.batch.matching.parameters import ParameterRefused, parameter_value
from pipelines.batch.matching.prompt import too_long
from pipelines.batch.planning.draft import RowDraft
from pipelines.batch.rows.template import TemplateRefused, fill, is_template, names_in
from pipelines.core.job import Order, built
from pipelines.pricing.price import Quote, quote
from pipelines.providers.profile.model import Mode, Profile


@dataclass(frozen=True, slots=True)
class _Meaning:
    """The meanings of a batch's columns to one provider."""

    given: tuple[tuple[str, str], ...]  # own column as written, and the fixed key or parameter that it is
    instead: frozenset[str]  # columns of ours that no mode has a rule for, and that are parameters of that name
    idle: tuple[str, ...]  # own columns that elsewhere are a parameter
    free: frozenset[str]  # the parameters whose value never decides a mode
    priced: frozenset[str]  # those that a price depends on, as the request calls them


class Orders:
    """Makes the orders of one batch. Rows that ask for the same are decided once."""

    def __init__(
        self,
        columns: Mapping[str, Column],
        profiles: Mapping[str, Profile],
        name: str,
        occurrence: Mapping[str, str],
    ) -> None:
        self._profiles, self._name, self._occurrence = profiles, name, occurrence
        self._own = [written for written, column in columns.items() if column.own]
        self._variables = {written: column.variable for written, column in columns.items()}
        modes = [mode for profile in profiles.values() for mode in profile.modes]
        self._parameters = WELL_KNOWN.union(parameter_key(name) for mode in modes for name in mode.parameters)
        self._meanings: dict[str, _Meaning] = {}
        self._fits: dict[tuple[str, str, RequestedClip], Fit] = {}
        self._quotes: dict[tuple[object, ...], Quote | None] = {}

    def requested(self, draft: RowDraft, profile: Profile, without: frozenset[str] = frozenset()) -> RequestedClip:
        """The clip that a row asks of a provider.

        Args:
            draft: the row.
            profile: of the provider.
            without: columns that do not count.
        """
        row, pictures, meaning = draft.row, draft.pictures, self._meaning(profile)
        dropped = without | meaning.instead
        given = self.given(draft, profile, without)
        words = _words(draft) if meaning.given else frozenset()
        return RequestedClip(
            model=row.model if "model" not in dropped else None,
            seconds=row.seconds if "seconds" not in dropped else None,
            size=row.size if "size" not in dropped else None,
            orientation=row.orientation if "orientation" not in dropped else None,
            images=len(row.image_url) if "image_url" not in dropped else 0,
            local_images=sum(picture.is_local for picture in pictures) if "image_url" not in dropped else 0,
            image_fields=draft.image_fields if profile is draft.profile and "image_url" not in dropped else (),
            character=row.character_url is not None and "character_url" not in dropped,
            remix=row.remix_of is not None,
            silent=not row.prompt and not any(problem.column == "prompt" for problem in draft.problems),
            given=tuple((name, ANY if name in meaning.free else text) for name, text in given),
            spoken=frozenset(name for written, name in meaning.given if self._variables[written] in words),
        )

    def given(
        self, draft: RowDraft, profile: Profile, without: frozenset[str] = frozenset()
    ) -> tuple[tuple[str, str], ...]:
        """The fixed keys and parameters of a provider that a row gives, with their texts."""
        meaning, own, canonical = self._meaning(profile), draft.values.own, draft.values.canonical
        found = [(name, own[written]) for written, name in meaning.given if own.get(written) and written not in without]
        for name in sorted(meaning.instead - without):
            value = canonical.get(name)
            if isinstance(value, str):
                found.append((name, value))
        return tuple(found)

    def idle(self, draft: RowDraft, profile: Profile) -> Iterator[str]:
        """The columns of a row that look like parameters, and that its provider does not take."""
        idle = [written for written in self._meaning(profile).idle if draft.values.own.get(written)]
        words = _words(draft) if idle else frozenset()
        return (written for written in idle if self._variables[written] not in words)

    def fit(self, profile: Profile, requested: RequestedClip) -> Fit:
        """The mode that takes the row, or the nearest one."""
        key = (profile.name, "", requested)
        if key not in self._fits:
            self._fits[key] = best_fit(profile, requested)
        return self._fits[key]

    def fit_in(self, profile: Profile, mode: Mode, requested: RequestedClip) -> Fit:
        """The row in this mode."""
        key = (profile.name, mode.name, requested)
        if key not in self._fits:
            self._fits[key] = fit_in(profile, mode, requested)
        return self._fits[key]

    def order(self, draft: RowDraft, profile: Profile, fit: Fit, remix_of: str | None = None) -> Order:
        """The order of a row in a mode. What is wrong with its words and pictures is noted in the draft."""
        row, mode = draft.row, profile.mode(fit.mode)
        inherits = remix_of is not None and mode.remix is not None and mode.remix.only_prompt
        pictures = () if inherits else draft.pictures
        if pictures and not any(problem.column == "image_url" for problem in draft.problems):
            draft.problems += misfits(pictures, fit.size, mode, profile)
        character = (None, None, None) if inherits else (row.character_url, row.character_start, row.character_end)
        if profile.wants_https:
            draft.warnings += plain_addresses({"image_url": row.image_url, "character_url": (row.character_url or "",)})
        # The values were checked one by one; checking them again would double the time for 100,000 rows.
        values = {
            "provider": profile.name,
            "mode": fit.mode,
            "fixed": mode.fixed,
            "model": fit.model,
            "prompt": self._prompt(draft, profile, fit),
            "seconds": fit.seconds,
            "size": fit.size,
            "orientation": fit.orientation,
            "image_urls": tuple(picture.reference for picture in pictures),
            "character_url": character[0],
            "character_start": character[1],
            "character_end": character[2],
            "remix_of": remix_of,
            "extra": dict(fit.parameters) if inherits else self._extra(draft, profile, fit),
        }
        return built(Order, values)

    def _extra(self, draft: RowDraft, profile: Profile, fit: Fit) -> dict[str, Any]:
        """The provider's own parameters: those that decided the mode, and those that every row has its own of."""
        extra = dict(fit.parameters)
        rules, free = profile.mode(fit.mode).parameters, self._meaning(profile).free
        for name, text in self.given(draft, profile):
            if name in free and name in rules:
                rule = rules[name]
                try:
                    extra[rule.field or name] = parameter_value(rule, text, fit.model)
                except ParameterRefused as refused:
                    draft.refuse(name, refused.what, refused.fix)
        return extra

    def quote(self, order: Order) -> Quote | None:
        """The price of an order, or None where it is unknown."""
        profile = self._profiles[order.provider]
        priced = self._meaning(profile).priced if order.extra else frozenset()
        values = tuple((name, repr(value)) for name, value in order.extra.items() if name in priced)
        key = (order.provider, order.mode, order.model, order.seconds, order.size, values)
        if key not in self._quotes:
            self._quotes[key] = quote(order, profile)
        return self._quotes[key]

    def variables(self, draft: RowDraft, order: Order | Fit, provider: str) -> dict[str, str]:
        """The variables of a template: the user's own columns, the canonical ones, and what the defaults decided."""
        row, values = draft.row, draft.values
        variables = {**self._occurrence, "provider": provider, "model": order.model}
        variables |= {"seconds": "" if order.seconds is None else str(order.seconds), "size": order.size or ""}
        variables["orientation"] = order.orientation or row.orientation or ""
        variables["campaign"] = row.campaign or self._name
        for name, value in values.canonical.items():
            if name not in variables:
                variables[name] = value if isinstance(value, str) else " ".join(value or ())
        variables.update({self._variables.get(name) or variable_name(name): text for name, text in values.own.items()})
        return variables

    def _prompt(self, draft: RowDraft, profile: Profile, fit: Fit) -> str:
        prompt = draft.row.prompt
        if is_template(prompt):
            variables = self.variables(draft, fit, profile.name)
            variables.pop("prompt", None)
            try:
                prompt = fill(prompt, variables).strip()
            except TemplateRefused as refused:
                draft.refuse("prompt", f"{refused}.", refused.fix)
                return ""
            if not prompt and not profile.mode(fit.mode).prompt_optional:
                draft.refuse("prompt", "is empty once its columns are filled in.", "Fill the columns.")
        wrong = too_long(prompt, profile, fit.mode)
        if wrong:
            draft.problems.append(wrong)
        return prompt

    def _meaning(self, profile: Profile) -> _Meaning:
        if profile.name not in self._meanings:
            names, modes = selecting_names(profile), profile.modes
            ruled = {
                "seconds": any(mode.seconds for mode in modes),
                "size": any(mode.size for mode in modes),
                "orientation": any(mode.orientation or mode.size for mode in modes),
            }
            known = {*names, *vendor_keys([profile])}
            keys = [(written, parameter_key(written)) for written in self._own]
            self._meanings[profile.name] = _Meaning(
                given=tuple((written, names[key]) for written, key in keys if key in names),
                instead=frozenset(name for name, is_ruled in ruled.items() if not is_ruled and name in names),
                idle=tuple(
                    written
                    for written, key in keys
                    if key not in known and (key in self._parameters or near_miss(normalised(written)))
                ),
                free=free_names(profile),
                priced=priced_fields(profile),
            )
        return self._meanings[profile.name]


def _words(draft: RowDraft) -> frozenset[str]:
    """The variables that the templates of a row name."""
    return names_in(draft.row.prompt) | names_in(draft.row.filename or "")
