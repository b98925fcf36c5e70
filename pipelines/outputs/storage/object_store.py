"""The bucket that an output folder is in: files go up and are read back, through fsspec. Every call here blocks."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from pipelines.core.errors import BucketRefused, SetupError, UploadFailed
from pipelines.core.remote_folder import bucket_address
from pipelines.outputs.storage.whole_file import whole_file

_PACKAGES = {"s3": ("s3", "s3fs"), "gs": ("gcs", "gcsfs")}  # extra of ours, and what it installs
_HELP = (
    "Mend it (the name of the bucket, its rights, the network), then run the same command again: nothing is paid twice."
)


class ObjectStore:
    """The prefix of a bucket in which the files of one output folder are kept. Names are relative, with "/".

    Args:
        folder: the working folder.
        address: of the prefix, such as `s3://studio/clips/spring`.

    Raises:
        SetupError: its kind is unknown, or needs a package that is missing.
    """

    def __init__(self, folder: Path, address: str) -> None:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - takes its time, and few output folders are in a bucket

        self.folder, self.address = folder, address
        scheme = address.partition(":")[0]
        if "::" in address:
            raise SetupError(f"{address} has :: in it, which fsspec reads as two addresses. Choose another --out.")
        try:
            self._files, self._path = url_to_fs(address, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            extra, package = _PACKAGES.get(scheme, ("", ""))
            fix = f"Install it: pip install 'reelbatch[{extra}]', or {package}." if package else "Choose another --out."
            raise SetupError(f"{scheme}:// cannot be used here ({error}). {fix} Nothing was sent.") from None
        self._on_disk = scheme == "file"

    def uri(self, name: str) -> str:
        """The address of a file."""
        return f"{self.address}/{name}"

    def keep(self, name: str) -> str:
        """Put a file of the working folder into the bucket for good, never over another content, and read it back.

        What is there already with the same content is kept; where another file has the name it becomes `clip-1.mp4` and so on.

        Returns:
            The name that it has there.

        Raises:
            UploadFailed: it is not there, or not known to be.
        """
        local, plain = self.folder / name, PurePosixPath(name)
        with local.open("rb") as file:
            size, sha256 = os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        for number in range(1000):
            free = name if not number else str(plain.with_stem(f"{plain.stem}-{number}"))
            with self._told(free):
                if self._look(free) is None:
                    with suppress(FileExistsError):  # somebody was quicker
                        self._put(local, free, new=True)
                if (look := self._look(free)) is None:
                    raise UploadFailed(f"{self.uri(free)} is not there, though it was uploaded. {_HELP}")
                if look.get("size") == size and (_md5_of(look) == md5 or self._sha256(free) == sha256):
                    return free
        raise BucketRefused(f"{self.uri(name)} and all its substitutes are taken by other files.")

    def replace(self, name: str) -> None:
        """Put a file of the working folder into the bucket, over an older one: what can be derived again.

        Raises:
            UploadFailed: it could not be put there.
        """
        with self._told(name):
            self._put(self.folder / name, name, new=False)

    def remove(self, name: str) -> None:
        """Take a file away that holds true no more; none is needed to be there.

        Raises:
            UploadFailed: it could not be taken away.
        """
        with self._told(name), suppress(FileNotFoundError):
            self._files.rm_file(self._key(name))

    def fetch(self, name: str) -> bool:
        """Bring a file into the working folder, over what is there, as old as it is. False: there is none.

        Raises:
            UploadFailed: the bucket cannot be read.
        """
        with self._told(name):
            if self._look(name) is None:
                return False
            with whole_file(self.folder / name) as temporary:
                self._files.get_file(self._key(name), str(temporary))
            with suppress(NotImplementedError):
                written = self._files.modified(self._key(name)).timestamp() + 1  # most stores tell whole seconds
                os.utime(self.folder / name, (written, written))
            return True

    def sizes(self, below: str) -> dict[str, int]:
        """How many bytes each file has in a sub-folder, by its name there.

        Raises:
            UploadFailed: the bucket cannot be read.
        """
        with self._told(below):
            try:
                entries = self._files.ls(self._key(below), detail=True)
            except FileNotFoundError:
                return {}
            return {PurePosixPath(each["name"]).name: each["size"] for each in entries if each["type"] == "file"}

    def digest(self, name: str) -> tuple[int, str] | None:
        """Read a file whole: its size and SHA-256. None: there is none.

        Raises:
            UploadFailed: the bucket cannot be read.
        """
        with self._told(name):
            look = self._look(name)
            return None if look is None else (int(look["size"]), self._sha256(name))

    def set_aside(self, name: str) -> str:
        """Give a damaged file another name beside its own, that nothing has, and say which.

        Raises:
            UploadFailed: it could not be moved.
        """
        plain = PurePosixPath(name)
        free = str(plain.with_stem(f"{plain.stem}.damaged-{uuid4().hex[:12]}"))
        with self._told(name):
            self._files.cp_file(self._key(name), self._key(free))
            self._files.rm_file(self._key(name))  # not `mv`, which reads patterns into names
        return free

    def folders_with(self, names: Container[str], beside: Container[str]) -> list[str]:
        """Find the sub-folders, the prefix itself as "", in which one of these files lies.

        Args:
            names: of the files.
            beside: folders that are not looked into.

        Raises:
            UploadFailed: the bucket cannot be read.
        """
        found = []
        with self._told(""), suppress(FileNotFoundError):  # a prefix without a file is none
            for at, folders, files in self._files.walk(self._path, on_error="raise"):
                folders[:] = sorted(each for each in folders if each not in beside)
                if any(each in names for each in files):
                    found.append(at.removeprefix(self._path).strip("/"))
        return found

    def _key(self, name: str) -> str:
        return f"{self._path}/{name}"

    def _look(self, name: str) -> dict[str, Any] | None:
        self._files.invalidate_cache()
        try:
            look: dict[str, Any] = self._files.info(self._key(name))
        except FileNotFoundError:
            return None
        return look

    def _sha256(self, name: str) -> str:
        with self._files.open(self._key(name), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _put(self, local: Path, name: str, *, new: bool) -> None:
        key = self._key(name)
        if self._on_disk:  # where a file that is half copied can be seen
            Path(key).parent.mkdir(parents=True, exist_ok=True)
            part = str(Path(key).with_name(f".{uuid4().hex}.part"))
            self._files.put_file(str(local), part)
            (os.link if new else os.replace)(part, key)
            Path(part).unlink(missing_ok=True)
            return
        try:
            self._files.put_file(str(local), key, mode="create" if new else "overwrite")
        except (OSError, NotImplementedError) as error:
            if not new or "not implemented" not in str(error).casefold():
                raise
            self._files.put_file(str(local), key)  # this server knows no conditions; it was not there a moment ago

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Translate what a bucket's client raises into what a person can do."""
        try:
            yield
        except (UploadFailed, SetupError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a bucket's client raises
            lasting = isinstance(error, FileNotFoundError | PermissionError | ImportError)
            said = " ".join(str(error).split()) or "without a word"
            raise (BucketRefused if lasting else UploadFailed)(
                f"{self.uri(name)} cannot be reached ({type(error).__name__}: {said[:300]}). {_HELP}"
            ) from None


def store_of(folder: Path) -> ObjectStore | None:
    """The bucket that a working folder belongs to; None: it is a plain folder, where files stay.

    Raises:
        SetupError: the bucket is of a kind that cannot be used here.
    """
    address = bucket_address(folder)
    return None if address is None else ObjectStore(folder, address)


def brought_down(folder: Path, *names: str) -> Path:
    """A folder as it was given, with files in it that its bucket has and it has not, where it is a working folder.

    Raises:
        UploadFailed: the bucket cannot be read.
        SetupError: it is of a kind that cannot be used here.
    """
    missing = [name for name in names if not (folder / name).exists()]
    if missing and (store := store_of(folder)) is not None:
        for name in missing:
            store.fetch(name)
    return folder


def _md5_of(look: dict[str, Any]) -> str | None:
    """The MD5 of a file, if the store says it. An ETag may be something else, which is like no MD5."""
    if said := look.get("md5Hash"):
        return base64.b64decode(said).hex()
    return str(look.get("ETag", "")).strip('"') or None
