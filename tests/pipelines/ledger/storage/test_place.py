"""Where a ledger is: read from what a person gives, remembered by the output folder, shown without anything secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.core.errors import LedgerError
from pipelines.ledger.storage.place import (
    LEDGER_NAME,
    PLACE_NOTE,
    FileLedger,
    as_shown,
    place_named,
    place_remembered,
    remember_place,
    with_credentials,
)

SECRET = "postgresql://ann:s3cret%40x@db.example:5433/reels?sslmode=require&password=s3cret&passfile=/s3cret"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/data/l.sqlite3", "/data/l.sqlite3"),
        ("sqlite:////data/l.sqlite3", "/data/l.sqlite3"),
        ("l.db", str(Path.cwd() / "l.db")),
        ("sqlite:///l.db", str(Path.cwd() / "l.db")),
    ],
)
def test_a_ledger_is_a_path_or_a_sqlite_url(url, path):
    """Both spellings name a file, relative to where the command was started."""
    assert str(place_named(url, Path("out"), "spring")) == path


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://u:secret@host/db",
        "://",
        "nonsense://x:y:z@",
        "postgresql://u:secret@host:secret/db",
    ],
)
def test_a_ledger_that_would_forget_is_refused(url):
    """A database in memory, one that is not supported and a URL that cannot be read are refused, without their password."""
    with pytest.raises(LedgerError) as caught:
        place_named(url, Path("out"), "spring")
    assert "secret" not in str(caught.value)


def test_what_is_secret_in_an_address_is_never_shown_nor_kept(tmp_path):
    """Neither words, nor `repr`, nor the note in the folder have user, password, or another file's place."""
    place = place_named(SECRET, tmp_path, "spring")
    remember_place(place)
    note = (tmp_path / PLACE_NOTE).read_text("utf-8")
    for text in (str(place), repr(place), note, as_shown(SECRET)):
        assert "s3cret" not in text
        assert "ann" not in text
    assert json.loads(note) == {"ledger": "postgresql://db.example:5433/reels?sslmode=require", "campaign": "spring"}
    assert (tmp_path / PLACE_NOTE).stat().st_mode & 0o777 == 0o600


def test_a_folder_remembers_its_ledger(tmp_path):
    """What it remembers is found again; user and password come from the environment, if it names the same database."""
    assert place_remembered(tmp_path) is None
    place = place_named(SECRET, tmp_path, "spring/2026-11-21")
    remember_place(place)
    found = place_remembered(tmp_path, {})
    assert found == place
    assert (found.url.username, found.url.password) == (None, None)
    assert place_remembered(tmp_path, {"REELBATCH_LEDGER": SECRET}).url == place.url
    assert place_remembered(tmp_path, {"REELBATCH_LEDGER": SECRET.replace("/reels", "/others")}).url == found.url


def test_a_password_that_is_given_goes_before_that_of_the_environment(tmp_path):
    """Who names user and password is taken at their word."""
    place = place_named("postgresql://bob:own@db.example:5433/reels?sslmode=require", tmp_path, "spring")
    assert with_credentials(place, {"REELBATCH_LEDGER": SECRET}).url.password == "own"


def test_a_file_elsewhere_is_remembered_and_one_in_the_folder_needs_no_note(tmp_path):
    """Whoever leaves `--ledger` out the next time does not begin a second ledger."""
    (tmp_path / LEDGER_NAME).touch()
    remember_place(FileLedger(tmp_path / LEDGER_NAME, tmp_path))
    assert not (tmp_path / PLACE_NOTE).exists()
    assert place_remembered(tmp_path).file == tmp_path / LEDGER_NAME
    for _ in range(2):
        remember_place(FileLedger(Path("/srv/a.sqlite3"), tmp_path))
    assert place_remembered(tmp_path) == FileLedger(Path("/srv/a.sqlite3"), tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name != LEDGER_NAME] == [PLACE_NOTE]


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"ledger": "mysql://x/y"}', '"x'])
def test_a_note_that_cannot_be_read_is_an_error_and_not_a_new_ledger(tmp_path, note):
    """A new ledger would buy everything again."""
    (tmp_path / PLACE_NOTE).write_text(note, "utf-8")
    with pytest.raises(LedgerError):
        place_remembered(tmp_path)


def test_destroyed_by_a_planted_note(tmp_path):
    """A link in the place of the note is replaced, and what it leads to stays as it is."""
    target = tmp_path / "precious"
    target.write_text("precious", "utf-8")
    (tmp_path / PLACE_NOTE).symlink_to(target)
    assert place_remembered(tmp_path) is None
    remember_place(FileLedger(Path("/srv/a.sqlite3"), tmp_path))
    assert target.read_text("utf-8") == "precious"
    assert not (tmp_path / PLACE_NOTE).is_symlink()


@pytest.mark.parametrize(
    ("note", "sent"),
    [
        ("postgresql://db.example/reels", True),
        ("postgresql://evil.example/reels", False),
        ("postgresql://db.example/reels?host=evil.example", False),
        ("postgresql:///reels?host=/tmp/evil", False),
        ("postgresql://db.example/reels?hostaddr=6.6.6.6", True),
    ],
)
@pytest.mark.parametrize(
    "naming",
    [
        {"PGHOST": "db.example"},
        {"REELBATCH_LEDGER": "postgresql://db.example/another"},
        {"named": "postgresql://db.example/reels"},
    ],
)
def test_a_password_goes_only_to_a_host_that_the_person_has_named(tmp_path, note, sent, naming):
    """A folder of somebody else's may lead anywhere; without a password to send it is followed."""
    (tmp_path / PLACE_NOTE).write_text(json.dumps({"ledger": note, "campaign": "spring"}))
    named = naming.get("named")
    environment = {"PGPASSWORD": "s3cret", **naming}
    assert place_remembered(tmp_path, naming, named) is not None
    if sent:
        place = place_remembered(tmp_path, environment, named)
        assert "hostaddr" not in place.url.query
    else:
        with pytest.raises(LedgerError, match="PGPASSWORD would be sent there"):
            place_remembered(tmp_path, environment, named)
