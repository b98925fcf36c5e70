"""Where a ledger is kept: a file of one output folder, or one campaign of a database that many share."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from pipelines.core.errors import LedgerError
from pipelines.core.remote_folder import shown_place

LEDGER_NAME = "ledger.sqlite3"
TRACE = "manifest.jsonl"  # what a run leaves in the output folder
PLACE_NOTE = ".ledger-place"  # in an output folder whose ledger is kept elsewhere: where that is, and never a password
#: The environment variable that says where new output folders keep their ledger, and with which password.
BY_ENVIRONMENT = "REELBATCH_LEDGER"

#: What of the query of an address says where a database is; the rest may be secret.
_PLAIN = ("host", "port", "sslmode", "sslrootcert")
_WAYS = "Give a path, sqlite:////absolute/path or postgresql://host/database."
_MOST_OF_A_NOTE = 10_000


@dataclass(frozen=True, slots=True)
class FileLedger:
    """A ledger in a SQLite file, which one campaign has to itself."""

    file: Path
    folder: Path = field(compare=False)  # the output folder that it is the ledger of

    def __str__(self) -> str:
        return str(self.file)


@dataclass(frozen=True, slots=True)
class SharedLedger:
    """The part of a PostgreSQL database that belongs to one campaign, or to one occurrence of it."""

    url: URL = field(repr=False, compare=False)  # with what it takes to come in
    campaign: str  # its name; `name/occurrence` where it comes again and again
    folder: Path = field(compare=False)  # the output folder that it is the ledger of
    address: str = ""  # as it may be shown and kept: without user, password and what else may be secret

    def __str__(self) -> str:
        return f"of {self.campaign} at {self.address}"


LedgerPlace = FileLedger | SharedLedger


def place_named(text: str, folder: Path, campaign: str) -> LedgerPlace:
    """Read where a ledger is to be: a plain path, or the URL of a SQLite file or of a PostgreSQL database.

    Args:
        text: as a person gives it.
        folder: the output folder that it is the ledger of.
        campaign: what tells it from others in a database that it shares.

    Raises:
        LedgerError: it cannot be read, is of another database, or in memory, which would forget what was paid.
    """
    if "://" not in text:
        return FileLedger(Path(text).expanduser().absolute(), folder)
    try:
        parsed = make_url(text)
    except (ArgumentError, ValueError):  # neither is shown: it may have the password in it
        raise LedgerError(f"The ledger URL cannot be read. {_WAYS}") from None
    kind = parsed.get_backend_name()
    if kind in ("postgresql", "postgres"):
        return SharedLedger(parsed.set(drivername="postgresql+psycopg"), campaign, folder, _address(parsed))
    if kind != "sqlite":
        raise LedgerError(f"A ledger on {kind} is not supported. {_WAYS}")
    if not parsed.database or parsed.database == ":memory:":
        raise LedgerError(f"A ledger in memory forgets what was paid. {_WAYS}")
    return FileLedger(Path(parsed.database).absolute(), folder)


def as_shown(text: str) -> str:
    """A ledger as it may be shown anywhere: a database without user, password and what else may be secret."""
    place = place_named(text, Path(), "")
    return place.address if isinstance(place, SharedLedger) else text


def has_password(text: str) -> bool:
    """Tell whether a ledger is named with a password, or with what else of a database's address may be secret."""
    place = place_named(text, Path(), "")
    return isinstance(place, SharedLedger) and bool(place.url.password or {*place.url.query} - {*_PLAIN})


def address_text(place: LedgerPlace) -> str:
    """Where it is as text, without anything that is secret; the campaign in a database is not said."""
    return place.address if isinstance(place, SharedLedger) else str(place.file)


def place_of(known: LedgerPlace | Path) -> LedgerPlace:
    """A plain path as the ledger of the folder in which it lies."""
    return FileLedger(known, known.parent) if isinstance(known, Path) else known


