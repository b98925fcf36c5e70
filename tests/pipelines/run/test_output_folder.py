from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.batch import read_batch
from pipelines.core.errors import LedgerError, SetupError
from pipelines.core.remote_folder import folder_named, shown_place
from pipelines.ledger.ledger import ledger_in
from pipelines.ledger.storage.place import LEDGER_NAME
from pipelines.run.options import RunOptions
from pipelines.run.output_folder import make_folders, output_folder, refuse_ambiguous_day


@pytest.mark.parametrize("name", ["videos", "thumbs"])
def test_a_folder_of_ours_that_leads_elsewhere_is_refused(tmp_path, name):
    """A planted link is named and not followed; the output folder itself may be one, since the operator names it."""
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    out.symlink_to(elsewhere)
    make_folders(out)
    (elsewhere / name).rmdir()
    (elsewhere / name).symlink_to(tmp_path)
    with pytest.raises(SetupError, match=f"{name} is a symbolic link"):
        make_folders(out)


def test_a_rehearsal_that_leads_elsewhere_is_none(tmp_path):
    """Neither is anything rehearsed there, nor is a ledger there taken for that of this folder."""
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    for folder in (elsewhere, out):
        folder.mkdir()
    (elsewhere / LEDGER_NAME).touch()
    (out / "rehearsal").symlink_to(elsewhere)
    with pytest.raises(SetupError, match="rehearsal is a symbolic link"):
        make_folders(out / "rehearsal")
    with pytest.raises(LedgerError):
        ledger_in(out)
    assert [path.name for path in elsewhere.iterdir()] == [LEDGER_NAME]


@pytest.mark.parametrize(
    ("options", "said", "address"),
    [
        ({"out": "s3://studio/spring"}, None, "s3://studio/spring"),
        ({"out": "s3://studio/spring", "rehearse": True}, None, "s3://studio/spring/rehearsal"),
        ({"out": "gs://studio", "occurrence": "2026-11-21"}, None, "gs://studio/2026-11-21"),
        ({"root": "s3://studio"}, None, "s3://studio/x"),
        ({"root": "s3://studio", "occurrence": "2026-11-21"}, None, "s3://studio/x/2026-11-21"),
        ({"root": "s3://studio", "out": Path("clips/a")}, None, "s3://studio/clips/a"),
        ({}, "s3://studio/said", "s3://studio/said"),
    ],
)
def test_a_bucket_is_chosen_as_a_folder_is(tmp_path, options, said, address):
    """By `--out`, by `output.dir`, as a root with each campaign below it; occurrences and rehearsals apart."""
    named = {name: folder_named(place) for name, place in options.items() if name in ("out", "root")}
    jobs = [{"prompt": "a boat"}]
    path = tmp_path / "x.yaml"
    path.write_text(json.dumps({"version": 1, "jobs": jobs, **({"output": {"dir": said}} if said else {})}))
    batch = read_batch(path, provider="qiniu")
    folder = output_folder(batch, RunOptions(**options | named))
    assert (folder, shown_place(folder)) == (folder_named(address), address)


def test_a_working_folder_that_cannot_be_made_says_where_it_comes_from(tmp_path, monkeypatch):
    """Nobody has named it: what helps is another cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache").write_text("a file in its place")
    with pytest.raises(SetupError, match="XDG_CACHE_HOME"):
        make_folders(folder_named("s3://studio"))


@pytest.mark.parametrize("rehearse", [False, True])
def test_a_day_of_which_moments_are_there_is_ambiguous(tmp_path, rehearse):
    """One of them may be meant, and is paid for: all of that day in the zone are named, until the day itself was begun."""
    (tmp_path / "x.csv").write_text("prompt\na boat\n", "utf-8")
    batch = read_batch(tmp_path / "x.csv", provider="qiniu")
    day = RunOptions(out=tmp_path / "out", occurrence="2026-11-22", timezone="Europe/Berlin", rehearse=rehearse)

    def begin(occurrence):
        folder = output_folder(batch, day.model_copy(update={"occurrence": occurrence}))
        folder.mkdir(parents=True)
        (folder / LEDGER_NAME).touch()

    for other in ("2026-11-22T23-30-00Z", "2026-11-21T22-30-00Z", "2026-11-21"):
        begin(other)
    (tmp_path / "out" / "2026-11-22T09-00-00Z").mkdir()  # nothing was begun there
    refuse_ambiguous_day(batch, day)
    for tick in ("2026-11-22T18-14-39Z", "2026-11-21T23-30-00Z"):
        begin(tick)
    with pytest.raises(
        SetupError, match=r"begun in .*out: 2026-11-21T23-30-00Z, 2026-11-22T18-14-39Z\. Nothing was sent"
    ):
        refuse_ambiguous_day(batch, day)
    refuse_ambiguous_day(batch, day.model_copy(update={"again": True}))
    refuse_ambiguous_day(batch, day.model_copy(update={"occurrence": "2026-11-22T18:00"}))
    begin("2026-11-22")
    refuse_ambiguous_day(batch, day)
