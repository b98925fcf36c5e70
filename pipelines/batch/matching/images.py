"""The reference images of a row in one mode: how many, in which form, and under which names. Pure."""

from __future__ import annotations

from pipelines.batch.columns.vendor_words import image_field_names
from pipelines.batch.matching.fitting import Fitting

_COLUMN = "image_url"


def check_images(fitting: Fitting) -> None:
    """Note what the mode does not take of the row's images."""
    rule, asked = fitting.mode.images, fitting.requested.images
    if asked > rule.most:
        ours = " (a limit of ours: the vendor names none)" if rule.assumed else ""
        takes = f"at most {_count(rule.most)}{ours}" if rule.most else "no image"
        fix = f"Remove {asked - rule.most} of the {asked}." if rule.most else "Leave it empty."
        rules = [(mode, mode.images) for mode in fitting.profile.modes]
        able = [mode for mode, its in rules if its.least <= asked <= min(its.most, its.ignored_beyond or asked)]
        fitting.refuse(_COLUMN, f"{fitting.label} takes {takes}.", f"{fix} {fitting.others(able)}".rstrip())
        return
    if asked < rule.least:
        what = f"{fitting.label} needs {_count(rule.least)}."
        fitting.refuse(_COLUMN, what, "Give the address of one, or another model.")
    elif rule.ignored_beyond is not None and asked > rule.ignored_beyond:
        rules = [(mode, mode.images) for mode in fitting.modes_with_model()]
        several = [mode for mode, its in rules if its.most > 1 and its.ignored_beyond is None]
        what = f"{fitting.label} looks at {rule.ignored_beyond} of {asked} images only."
        fitting.warn(_COLUMN, what, fitting.others(several))
    for name in fitting.requested.image_fields:
        # A name of another mode may mean another use of the picture: a reference is no first frame.
        able = [mode for mode in fitting.profile.modes if name in image_field_names(mode, fitting.profile)]
        if fitting.mode not in able:
            fix = f'Give its pictures in a column "{_COLUMN}". {fitting.others(able)}'
            fitting.refuse(name, f"{fitting.label} has no {name}.", fix)
    _check_forms(fitting)


def _count(number: int) -> str:
    return f"{number} image{'s' if number > 1 else ''}"


def _check_forms(fitting: Fitting) -> None:
    """A provider may open addresses, take the pictures themselves, or both."""
    rule, requested = fitting.mode.images, fitting.requested
    if requested.images > requested.local_images and "url" not in rule.forms:
        what = f"{fitting.label} opens no addresses of pictures."
        fitting.refuse(_COLUMN, what, "Name a file on this machine: it is sent along.")
    if not requested.local_images:
        return
    if rule.forms == ("url",):
        what = f"{fitting.label} takes addresses of pictures only."
        fitting.refuse(_COLUMN, what, "Put the picture on a public https:// address.")
    elif requested.images > 1 and rule.forms[-1] == "file":
        what = f"{fitting.label} takes one picture when it is sent along as a file."
        fitting.refuse(_COLUMN, what, f"Remove {requested.images - 1} of the {requested.images}.")
    elif rule.sent_as in rule.doubtful:
        what = f"the vendor's documents disagree whether {fitting.label} takes a picture that is sent along."
        fitting.warn(_COLUMN, what, "It surely takes a public https:// address.")
