from __future__ import annotations

import re
import signal

import httpx
import pytest


@pytest.fixture
def sandbox(start_reelbatch):
    """`reelbatch sandbox` on a free port: the process, and what it said when it was ready."""
    process = start_reelbatch("sandbox", "--port", 0, "--latency", "0.1", "--bill", "bill.jsonl")
    lines = [process.stderr.readline() for _ in range(5)]
    return process, "".join(lines)


def test_it_serves_every_contract(sandbox, run_here, ended, write_batch, tmp_path):
    """`sandbox` says what to set, answers as every provider, keeps a bill that can be read, and Ctrl-C ends it with 0."""
    process, said = sandbox
    settings = dict(re.findall(r"(\w+_(?:BASE_URL|API_KEY))=(\S+)", said))
    assert set(settings) == {
        f"{name}_{what}" for name in ("OPENAI", "QINIU", "ACEDATA") for what in ("BASE_URL", "API_KEY")
    }
    names = ("openai", "qiniu", "acedata")
    batch = write_batch(*({"prompt": f"a clip of {name}", "provider": name} for name in names))
    assert run_here("run", batch, "--out", "out", **settings).code == 0
    bill = httpx.get(re.search(r"http\S+/_sandbox/bill", said).group(), trust_env=False).json()
    assert sorted((line["contract"], line["prompt"]) for line in bill) == sorted((n, f"a clip of {n}") for n in names)
    assert (tmp_path / "bill.jsonl").read_text("utf-8").count("\n") == 3
    process.send_signal(signal.SIGINT)
    stopped = ended(process)
    assert (stopped.code, stopped.out) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(["--faults", "unheard-of"], "storm"), (["--latency", "soon"], "uniform:2-5"), (["--speed", "0"], "--speed")],
)
def test_wrong_options_are_explained(cli, arguments, word):
    """What the sandbox cannot be told is one error, exit code 2."""
    ended = cli("sandbox", "--port", 0, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert word in ended.err


def test_a_port_that_is_taken_is_named(cli, idle_provider):
    """A second sandbox on the same port says that it is taken."""
    port = idle_provider.url.rpartition(":")[2]
    ended = cli("sandbox", "--port", port)
    assert (ended.code, ended.out) == (2, "")
    assert port in ended.err