def remember_place(place: LedgerPlace) -> None:
    """Write into an output folder where its ledger is, if that is not where everybody looks.

    Raises:
        OSError: it cannot be written.
    """
    known: dict[str, str]
    if isinstance(place, SharedLedger):
        known = {"ledger": place.address, "campaign": place.campaign}
    elif place.file == place.folder / LEDGER_NAME:
        return
    else:
        known = {"ledger": str(place.file)}
    note, text = place.folder / PLACE_NOTE, json.dumps(known)
    if not note.is_symlink() and note.is_file() and note.read_text("utf-8") == text:
        return
    temporary = note.with_name(f"{PLACE_NOTE}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(note)  # in the place of a link, and not of what it leads to


def place_remembered(
    folder: Path, environment: Mapping[str, str] = os.environ, named: str | None = None
) -> LedgerPlace | None:
    """Find the ledger of an output folder: the one that the folder remembers, or the file in it; None: it has none.

    Args:
        folder: the output folder.
        environment: has the user and password of a database under `REELBATCH_LEDGER`, if it is that database; else what
            libpq reads: `PGUSER`, `PGPASSWORD`, `~/.pgpass`.
        named: the ledger that the person names for this command.

    Raises:
        LedgerError: what it remembers cannot be read, or would have a password sent to a host that nobody has named.
    """
    note, own = folder / PLACE_NOTE, folder / LEDGER_NAME
    if note.is_symlink() or not note.is_file():
        return FileLedger(own, folder) if own.is_file() else None
    try:
        known = json.loads(note.read_text("utf-8")[:_MOST_OF_A_NOTE])
        place = place_named(str(known["ledger"]), folder, str(known.get("campaign", folder.name)))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise LedgerError(f"{note} does not say where the ledger of {folder} is. Put it back as it was.") from None
    if isinstance(place, SharedLedger):  # of what a stranger may have written there, only what we write ourselves
        place = place_named(place.address, folder, place.campaign)
    place = with_credentials(place, environment)
    if isinstance(place, SharedLedger) and environment.get("PGPASSWORD") and not place.url.password:
        hosts = {environment.get("PGHOST"), *(_host_of(text) for text in (named, environment.get(BY_ENVIRONMENT)))}
        if _host_of(place.address) not in hosts:
            raise LedgerError(
                f"{note} leads to {place.address}, and PGPASSWORD would be sent there, though nobody has named that host. "
                f"If it is yours, set {BY_ENVIRONMENT} to this address, or PGHOST to its host."
            )
    return place


def _host_of(text: str | None) -> str | None:
    """The host of a database's URL, or the folder of its socket, as the driver understands it; a port is no other host."""
    try:
        url = make_url(text or "")
    except (ArgumentError, ValueError):
        return None
    return str(url.query.get("host", "") or url.host or "") or None


def refuse_lost(place: LedgerPlace) -> None:
    """Refuse to begin a ledger anew where the output folder shows that there was one.

    Raises:
        LedgerError: there has been another ledger, and what was paid for is written in that one.
    """
    trace = place.folder / TRACE
    if not trace.exists():
        return
    shows = f"and {shown_place(trace)} shows that there was one. A new one would buy everything again."
    if isinstance(place, SharedLedger):
        raise LedgerError(
            f"The database has no ledger {place}, {shows} Give the database that has it, or choose another --out."
        )
    raise LedgerError(
        f"The ledger {place} is gone, {shows} Put it back, or choose another --out; only to buy everything again, move "
        "the manifest away."
    )


def with_credentials(place: LedgerPlace, environment: Mapping[str, str]) -> LedgerPlace:
    """Add user and password to the address of a database that has none, if the environment names the very same."""
    given = environment.get(BY_ENVIRONMENT, "")
    if not isinstance(place, SharedLedger) or place.url.username or place.url.password or not given:
        return place
    own = place_named(given, place.folder, place.campaign)
    return own if own == place else place


def _address(url: URL) -> str:
    query = {name: value for name, value in url.query.items() if name in _PLAIN}
    bare = URL.create("postgresql", host=url.host, port=url.port, database=url.database, query=query)
    return bare.render_as_string()
