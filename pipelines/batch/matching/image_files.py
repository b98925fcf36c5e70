"""The reference images of a batch: each local one is read once, so that it can be judged before anything is paid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.batch.findings import RowFinding
from pipelines.batch.rows.reference import is_address, is_data
from pipelines.core.errors import ImageUnusable
from pipelines.core.image import LocalImage, reference_to
from pipelines.core.shape import pixels_of
from pipelines.core.text.excerpt import quoted
from pipelines.providers.profile.model import Mode, Profile

_COLUMN = "image_url"
_KINDS = "Give a JPEG, PNG or WebP picture."


@dataclass(frozen=True, slots=True)
class Picture:
    """One reference image of a row, as far as a plan must know it."""

    reference: str  # as the order names it
    shown: str  # as messages name it
    pixels: tuple[int, int] | None  # None: an address, which nobody opens before the provider does

    @property
    def is_local(self) -> bool:
        """True where it is sent along, and not opened by the provider."""
        return self.pixels is not None


class Pictures:
    """The pictures that a batch names. Reads each local one once, and keeps none of its bytes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: dict[str, Picture | RowFinding] = {}

    def local(self) -> dict[str, str]:
        """The files that were read: as rows name them, and as orders do."""
        return {
            written: each.reference
            for written, each in self._found.items()
            if isinstance(each, Picture) and not is_data(written)
        }

    def of(self, references: Sequence[str]) -> tuple[tuple[Picture, ...], list[RowFinding]]:
        """The pictures of one row, and what is wrong with any of them."""
        if not references:
            return (), []
        found: list[Picture | RowFinding] = []
        for reference in references:
            if is_address(reference):
                found.append(Picture(reference, reference, None))
                continue
            if reference not in self._found:
                self._found[reference] = read_picture(reference, self._folder)
            found.append(self._found[reference])
        return (
            tuple(each for each in found if isinstance(each, Picture)),
            [each for each in found if isinstance(each, RowFinding)],
        )


def read_picture(reference: str, folder: Path) -> Picture | RowFinding:
    """Read a local picture, or say what is wrong with it.

    Args:
        reference: a path, or a `data:` address that holds the picture itself.
        folder: where relative paths begin.
    """
    shown = quoted(reference, 30) if is_data(reference) else quoted(reference)
    fix = "" if Path(reference).is_absolute() else "Paths begin at the folder of the batch file."
    try:
        if is_data(reference):
            image = LocalImage.decode(reference)
            return Picture(reference, shown, (image.width, image.height))
        whole = folder / Path(reference).expanduser()
        if not whole.is_file():
            what = "is no file." if whole.exists() else "is neither a file that is there nor an https:// address."
            return RowFinding(_COLUMN, f"{shown} {what}", fix)
        image = LocalImage.read(whole)
    except ImageUnusable as error:
        return RowFinding(_COLUMN, f"{shown} {error}.", _KINDS)
    except (OSError, ValueError, RuntimeError):  # too long a name, a NUL in it, a user who has no home
        return RowFinding(_COLUMN, f"{shown} is no path.", fix)
    return Picture(reference_to(reference, image), shown, (image.width, image.height))


def misfits(pictures: Sequence[Picture], size: str | None, mode: Mode, profile: Profile) -> list[RowFinding]:
    """The pictures whose pixels are not those of the clip, where the provider wants them to be.

    Args:
        pictures: of one row; what only the provider can open is not judged.
        size: that of the clip, in the mode.
        mode: what the row fits.
        profile: that it is a mode of.
    """
    wanted = pixels_of(size)
    if not mode.images.must_match_size or wanted is None:
        return []
    assert mode.size is not None  # it has one to compare with
    found = []
    for picture in pictures[: mode.images.ignored_beyond]:
        if picture.pixels is None or picture.pixels == wanted:
            continue
        has = _times(picture.pixels)
        what = f"{picture.shown} has {has} pixels and the size is {size}; {profile.name} wants them equal."
        fitting = next((each for each in mode.size.allowed if pixels_of(each) == picture.pixels), None)
        if fitting is None and mode.size.makes(*picture.pixels):
            fitting = has
        fix = f"Give the size {fitting}." if fitting else f"Make the picture {_times(wanted)}."
        found.append(RowFinding(_COLUMN, what, fix))
    return found


def plain_addresses(references: Mapping[str, Sequence[str]]) -> Iterator[RowFinding]:
    """The addresses without encryption, where the provider wants it: it may not open them.

    Args:
        references: what a row names, by column.
    """
    for column, names in references.items():
        if any(name[:7].lower() == "http://" for name in names):
            what = "is an http:// address, and the provider says that it opens https:// only."
            yield RowFinding(column, what, "Give the https:// address.")


def _times(pixels: tuple[int, int]) -> str:
    return f"{pixels[0]}x{pixels[1]}"
