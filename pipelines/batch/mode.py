"""Which mode of a provider's profile a row fits, and what the row buys in it. Pure: values in, a decision out."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from pipelines.batch.columns import parameter_key
from pipelines.batch.excerpt import listed
from pipelines.batch.fitting import ANY, OTHER_FAMILY, OTHER_MODEL, Fit, Fitting, Wish
from pipelines.batch.parameters import ParameterRefused, check_model, parameter_value
from pipelines.batch.picture import fit_picture
from pipelines.providers.profile import Mode, Profile

#: A server of an open profile may make longer clips than the profile knows, but surely none of more than an hour.
_MOST_SECONDS = 3600

#: What mends an empty prompt.
NO_PROMPT = "Write what the video shows, or remove the row."


def best_fit(profile: Profile, wish: Wish) -> Fit:
    """The first mode that takes everything the row gives; where none does, the nearest one with its problems."""
    return min((fit_in(profile, mode, wish) for mode in chosen_modes(profile, wish)), key=_misfit)


def _misfit(fit: Fit) -> tuple[int, bool]:
    """How far a row is from a mode; one that would drop some of its images is taken only where no other fits as well."""
    return fit.distance, any(warning.column == "image_url" for warning in fit.warnings)


def chosen_modes(profile: Profile, wish: Wish) -> tuple[Mode, ...]:
    """The modes that no fixed key which the row gives, such as acedata's `version`, speaks against; or else all."""
    fixed = {name for mode in profile.modes for name in mode.fixed} if wish.given else set()
    given = [(name, value) for name, value in wish.given if name in fixed]
    if not given:
        return profile.modes
    return tuple(mode for mode in profile.modes if _is_chosen(mode, given)) or profile.modes


def selecting_names(profile: Profile) -> Mapping[str, str]:
    """What own columns may mean to this profile: fixed keys and parameters of its modes, by their plainest spelling."""
    return {parameter_key(name): name for mode in profile.modes for name in (*mode.fixed, *mode.parameters)}


def free_names(profile: Profile) -> frozenset[str]:
    """The parameters whose value never decides a mode: what one mode takes, the others take as well."""
    rules = [item for mode in profile.modes for item in mode.parameters.items()]
    bound = {name for name, rule in rules if rule.allowed or rule.only or rule.type == "boolean"}
    bound.update(other for _, rule in rules for other, values in rule.needs.items() if values)
    fixed = {name for mode in profile.modes for name in mode.fixed}
    return frozenset(name for name, _ in rules) - bound - fixed


def priced_fields(profile: Profile) -> frozenset[str]:
    """The parameters that a price depends on, as the request calls them."""
    rules = [item for mode in profile.modes for item in mode.parameters.items()]
    counts = {rule.field or name for name, rule in rules if rule.multiplies_price}
    return frozenset(counts.union(*(price.parameters for price in profile.prices)))


def _is_chosen(mode: Mode, given: list[tuple[str, str]]) -> bool:
    return all(_is_fixed(mode, name, value) if name in mode.fixed else name in mode.parameters for name, value in given)


def _is_fixed(mode: Mode, name: str, value: str) -> bool:
    """Whether a value is the one that the mode always sends."""
    if name not in mode.fixed:
        return False
    if value in {str(mode.fixed[name]), mode.name}:
        return True
    try:
        # A spreadsheet makes 2 of "2.0".
        return Decimal(str(mode.fixed[name])) == Decimal(value.lower().removeprefix("v"))
    except InvalidOperation:
        return False


def fit_in(profile: Profile, mode: Mode, wish: Wish) -> Fit:
    """A row in this mode, with everything that does not fit."""
    fitting = Fitting(profile, mode, wish, wish.model or mode.default_model or profile.default_model)
    if wish.silent and not mode.prompt_optional:
        fitting.refuse("prompt", "is empty.", NO_PROMPT)
    _check_model(fitting)
    if fitting.inherited:
        seconds, size, orientation = wish.seconds, wish.size, wish.orientation
        parameters: tuple[tuple[str, Any], ...] = ()
        _refuse_all_but_the_prompt(fitting)
    else:
        seconds = _seconds(fitting)
        size, orientation = fit_picture(fitting)
        _check_images(fitting)
        _check_character(fitting)
        _check_remix(fitting)
        parameters = _parameters(fitting)
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
    every = tuple(dict.fromkeys(name for other in profile.modes for name in other.models))
    if profile.open_models and model not in every:
        what = f'{fitting.label} does not list the model "{model}". It is sent as it is.'
        fitting.warn("model", what, f"Listed: {listed(mode.models)}.")
    else:
        fix = f"Allowed: {listed(every)}."
        fitting.refuse("model", f'{profile.name} has no model "{model}".', fix, OTHER_FAMILY)


def _seconds(fitting: Fitting) -> int | None:
    rule, asked, model = fitting.mode.seconds, fitting.wish.seconds, fitting.model
    if rule is None:
        if asked is not None:
            able = [mode for mode in fitting.kin() if mode.seconds and mode.seconds.takes(asked)]
            what = f"{fitting.label} decides itself how long a clip is."
            fitting.refuse("seconds", what, fitting.others(able) or "Leave it empty.")
        return None
    seconds = rule.default if asked is None else asked
    only = rule.only.get(seconds, ())
    if not rule.takes(seconds):
        if fitting.profile.open_models and 1 <= seconds <= _MOST_SECONDS:
            fitting.warn("seconds", f"{fitting.label} does not list {seconds} s. It is sent as it is.")
        else:
            kin = {mode.name: mode.seconds.wording() for mode in fitting.kin() if mode.seconds}
            what = f"{fitting.label} does not make clips of {seconds} s."
            fitting.refuse("seconds", what, fitting.alternatives(rule.wording(), kin))
    elif only and model not in only and not fitting.unlisted:
        fix = f"Allowed: {', '.join(rule.wording(model))}; or model {' or '.join(only)}."
        fitting.refuse("seconds", f"{seconds} s are not made by {model}.", fix, OTHER_MODEL)
    return seconds


