"""Whatever is wrong before the first order: one clear error, exit code 2, and nothing is sent or written."""

from __future__ import annotations

import socket

import pytest

GOOD = "prompt,provider\na boat,qiniu\n"


@pytest.fixture
def pointed(idle_provider, monkeypatch):
    for name, value in idle_provider.environment().items():
        monkeypatch.setenv(name, value)
    return idle_provider


def refused(ended, provider, folder, *words):
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert "Traceback" not in ended.err
    for word in words:
        assert word in ended.err
    assert provider.requests() == {}
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("missing.csv", None, ["missing.csv", "No such file"]),
        ("folder.csv", ..., ["folder.csv", "is a folder"]),
        ("batch.docx", GOOD, ["batch.docx", ".csv"]),
        ("empty.csv", "", ["empty.csv", "empty"]),
        ("header.csv", "prompt,provider\n", ["header.csv"]),
        ("no-prompt.csv", "promt,provider\na boat,qiniu\n", ["no-prompt.csv", "prompt"]),
        ("twice.csv", "id,prompt,provider\nx,a,qiniu\nx,b,qiniu\n", ["twice.csv", '"x"', "rows 1, 2"]),
        ("who.csv", "prompt,provider\na,nobody\n", ["nobody", "Known: acedata, "]),
        ("broken.yaml", "version: 1\njobs: [", ["broken.yaml"]),
        ("quote.csv", 'prompt,provider\n"a boat,qiniu\n', ["quote.csv"]),
    ],
)
def test_a_bad_batch_is_refused(cli, pointed, tmp_path, name, text, words):
    """A batch file that cannot be run is refused before Prefect starts."""
    if text is ...:
        (tmp_path / name).mkdir()
    elif text is not None:
        (tmp_path / name).write_text(text, "utf-8")
    refused(cli("run", name, "--out", "out"), pointed, tmp_path, *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--provider", "nobody"], ["nobody"]),
        (["--budget", "lots"], ["--budget"]),
        (["--budget", "2,5"], ["--budget 2,5: Write a number such as 2.50."]),
        (["--budget", "-1"], ["--budget"]),
        (["--in-flight", "0"], ["--in-flight"]),
        (["--callback-url", "me.example/hook"], ["--callback-url: Not an http or https address."]),
        (["--per-minute", "0"], ["--per-minute"]),
        (["--only", "job-9"], ["--only", "job-9"]),
        (["--plan", "0123456789ab"], ["0123456789ab"]),
        (["--rehearse", "--faults", "unheard-of"], ["unheard-of", "storm"]),
        (["--rehearse", "--latency", "soon"], ["latency", "soon"]),
        (["--rehearse", "--speed", "0"], ["--speed"]),
        (["--faults", "storm", "--speed", "3", "--latency", "1"], ["--faults, --speed, --latency", "Add --rehearse"]),
        (["--speed", "60"], ["--speed", "Add --rehearse"]),
        (["--ledger", "mysql://somewhere/db"], ["mysql"]),
    ],
)
def test_a_bad_option_is_refused(cli, pointed, write_batch, tmp_path, arguments, words):
    """An option that makes no sense is refused by its name, before Prefect starts."""
    batch = write_batch("a boat" if "--provider" in arguments else {"prompt": "a boat", "provider": "qiniu"})
    refused(cli("run", batch, "--out", "out", *arguments), pointed, tmp_path, *words)


def test_a_port_that_is_taken_is_refused(cli, pointed, write_batch, tmp_path):
    """Where somebody listens already, calls would go to them: it is said before Prefect starts and anything is sent."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        asked = ["--callback-listen", listen, "--callback-url", "https://hooks.example"]
        batch = write_batch({"prompt": "a boat", "provider": "qiniu"})
        refused(cli("run", batch, "--out", "out", *asked), pointed, tmp_path, listen, "`reelbatch callbacks`")


def test_a_broken_profile_is_refused(cli, pointed, write_batch, tmp_path):
    """A profile that is wrong ends the run before it begins, also where no row goes to it."""
    (tmp_path / "reelbatch.providers").mkdir()
    (tmp_path / "reelbatch.providers" / "fox.yaml").write_text("name: fox\nextends: nobody\n", "utf-8")
    batch = write_batch({"prompt": "a boat", "provider": "qiniu"})
    refused(cli("run", batch, "--out", "out"), pointed, tmp_path, "fox.yaml, line 2, extends", '"nobody"')


def test_a_missing_key_is_refused(cli, pointed, write_batch, monkeypatch, tmp_path):
    """Without a key for one of its providers nothing of a batch is begun; the variable is named."""
    monkeypatch.delenv("ACEDATA_API_KEY")
    batch = write_batch({"prompt": "a", "provider": "qiniu"}, {"prompt": "b", "provider": "acedata"})
    refused(cli("run", batch, "--out", "out"), pointed, tmp_path, "acedata", "ACEDATA_API_KEY", "--rehearse")


@pytest.mark.parametrize("address", ["somewhere", "ftp://somewhere", "http://", "http://a b", "http://me:secret@host"])
def test_a_wrong_address_is_refused(cli, pointed, write_batch, monkeypatch, tmp_path, address):
    """A base URL that is none is named with its variable."""
    monkeypatch.setenv("QINIU_BASE_URL", address)
    batch = write_batch({"prompt": "a", "provider": "qiniu"})
    refused(cli("run", batch, "--out", "out"), pointed, tmp_path, "QINIU_BASE_URL")


def test_a_folder_that_cannot_be_made_is_refused(run_here, idle_provider, write_batch, tmp_path):
    """Where a file stands in the way of the output folder, the run says so, and nothing is sent."""
    (tmp_path / "out").write_text("in the way", "utf-8")
    ended = run_here("run", write_batch("a boat"), "--out", "out", "--provider", "qiniu", **idle_provider.environment())
    assert (ended.code, ended.out) == (2, "")
    assert "error: The output folder" in ended.err
    assert "Traceback" not in ended.err
    assert idle_provider.requests() == {}


def test_a_prefect_server_that_does_not_answer_is_named(run_here, idle_provider, write_batch):
    """With a wrong PREFECT_API_URL nothing is sent, and the error says what to do."""
    away = "http://127.0.0.1:9/api"
    batch = write_batch({"prompt": "a boat", "provider": "qiniu"})
    ended = run_here("run", batch, "--out", "out", PREFECT_API_URL=away, **idle_provider.environment())
    assert (ended.code, ended.out) == (2, "")
    assert away in ended.err
    assert "prefect server start" in ended.err
    assert "Traceback" not in ended.err
    assert idle_provider.requests() == {}
