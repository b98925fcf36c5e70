from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path

import httpx
import pytest

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


@pytest.fixture
def sandbox(start_reelbatch):
    """`reelbatch sandbox` on a free port: the process, and what it said when it was ready."""
    process = start_reelbatch("sandbox", "--port", 0, "--latency", "0.1", "--bill", "bill.jsonl")
    lines = [process.stderr.readline() for _ in range(6)]
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
    url, others = re.search(r"(http://\S+)/NAME/v1, where NAME is (.+)\.\n", said).groups()
    assert set(others.split(", ")) == {"litellm", "vllm-omni", "sglang", "new-api"}
    for name in others.split(", "):
        answer = httpx.get(f"{url}/{name}/v1/videos/any", headers={"authorization": "Bearer k"}, trust_env=False)
        assert "not found" in answer.text  # a job, not the address
    process.send_signal(signal.SIGINT)
    stopped = ended(process)
    assert (stopped.code, stopped.out) == (0, "")


def test_it_plays_profiles_of_ones_own(start_reelbatch, run_here, ended, write_batch, tmp_path):
    """A server that only its profile describes is served too, and the run goes to the address that the sandbox says."""
    shutil.copytree(EXAMPLES / "reelbatch.providers", tmp_path / "reelbatch.providers")
    process = start_reelbatch("sandbox", "--port", 0, "--latency", "0.1")
    said = "".join(process.stderr.readline() for _ in range(6))
    settings = dict(re.findall(r"(LUMAFOX_(?:BASE_URL|API_KEY))=(\S+)", said))
    batch = write_batch({"prompt": "a fox", "provider": "lumafox", "seconds": 3})
    assert run_here("run", batch, "--out", "out", **settings).code == 0
    process.send_signal(signal.SIGINT)
    assert ended(process).code == 0


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
