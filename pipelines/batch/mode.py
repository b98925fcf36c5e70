"""Which mode of a provider's profile a row fits, and what the row buys in it. Pure: values in, a decision out."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from pipelines.batch.findings import Finding
from pipelines.providers.profile import Mode, Profile

#: How far a row is from a mode: a value that the mode does not have at all, or one that only another model has.
_FOREIGN, _OTHER_MODEL = 2, 1

#: A server of an open profile may make longer clips than the profile knows, but surely none of more than an hour.
_MOST_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Wish:
    """What a row asks for, as far as it decides the mode. None: not given."""

    model: str | None = None
    seconds: int | None = None
    size: str | None = None
    orientation: str | None = None
    images: int = 0
    character: bool = False
    given: tuple[tuple[str, str], ...] = ()  # own columns that are a fixed key or parameter of some mode, with values


@dataclass(frozen=True, slots=True)
class Fit:
    """A row in one mode: everything filled in, and what does not fit."""

    mode: str
    model: str
    seconds: int
    size: str
    orientation: str | None
    parameters: tuple[tuple[str, str], ...]
    problems: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    distance: int  # 0: it fits


@dataclass(slots=True)
class _Notes:
    problems: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    distance: int = 0

    def refuse(self, column: str, what: str, fix: str, distance: int = _FOREIGN) -> None:
        self.problems.append(Finding(column, what, fix))
        self.distance += distance

    def warn(self, column: str, what: str, fix: str = "") -> None:
        self.warnings.append(Finding(column, what, fix))


def best_fit(profile: Profile, wish: Wish) -> Fit:
    """The first mode that takes everything the row gives; where none does, the nearest one with its problems."""
    modes = [mode for mode in profile.modes if _chosen(profile, mode, wish.given)]
    fits = [_fit(profile, mode, wish) for mode in modes or profile.modes]
    return min(fits, key=lambda fit: fit.distance)


def selecting_names(profile: Profile) -> frozenset[str]:
    """The names of own columns that mean something to this profile: fixed keys and parameters of its modes."""
    return frozenset(name for mode in profile.modes for name in (*mode.fixed, *mode.parameters))


def _chosen(profile: Profile, mode: Mode, given: tuple[tuple[str, str], ...]) -> bool:
    """Whether no fixed key that the row gives, such as acedata's `version`, speaks against the mode."""
    fixed = {name for other in profile.modes for name in other.fixed}
    return all(name in mode.fixed and _same(mode, mode.fixed[name], value) for name, value in given if name in fixed)


def _same(mode: Mode, fixed: object, value: str) -> bool:
    if value in {str(fixed), mode.name}:
        return True
    try:
        return Decimal(str(fixed)) == Decimal(value.lower().removeprefix("v"))  # a spreadsheet makes 2 of "2.0"
    except InvalidOperation:
        return False


def _fit(profile: Profile, mode: Mode, wish: Wish) -> Fit:
    notes = _Notes()
    model = _model(profile, mode, wish, notes)
    seconds = _seconds(profile, mode, wish, model, notes)
    size, orientation = _picture(profile, mode, wish, model, notes)
    _images(profile, mode, wish, notes)
    if wish.character and not mode.character:
        fix = _others(profile, [other.name for other in profile.modes if other.character])
        notes.refuse("character_url", f"{_label(profile, mode)} takes no character.", fix or "Leave it empty.")
    parameters = _given(profile, mode, wish, notes)
    return Fit(
        mode=mode.name,
        model=model,
        seconds=seconds,
        size=size,
        orientation=orientation,
        parameters=parameters,
        problems=tuple(notes.problems),
        warnings=tuple(notes.warnings),
        distance=notes.distance,
    )


def _model(profile: Profile, mode: Mode, wish: Wish, notes: _Notes) -> str:
    default = profile.default_model if profile.default_model in mode.models else mode.models[0]
    model = wish.model or default
    if model not in mode.models:
        what = f'{_label(profile, mode)} does not list the model "{model}".'
        fix = f"Allowed: {', '.join(mode.models)}."
        if profile.open_models:
            notes.warn("model", f"{what} It is sent as it is.", f"Listed: {', '.join(mode.models)}.")
        else:
            notes.refuse("model", what, fix)
    return model


def _seconds(profile: Profile, mode: Mode, wish: Wish, model: str, notes: _Notes) -> int:
    seconds = mode.seconds.default if wish.seconds is None else wish.seconds
    only = mode.seconds.only.get(seconds, ())
    if seconds not in mode.seconds.allowed:
        if profile.open_models and 1 <= seconds <= _MOST_SECONDS:
            notes.warn("seconds", f"{_label(profile, mode)} does not list {seconds} s. It is sent as it is.")
        else:
            allowed = _alternatives(profile, mode, {m.name: tuple(map(str, m.seconds.allowed)) for m in profile.modes})
            notes.refuse("seconds", f"{_label(profile, mode)} does not make clips of {seconds} s.", allowed)
    elif only and model not in only and not (profile.open_models and model not in mode.models):
        what = f"{seconds} s are not made by {model}."
        rest = [str(n) for n in mode.seconds.allowed if model in mode.seconds.only.get(n, (model,))]
        notes.refuse("seconds", what, f"Allowed: {', '.join(rest)}; or model {' or '.join(only)}.", _OTHER_MODEL)
    return seconds


