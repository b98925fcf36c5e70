"""Choose the mode of a provider's profile that a row fits, and fill it in. Pure: values in, a decision out."""

from __future__ import annotations

from typing import Any

from pipelines.batch.columns.names import parameter_key
from pipelines.batch.matching.fitting import OTHER_MODE, Fit, Fitting, RequestedClip
from pipelines.batch.matching.images import check_images
from pipelines.batch.matching.own_parameters import fit_parameters, is_fixed, refuse_all_but_the_prompt
from pipelines.batch.matching.seconds import fit_seconds
from pipelines.batch.matching.size import fit_picture
from pipelines.core.text.counts import first_of
from pipelines.core.text.suggestion import near_name
from pipelines.providers.profile.model import Mode, Profile
from pipelines.providers.profile.path_template import refused_part

#: A message that every row of a file may repeat names no more models than this.
_MOST_MODELS = 8

#: What mends an empty prompt.
NO_PROMPT = "Write what the video shows, or remove the row."


def best_fit(profile: Profile, requested: RequestedClip) -> Fit:
    """The first mode that takes everything the row gives; where none does, the nearest one with its problems."""
    fits = (fit_in(profile, mode, requested) for mode in chosen_modes(profile, requested))

    def misfit(fit: Fit) -> tuple[int, bool, int]:
        # A mode that would drop some of the images is taken only where no other fits as well.
        drops_images = any(warning.column == "image_url" for warning in fit.warnings)
        return fit.distance, drops_images, max(0, requested.images - profile.mode(fit.mode).images.most)

    return min(fits, key=misfit)


def chosen_modes(profile: Profile, requested: RequestedClip) -> tuple[Mode, ...]:
    """The modes that no fixed key which the row gives, such as acedata's `version`, speaks against; or else all."""
    fixed = {name for mode in profile.modes for name in mode.fixed} if requested.given else set()
    given = [(name, value) for name, value in requested.given if name in fixed]
    if not given:
        return profile.modes
    chosen = (
        mode
        for mode in profile.modes
        if all(is_fixed(mode, name, value) if name in mode.fixed else name in mode.parameters for name, value in given)
    )
    return tuple(chosen) or profile.modes


def free_names(profile: Profile) -> frozenset[str]:
    """The parameters whose value never decides a mode: what one mode takes, the others take as well."""
    rules = [item for mode in profile.modes for item in mode.parameters.items()]
    bound = {name for name, rule in rules if rule.allowed or rule.only or rule.type == "boolean"}
    company = (item for _, rule in rules for item in (*rule.needs.items(), *rule.excludes.items()))
    bound.update(other for other, values in company if values)
    fixed = {name for mode in profile.modes for name in mode.fixed}
    return frozenset(name for name, _ in rules) - bound - fixed


def priced_fields(profile: Profile) -> frozenset[str]:
    """The parameters that a price depends on, as the request calls them."""
    rules = [item for mode in profile.modes for item in mode.parameters.items()]
    counts = {rule.field or name for name, rule in rules if rule.multiplies_price}
    return frozenset(counts.union(*(price.parameters for price in profile.prices)))


def fit_in(profile: Profile, mode: Mode, requested: RequestedClip) -> Fit:
    """A row in this mode, with everything that does not fit."""
    fitting = Fitting(profile, mode, requested, requested.model or mode.default_model or profile.default_model)
    if requested.silent and not mode.prompt_optional:
        fitting.refuse("prompt", "is empty.", NO_PROMPT)
    _check_model(fitting)
    if fitting.inherited:
        seconds, size, orientation = requested.seconds, requested.size, requested.orientation
        parameters: tuple[tuple[str, Any], ...] = ()
        refuse_all_but_the_prompt(fitting)
    else:
        seconds = fit_seconds(fitting)
        size, orientation = fit_picture(fitting)
        check_images(fitting)
        if requested.character and not mode.character:
            fix = fitting.others([other for other in profile.modes if other.character])
            fitting.refuse("character_url", f"{fitting.label} takes no character.", fix or "Leave it empty.")
        if requested.remix and mode.remix is None:
            fix = fitting.others([other for other in profile.modes if other.remix])
            fitting.refuse("remix_of", f"{fitting.label} cannot remix.", fix or "Leave it empty.")
        parameters = fit_parameters(fitting)
    return Fit(
        mode=mode.name,
        model=fitting.model,
        seconds=seconds,
        size=size,
        orientation=orientation,
        parameters=parameters,
        problems=tuple(fitting.problems),
        warnings=tuple(fitting.warnings),
        distance=fitting.distance,
    )


def _check_model(fitting: Fitting) -> None:
    profile, mode, model = fitting.profile, fitting.mode, fitting.model
    if model in mode.models:
        return
    if profile.has_model_in_path(mode) and (reason := refused_part(model.split("/"))):
        fitting.refuse("model", f'"{model}" cannot be a part of an address: {reason}.', "Write its name alone.")
        return
    if profile.open_models and all(model not in other.models for other in profile.modes):
        what = f'{fitting.label} does not list the model "{model}". It is sent as it is.'
        fitting.warn("model", what, f"Listed: {first_of(mode.models, 20)}.")
        return
    chosen = chosen_modes(profile, fitting.requested)
    who = profile.name
    if len(chosen) < len(profile.modes):
        who = f"{profile.name} {first_of([other.name for other in chosen], 5)}"
    every = list(dict.fromkeys(name for other in chosen for name in other.models))
    if model in every:
        who, every = fitting.label, list(mode.models)
    same = [each for each in every if parameter_key(each) == parameter_key(model)]
    near = near_name(model, same or every)
    fix = near if same else f"Allowed: {first_of(every, _MOST_MODELS)}. {near}".rstrip()
    fitting.refuse("model", f'{who} has no model "{model}".', fix, OTHER_MODE)
