"""Where batch files are dropped and filed: a folder, or a prefix of a bucket through fsspec."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipelines.batch.files.source import BATCH_SUFFIXES, OTHER_SPREADSHEETS
from pipelines.core.errors import SetupError
from pipelines.outputs.storage.whole_file import whole_file

_STAMPS = ("mtime", "ino", "LastModified", "ETag", "updated", "created")  # what file systems say of a change


@dataclass(frozen=True, slots=True)
class FileLook:
    """How a dropped file looks: another size or stamp means that it has changed."""

    bytes: int
    stamp: tuple[str, ...]


class InboxPlace:
    """The folder or prefix that is watched. Everything in it is named as it is there; sub-folders are not looked into.

    Args:
        address: a path, or an address such as `s3://bucket/inbox`.

    Raises:
        SetupError: it is not there, or its kind needs a package that is missing.
    """

    def __init__(self, address: str) -> None:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - takes its time
        from fsspec.implementations.local import LocalFileSystem  # noqa: PLC0415 - as above

        self.address = address
        try:
            self._files, self._path = url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise SetupError(
                f"The inbox {address} cannot be opened ({error}). For s3:// install s3fs, for gs:// gcsfs."
            ) from None
        self.folder = Path(self._path) if isinstance(self._files, LocalFileSystem) else None  # None: a bucket
        if self.folder is not None and not self.folder.is_dir():
            raise SetupError(f"There is no folder {self.folder}. Make it, or name another inbox.")
        self.look()

    def look(self) -> dict[str, FileLook]:
        """Every file that may be a batch, by name; hidden and temporary names are left out.

        Raises:
            SetupError: it cannot be looked into.
        """
        try:
            self._files.invalidate_cache()
            entries = self._files.ls(self._path, detail=True)
        except FileNotFoundError:  # a prefix without a file is none
            return {}
        except Exception as error:  # noqa: BLE001 - whatever a bucket's client raises
            raise SetupError(f"The inbox {self.address} cannot be read ({type(error).__name__}: {error}).") from None
        return {
            name: FileLook(int(entry.get("size") or 0), tuple(str(entry[key]) for key in _STAMPS if key in entry))
            for entry in entries
            if entry["type"] == "file" and may_be_batch(name := PurePosixPath(entry["name"]).name)
        }

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            OSError: it is gone, or cannot be read.
        """
        return bytes(self._files.cat_file(f"{self._path}/{name}"))

    def local(self, name: str, raw: bytes, keep: Path) -> Path:
        """The file as one on the disk: where it lies, beside its pictures; of a bucket a copy below `keep`."""
        if self.folder is not None:
            return self.folder / name
        path = keep / name
        with whole_file(path) as file:
            file.write_bytes(raw)
        return path

    def kept_as(self, name: str, tray: str, sha256: str) -> str:
        """Choose the name of a file in a sub-folder, seen from the inbox; one that is taken there stays what it is."""
        kept, plain = f"{tray}/{name}", PurePosixPath(name)
        taken = self._files.exists(f"{self._path}/{kept}")
        return f"{tray}/{plain.stem}-{sha256[:8]}{plain.suffix}" if taken else kept

    def file(self, name: str, tray: str, sha256: str, report: str = "") -> str:
        """Move a file into a sub-folder, with a report beside it. Doing it again after a kill does no harm.

        Returns:
            Its new name, seen from the inbox: that of `kept_as`.

        Raises:
            SetupError: it cannot be moved.
        """
        try:
            self._files.makedirs(f"{self._path}/{tray}", exist_ok=True)
            kept = self.kept_as(name, tray, sha256)
            if report:  # before the file goes: who finds the file there finds the report
                self._write(f"{kept}.report.txt", report)
            self._move(name, kept)
        except OSError as error:
            raise SetupError(f"{name} cannot be moved to {tray}/ in {self.address} ({error}).") from None
        return kept

    def _write(self, name: str, text: str) -> None:
        if self.folder is None:
            self._files.pipe_file(f"{self._path}/{name}", text.encode())
            return
        with whole_file(self.folder / name) as file:
            file.write_text(text, "utf-8")

    def _move(self, name: str, kept: str) -> None:
        if self.folder is None:
            self._files.mv(f"{self._path}/{name}", f"{self._path}/{kept}")
        else:
            (self.folder / name).replace(self.folder / kept)


def may_be_batch(name: str) -> bool:
    """Tell whether a name is that of a batch file, and neither hidden nor temporary (`.x.csv`, `~$x.xlsx`)."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in (*BATCH_SUFFIXES, *OTHER_SPREADSHEETS) and not name.startswith((".", "~"))