def _picture(profile: Profile, mode: Mode, wish: Wish, model: str, notes: _Notes) -> tuple[str, str | None]:
    """Size and orientation as the mode takes them. Where it takes no orientation, that only picks a size."""
    size = wish.size or _default_size(mode, wish.orientation, model)
    if size is None:
        fix = _others(profile, [other.name for other in profile.modes if wish.orientation in other.orientations])
        notes.refuse("orientation", f"{_label(profile, mode)} has no {wish.orientation} size.", fix)
        size = mode.size.default
    _check_size(profile, mode, size, model, notes)
    if mode.orientations:
        orientation = wish.orientation or mode.orientations[0]
        if orientation not in mode.orientations:
            fix = f"Allowed: {', '.join(mode.orientations)}."
            notes.refuse("orientation", f"{_label(profile, mode)} does not take {orientation}.", fix)
        return size, orientation
    shape = orientation_of(size)
    if wish.orientation and wish.size and shape and shape != wish.orientation:
        notes.refuse("orientation", f"{wish.orientation} contradicts the size {size}.", "Give one of the two.")
    return size, None


def _default_size(mode: Mode, orientation: str | None, model: str) -> str | None:
    if orientation is None or mode.orientations or orientation_of(mode.size.default) == orientation:
        return mode.size.default
    fitting = [size for size in mode.size.allowed if orientation_of(size) == orientation]
    sure = [size for size in fitting if model in mode.size.only.get(size, mode.size.doubtful.get(size, (model,)))]
    return next(iter(sure or fitting), None)


def _check_size(profile: Profile, mode: Mode, size: str, model: str, notes: _Notes) -> None:
    only, doubtful = mode.size.only.get(size, ()), mode.size.doubtful.get(size, ())
    if size not in mode.size.allowed:
        if profile.open_models and "x" in size:
            notes.warn("size", f"{_label(profile, mode)} does not list {size}. It is sent as it is.")
        else:
            allowed = _alternatives(profile, mode, {m.name: m.size.allowed for m in profile.modes})
            notes.refuse("size", f'{_label(profile, mode)} does not take the size "{size}".', allowed)
    elif only and model not in only and not profile.open_models:
        rest = [s for s in mode.size.allowed if model in mode.size.only.get(s, (model,))]
        fix = f"Allowed: {', '.join(rest)}; or model {' or '.join(only)}."
        notes.refuse("size", f"{size} is not made by {model}.", fix, _OTHER_MODEL)
    elif doubtful and model not in doubtful and model in mode.models:
        what = f"the vendor's documents disagree whether {model} makes {size}."
        notes.warn("size", what, f"{' or '.join(doubtful)} surely does.")


def _images(profile: Profile, mode: Mode, wish: Wish, notes: _Notes) -> None:
    most, heeded = mode.images.most, mode.images.ignored_beyond
    if wish.images > most:
        takes = f"at most {most} image{'s' if most > 1 else ''}" if most else "no image"
        fix = f"Remove {wish.images - most} of the {wish.images}."
        notes.refuse("image_url", f"{_label(profile, mode)} takes {takes}.", fix)
    elif heeded is not None and wish.images > heeded:
        fix = _others(profile, [m.name for m in profile.modes if m.images.most > 1 and m.images.ignored_beyond is None])
        notes.warn("image_url", f"{_label(profile, mode)} looks at {heeded} of {wish.images} images only.", fix)


def _given(profile: Profile, mode: Mode, wish: Wish, notes: _Notes) -> tuple[tuple[str, str], ...]:
    """The provider's own parameters among the row's own columns; what this mode cannot take is refused."""
    for name, value in wish.given:
        if name in mode.parameters or (name in mode.fixed and _same(mode, mode.fixed[name], value)):
            continue
        allowed = [f"{m.fixed[name]} ({m.name})" for m in profile.modes if name in m.fixed]
        if allowed:
            notes.refuse(name, f'{profile.name} has no {name} "{value}".', f"Allowed: {', '.join(allowed)}.")
        else:
            fix = _others(profile, [m.name for m in profile.modes if name in m.parameters])
            notes.refuse(name, f"{_label(profile, mode)} does not take {name}.", fix)
    return tuple((name, value) for name, value in wish.given if name in mode.parameters)


def orientation_of(size: str) -> str | None:
    """The orientation of a size such as 1280x720; None where the size does not tell, or is square."""
    width, cross, height = size.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()) or int(width) == int(height):
        return None
    return "landscape" if int(width) > int(height) else "portrait"


def _label(profile: Profile, mode: Mode) -> str:
    return f"{profile.name} {mode.name}" if len(profile.modes) > 1 else profile.name


def _alternatives(profile: Profile, mode: Mode, allowed: dict[str, tuple[str, ...]]) -> str:
    others = [f"{m.name} takes {', '.join(allowed[m.name])}" for m in profile.modes if m.name != mode.name]
    return f"Allowed: {', '.join(allowed[mode.name])}" + (f" ({'; '.join(others)})." if others else ".")


def _others(profile: Profile, modes: list[str]) -> str:
    return f"{profile.name} {' and '.join(modes)} can." if modes else ""