def _check_images(fitting: Fitting) -> None:
    rule, asked = fitting.mode.images, fitting.wish.images
    if asked > rule.most:
        takes = f"at most {rule.most} image{'s' if rule.most > 1 else ''}" if rule.most else "no image"
        fitting.refuse("image_url", f"{fitting.label} takes {takes}.", f"Remove {asked - rule.most} of the {asked}.")
        return
    if asked < rule.least:
        needs = f"{rule.least} image{'s' if rule.least > 1 else ''}"
        fitting.refuse("image_url", f"{fitting.label} needs {needs}.", "Give the address of one, or another model.")
    elif rule.ignored_beyond is not None and asked > rule.ignored_beyond:
        several = [mode for mode in fitting.kin() if mode.images.most > 1 and mode.images.ignored_beyond is None]
        what = f"{fitting.label} looks at {rule.ignored_beyond} of {asked} images only."
        fitting.warn("image_url", what, fitting.others(several))
    _check_forms(fitting)


def _check_forms(fitting: Fitting) -> None:
    """A provider may open addresses, take the pictures themselves, or both."""
    forms, wish = fitting.mode.images.forms, fitting.wish
    if wish.images > wish.local_images and "url" not in forms:
        what = f"{fitting.label} opens no addresses of pictures."
        fitting.refuse("image_url", what, "Name a file on this machine: it is sent along.")
    if wish.local_images and forms == ("url",):
        what = f"{fitting.label} takes addresses of pictures only."
        fitting.refuse("image_url", what, "Put the picture on a public https:// address.")
    elif wish.local_images and wish.images > 1 and forms[-1] == "file":
        what = f"{fitting.label} takes one picture when it is sent along as a file."
        fitting.refuse("image_url", what, f"Remove {wish.images - 1} of the {wish.images}.")


def _check_character(fitting: Fitting) -> None:
    if fitting.wish.character and not fitting.mode.character:
        fix = fitting.others([mode for mode in fitting.profile.modes if mode.character])
        fitting.refuse("character_url", f"{fitting.label} takes no character.", fix or "Leave it empty.")


def _check_remix(fitting: Fitting) -> None:
    if fitting.wish.remix and fitting.mode.remix is None:
        fix = fitting.others([mode for mode in fitting.profile.modes if mode.remix])
        fitting.refuse("remix_of", f"{fitting.label} cannot remix.", fix or "Leave it empty.")


def _refuse_all_but_the_prompt(fitting: Fitting) -> None:
    """What a remix cannot take would be left out of the request in silence."""
    wish, mode = fitting.wish, fitting.mode
    given = {"image_url": wish.images > 0, "character_url": wish.character}
    given |= {name: name not in wish.spoken and not _is_fixed(mode, name, value) for name, value in wish.given}
    for column in (name for name, is_given in given.items() if is_given):
        what = f"is not taken by {fitting.label} for a remix, which is made of its prompt alone."
        fitting.refuse(column, what, "Leave it empty.")


def _parameters(fitting: Fitting) -> tuple[tuple[str, Any], ...]:
    """The provider's own parameters among the row's own columns; what this mode cannot take is refused."""
    mode, given = fitting.mode, dict(fitting.wish.given)
    found: dict[str, Any] = {}
    for name, rule in mode.parameters.items():
        if name in given:
            try:
                check_model(rule, fitting.model)
                if given[name] != ANY:
                    found[rule.field or name] = parameter_value(rule, given[name], fitting.model)
            except ParameterRefused as refused:
                fitting.refuse(name, refused.what, refused.fix)
        elif rule.required and rule.default is None:
            fitting.refuse(name, f"{fitting.label} needs it.", f"Give a column {name}.")
    _check_company(
        fitting,
        {name: found.get(mode.parameters[name].field or name, ANY) for name in given if name in mode.parameters},
    )
    for name, value in given.items():
        if name not in mode.parameters and not _is_fixed(mode, name, value) and name not in fitting.wish.spoken:
            _refuse_parameter(fitting, name, value)
    return tuple(found.items())


def _check_company(fitting: Fitting, values: Mapping[str, Any]) -> None:
    """Refuse a parameter without the others that it needs, or beside one that it does not go with.

    Args:
        fitting: the row in its mode.
        values: what the row gives, by name; a parameter that says no is as good as none.
    """
    said = {name: str(value) for name, value in values.items() if value is not False}
    for name in said:
        rule = fitting.mode.parameters[name]
        for other, wanted in rule.needs.items():
            if other not in said or (wanted and said[other] not in wanted):
                what = f"needs {other} to say {' or '.join(wanted)}." if wanted else f"needs {other} as well."
                fitting.refuse(name, what, f"Give {other} in a column, or leave {name} empty.")
        for other in rule.excludes:
            if other in said:
                fitting.refuse(name, f"does not go with {other}.", f"Leave {name} or {other} empty.")


def _refuse_parameter(fitting: Fitting, name: str, value: str) -> None:
    modes = fitting.profile.modes
    allowed = [f"{mode.fixed[name]} ({mode.name})" for mode in modes if name in mode.fixed]
    if allowed:
        fitting.refuse(name, f'{fitting.profile.name} has no {name} "{value}".', f"Allowed: {listed(allowed, 10)}.")
    else:
        able = fitting.others([mode for mode in modes if name in mode.parameters])
        fix = f"{able} A column of your own needs another name."
        fitting.refuse(name, f"{fitting.label} does not take {name}.", fix)
