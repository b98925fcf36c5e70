"""`reelbatch inbox`, as a person starts it."""

from __future__ import annotations

import signal

import pytest


@pytest.fixture
def box(tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "good.csv").write_text("id,prompt\na,a boat\n", "utf-8")
    (folder / "bad.csv").write_text("id,prompt\na,\n", "utf-8")
    return folder


def test_a_look_makes_what_is_good_and_refuses_the_rest(run_here, provider, box, tmp_path):
    """It says what became of each file; the exit code says that one needs a person; again there is nothing new."""
    command = ["inbox", box, "--once", "--budget", "2", "--provider", "qiniu", "--every", "0.1"]
    ended = run_here(*command, **provider.environment("inbox"))
    assert ended.code == 1, ended.err
    assert "good.csv: 1 of 1 done." in ended.err
    assert "bad.csv: refused:" in ended.err
    assert ended.err.endswith("1 done, 1 refused.\n")
    assert provider.prompts() == ["a boat"]
    assert (box / "outputs" / "good" / "videos" / "a.mp4").is_file()
    again = run_here(*command, **provider.environment("inbox"))
    assert (again.code, again.err.splitlines()[-1]) == (0, "nothing new.")


@pytest.mark.long
def test_a_rehearsal_needs_no_cap_and_pays_nothing(run_here, idle_provider, box):
    """It is remembered apart from runs for money."""
    command = ["inbox", box, "--once", "--rehearse", "--provider", "qiniu", "--every", "0.1"]
    ended = run_here(*command, **idle_provider.environment("inbox"))
    assert ended.code == 1, ended.err
    assert (box / "outputs" / "good" / "rehearsal" / "videos" / "a.mp4").is_file()
    assert idle_provider.bill() == []
    assert not (box / ".reelbatch-inbox.sqlite3").exists()


@pytest.mark.long
def test_the_watch_goes_on_until_somebody_stops_it(start_reelbatch, ended, provider, box, until):
    """A file that is dropped later is made; Ctrl-C leaves in order."""
    command = ["inbox", box, "--yes", "--provider", "qiniu", "--every", "0.1"]
    watching = start_reelbatch(*command, **provider.environment("inbox"))
    until((box / "done" / "good.csv").exists)
    (box / "later.csv").write_text("id,prompt\na,a tram\n", "utf-8")
    until((box / "done" / "later.csv").exists)
    watching.send_signal(signal.SIGINT)
    assert ended(watching).code == 130
    assert provider.prompts() == ["a boat", "a tram"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [([], "--budget 25"), (["--budget", "0"], "greater than 0"), (["--yes", "--every", "0"], "every")],
)
def test_bad_input_is_refused_before_anything_is_watched(cli, box, arguments, words):
    """Exit code 2, nothing moved."""
    refused = cli("inbox", box, *arguments)
    assert refused.code == 2
    assert words in refused.err
    assert (box / "good.csv").is_file()


def test_a_folder_that_is_not_there_is_said(cli, tmp_path):
    """Exit code 2, and what to do."""
    refused = cli("inbox", tmp_path / "gone", "--yes")
    assert (refused.code, "There is no folder" in refused.err) == (2, True)
