"""A provider's own parameters in one mode: which of a row's columns they are, their values, and what goes with what. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from pipelines.batch.matching.fitting import ANY, Fitting
from pipelines.batch.matching.parameters import ParameterRefused, check_model, is_taken, parameter_value
from pipelines.core.text.counts import first_of
from pipelines.providers.profile.model import Mode

_MOST_NAMED = 4  # models or sizes in a message that every row of a file may repeat


def is_fixed(mode: Mode, name: str, value: str) -> bool:
    """Tell whether a value is the one that the mode always sends."""
    if name not in mode.fixed:
        return False
    if value in {str(mode.fixed[name]), mode.name}:
        return True
    try:
        # A spreadsheet makes 2 of "2.0".
        return Decimal(str(mode.fixed[name])) == Decimal(value.lower().removeprefix("v"))
    except InvalidOperation:
        return False


def fit_parameters(fitting: Fitting) -> tuple[tuple[str, Any], ...]:
    """The provider's own parameters among the row's own columns; what this mode cannot take is refused."""
    mode, given = fitting.mode, dict(fitting.requested.given)
    found: dict[str, Any] = {}
    for name, rule in mode.parameters.items():
        if name in given:
            try:
                check_model(rule, fitting.model)
                if given[name] != ANY:
                    found[rule.field or name] = parameter_value(rule, given[name], fitting.model)
            except ParameterRefused as refused:
                modes = [other for other in fitting.profile.modes if name in other.parameters]
                able = [
                    other
                    for other in modes
                    if any(is_taken(other.parameters[name], given[name], model) for model in other.models)
                ]
                others = fitting.others(able)
                fitting.refuse(name, refused.what, f"{refused.fix} {others}".rstrip())
        elif rule.required and rule.default is None:
            fitting.refuse(name, f"{fitting.label} needs it.", f"Give a column {name}.")
    check_company(
        fitting,
        {name: found.get(mode.parameters[name].field or name, ANY) for name in given if name in mode.parameters},
    )
    for name, value in given.items():
        if name not in mode.parameters and not is_fixed(mode, name, value) and name not in fitting.requested.spoken:
            _refuse_parameter(fitting, name, value)
    return tuple(found.items())


def check_company(fitting: Fitting, values: Mapping[str, Any]) -> None:
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
        for other, unwanted in rule.excludes.items():
            if other in said and (not unwanted or said[other] in unwanted):
                what = f"does not go with {other}" + (f" {said[other]}." if unwanted else ".")
                fitting.refuse(name, what, f"Leave {name} or {other} empty.")


def _refuse_parameter(fitting: Fitting, name: str, value: str) -> None:
    """Refuse a parameter, and say how a row comes to what it asks for: by a column of ours, or by another model."""
    modes, size = fitting.profile.modes, fitting.mode.size
    allowed = [f"{mode.fixed[name]} ({mode.name})" for mode in modes if name in mode.fixed]
    if allowed:
        fitting.refuse(name, f'{fitting.profile.name} has no {name} "{value}".', f"Allowed: {first_of(allowed, 10)}.")
        return
    able = [mode for mode in modes if name in mode.parameters]
    models = list(dict.fromkeys(model for mode in able for model in mode.models))
    if name == "resolution" and size is not None:
        instead = f'Give a column "size" instead: {first_of(size.allowed, _MOST_NAMED)}.'
    elif fitting.model in models:  # nobody can write the name of a mode in a cell, but the name of a model
        instead = fitting.others(able)
    else:
        instead = f"Models that do: {first_of(models, _MOST_NAMED)}."
    fix = f"{instead} A column of your own needs another name."
    fitting.refuse(name, f"{fitting.label} does not take {name}.", fix)


def refuse_all_but_the_prompt(fitting: Fitting) -> None:
    """Refuse what a remix cannot take; it would be left out of the request in silence."""
    requested, mode = fitting.requested, fitting.mode
    given = {"image_url": requested.images > 0, "character_url": requested.character}
    given |= {name: name not in requested.spoken and not is_fixed(mode, name, value) for name, value in requested.given}
    for column in (name for name, is_given in given.items() if is_given):
        what = f"is not taken by {fitting.label} for a remix, which is made of its prompt alone."
        fitting.refuse(column, what, "Leave it empty.")
