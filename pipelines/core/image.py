"""Reference images: an address that the provider opens, or a local file that is sent along.

A picture may also be written out in the batch file, as a data: address.
An order names a local file together with the SHA-256 of its bytes, so that another picture is another order.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Self

from pipelines.core.errors import ImageUnusable

IMAGE_UNUSABLE = "image_unusable"  # the code of a row whose picture could not be sent; putting it back mends that
MOST_IMAGE_BYTES = 20 * 1024 * 1024  # what the strictest of the vendors takes in one request
_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_PREFIX = "file:"
_MARK = "#sha256="
_DATA = "data:"


@dataclass(frozen=True, slots=True)
class LocalImage:
    """A picture on this machine."""

    name: str  # of the file, without folders
    type: str  # media type
    data: bytes
    width: int
    height: int

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a picture; its pixels are counted without decoding it.

        Raises:
            ImageUnusable: it cannot be read, is too large, or is no JPEG, PNG or WebP.
        """
        try:
            if path.stat().st_size > MOST_IMAGE_BYTES:
                raise ImageUnusable(f"is larger than {MOST_IMAGE_BYTES // 1024**2} MB")
            data = path.read_bytes()
        except OSError as error:
            raise ImageUnusable(f"cannot be read ({error.strerror})") from None
        return cls._of(path.name, data)

    @classmethod
    def decode(cls, address: str) -> Self:
        """The picture that a data: address carries.

        Raises:
            ImageUnusable: it is not base64, is too large, or is no JPEG, PNG or WebP.
        """
        head, _, text = address.partition(",")
        if not head.lower().endswith(";base64"):
            raise ImageUnusable("is no picture in base64")
        if len(text) > MOST_IMAGE_BYTES * 4 // 3 + 4:
            raise ImageUnusable(f"is larger than {MOST_IMAGE_BYTES // 1024**2} MB")
        try:
            data = base64.b64decode(text, validate=True)
        except ValueError:
            raise ImageUnusable("is no picture in base64") from None
        return cls._of("image", data)

    @classmethod
    def _of(cls, name: str, data: bytes) -> Self:
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - most batches have no local files

        try:
            with Image.open(io.BytesIO(data), formats=list(_TYPES)) as image:
                return cls(name, _TYPES[image.format or ""], data, *image.size)
        except (UnidentifiedImageError, OSError, ValueError, KeyError, Image.DecompressionBombError):
            raise ImageUnusable("is no JPEG, PNG or WebP picture") from None

    @property
    def sha256(self) -> str:
        """Of the bytes."""
        return sha256(self.data).hexdigest()

    def base64(self) -> str:
        """The bytes as text, without a prefix."""
        return base64.b64encode(self.data).decode("ascii")

    def data_url(self) -> str:
        """The bytes as an address that carries them."""
        return f"data:{self.type};base64,{self.base64()}"


Image = str | LocalImage  # an address, or a file


def reference_to(path: str, image: LocalImage) -> str:
    """The name of a local file in an order: the path as the batch file writes it, and the hash of its bytes."""
    return f"{_PREFIX}{path}{_MARK}{image.sha256}"


def is_local(reference: str) -> bool:
    """Tell whether a picture is sent along, as a file or out of a data: address, and not opened by the provider."""
    return reference[:5].lower() == _DATA or (reference.startswith(_PREFIX) and _MARK in reference)


def local_path(reference: str) -> Path | None:
    """The file that an entry of `Order.image_urls` names, as the batch file writes it, or None where it names none."""
    if not is_local(reference) or not reference.startswith(_PREFIX):
        return None
    return Path(reference.removeprefix(_PREFIX).rpartition(_MARK)[0]).expanduser()


def shown_reference(reference: str) -> str:
    """A reference as a table shows it: a picture that is written out is named by the hash of what was written."""
    if reference[:5].lower() != _DATA:
        return reference
    return f"{reference.partition(',')[0]},(sha256 {sha256(reference.encode()).hexdigest()[:16]})"


def load(reference: str, folder: Path) -> Image:
    """The picture that a reference in an order stands for.

    Args:
        reference: an entry of `Order.image_urls`; a data: address becomes the picture that it carries, so that it can
            be sent in whatever form the provider takes.
        folder: that of the batch file; paths are relative to it.

    Raises:
        ImageUnusable: the file cannot be read, or is no longer the one that was planned with.
    """
    if not is_local(reference):
        return reference
    if not reference.startswith(_PREFIX):
        return LocalImage.decode(reference)
    path, _, digest = reference.removeprefix(_PREFIX).rpartition(_MARK)
    return _read_again(path, folder, digest)


@lru_cache(maxsize=16)
def _read_again(path: str, folder: Path, digest: str) -> LocalImage:
    """The file, as it was planned with. Many rows of a campaign often show the same few pictures."""
    try:
        image = LocalImage.read(folder / Path(path).expanduser())
    except ImageUnusable as error:
        raise ImageUnusable(f"{path} {error}") from None
    if image.sha256 != digest:
        raise ImageUnusable(f"{path} has changed since it was planned with")
    return image
