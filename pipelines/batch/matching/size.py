"""The picture that a row asks for in one mode: its size, its shape, or both. Pure."""

from __future__ import annotations

from pipelines.batch.matching.fitting import OTHER_MODEL, Fitting
from pipelines.core.shape import has_shape, pixels_of, ratio_of, shape_named, shape_of
from pipelines.providers.profile.describe import any_pixels
from pipelines.providers.profile.order_parts import Size


def fit_picture(fitting: Fitting) -> tuple[str | None, str | None]:
    """Size and orientation as the mode takes them. Where it takes no orientation, that only picks a size."""
    requested, rule = fitting.requested, fitting.mode.orientation
    size = _size(fitting)
    pixels = pixels_of(size)
    if requested.orientation and requested.size and size is not None:
        if pixels and not has_shape(*pixels, requested.orientation):
            fitting.refuse(
                "orientation", f"{requested.orientation} contradicts the size {size}.", "Give one of the two."
            )
        elif not pixels and rule is None:
            fitting.refuse("orientation", f"{fitting.label} takes no orientation with {size}.", "Leave it empty.")
    if rule is None:
        return size, None
    asked: tuple[str, ...] = (requested.orientation,) if requested.orientation else ()
    if pixels and requested.size and not asked:  # what the shape of the picture may be called, the exact word first
        asked = (ratio_of(*pixels), shape_of(*pixels))
    found = [value for shape in asked for value in rule.values if shape_named(value) == shape_named(shape)]
    orientation = next(iter(found), requested.orientation or rule.default)
    if orientation not in rule.values:
        fix = f"Allowed: {', '.join(rule.values)}."
        fitting.refuse("orientation", f"{fitting.label} does not take {orientation}.", fix)
    return size, orientation


def _size(fitting: Fitting) -> str | None:
    mode, requested = fitting.mode, fitting.requested
    if mode.size is None:
        column = "size" if requested.size is not None else "orientation"
        if requested.size is not None or (requested.orientation is not None and mode.orientation is None):
            modes = fitting.modes_with_model()
            able = [other for other in modes if other.size or (column == "orientation" and other.orientation)]
            fitting.refuse(column, f"{fitting.label} takes no {column}.", fitting.others(able) or "Leave it empty.")
        return None
    size = default_size(mode.size, requested.orientation, fitting.model, has_shapes=mode.orientation is not None)
    if requested.size:  # as the profile spells it: some write 1080P, or 1280*720
        asked = requested.size.casefold()
        alike = (one for one in mode.size.allowed if one.casefold().replace("*", "x") == asked)
        size = next(alike, requested.size)
    if size is None:
        shapes = [(other, other.orientation) for other in fitting.modes_with_model()]
        takes = [other for other, its in shapes if its and requested.orientation in its.values]
        fix = fitting.others(takes) or f"Its sizes: {', '.join(mode.size.allowed)}."
        fitting.refuse("orientation", f"{fitting.label} has no {requested.orientation} size.", fix)
        size = mode.size.default
    _check_size(fitting, mode.size, size)
    return size


def default_size(rule: Size, shape: str | None, model: str, *, has_shapes: bool) -> str | None:
    """The first size of the shape that is asked for, rather one that the model surely makes; None: there is none.

    Args:
        rule: the sizes of the mode.
        shape: such as `portrait` or `9:16`; None: not given.
        model: the model of the order.
        has_shapes: the mode takes the shape beside the size: a size without pixels has every shape then.
    """
    if shape is None:
        return rule.default
    of_the_shape = [
        size
        for size in dict.fromkeys((rule.default, *rule.allowed))
        if (has_shape(*pixels, shape) if (pixels := pixels_of(size)) else has_shapes)
    ]
    sure = [size for size in of_the_shape if model in rule.only.get(size, rule.doubtful.get(size, (model,)))]
    return next(iter(sure or of_the_shape), rule.default if has_shapes else None)


def _check_size(fitting: Fitting, rule: Size, size: str) -> None:
    only, doubtful, model = rule.only.get(size, ()), rule.doubtful.get(size, ()), fitting.model
    if size not in rule.allowed:
        pixels = pixels_of(size)
        if pixels and rule.makes(*pixels):
            return
        if fitting.profile.open_models and pixels:
            fitting.warn("size", f"{fitting.label} does not list {size}. It is sent as it is.")
        else:
            other = {mode.name: _wording(mode.size) for mode in fitting.modes_with_model() if mode.size}
            what = f'{fitting.label} does not take the size "{size}".'
            fitting.refuse("size", what, fitting.alternatives(_wording(rule), other))
    elif only and model not in only and not fitting.unlisted:
        rest = [one for one in rule.allowed if model in rule.only.get(one, (model,))]
        fix = f"Allowed: {', '.join(rest)}; or model {' or '.join(only)}."
        fitting.refuse("size", f"{size} is not made by {model}.", fix, OTHER_MODEL)
    elif doubtful and model not in doubtful and model in fitting.mode.models:
        what = f"the vendor's documents disagree whether {model} makes {size}."
        fitting.warn("size", what, f"{' or '.join(doubtful)} surely does.")


def _wording(rule: Size) -> tuple[str, ...]:
    """The sizes as a message names them."""
    return (*rule.allowed, *filter(None, [any_pixels(rule)]))
