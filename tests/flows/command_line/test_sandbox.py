from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path

import httpx
import pytest

from pipelines.sandbox.faults.scripts import Effect, rules_in, shipped_scripts
from pipelines.sandbox.options import SandboxOptions
from pipelines.sandbox.vendors.hosted.vendors import HOSTED_NAMES
from tests.servers import HERE

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLES = DOCS / "examples"
PAGE = (DOCS / "sandbox.md").read_text("utf-8")


@pytest.fixture
def sandbox(start_reelbatch):
    """`reelbatch sandbox` on a free port: the process, and what it said when it was ready."""
    process = start_reelbatch("sandbox", "--port", 0, "--latency", "0.1", "--bill", "bill.jsonl")
    lines = [process.stderr.readline() for _ in range(7)]
    return process, "".join(lines)


@pytest.mark.long
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
    bill = httpx.get(re.search(r"http\S+/_sandbox/bill", said).group(), **HERE).json()
    assert sorted((line["contract"], line["prompt"]) for line in bill) == sorted((n, f"a clip of {n}") for n in names)
    assert (tmp_path / "bill.jsonl").read_text("utf-8").count("\n") == 3
    url, others = re.search(r"(http://\S+)/NAME/v1, where NAME is (.+)\.\n", said).groups()
    assert set(others.split(", ")) == {"litellm", "vllm-omni", "sglang", "new-api"}
    for name in others.split(", "):
        answer = httpx.get(f"{url}/{name}/v1/videos/any", headers={"authorization": "Bearer k"}, **HERE)
        assert "not found" in answer.text  # a job, not the address
    hosted = re.search(r"http://\S+/VENDOR/v1, where VENDOR is (.+)\.\n", said)[1]
    assert tuple(hosted.split(", ")) == HOSTED_NAMES
    process.send_signal(signal.SIGINT)
    stopped = ended(process)
    assert (stopped.code, stopped.out) == (0, "")


@pytest.mark.long
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
    [
        (["--faults", "unheard-of"], "--faults: There is no fault script 'unheard-of' and no such file. Known"),
        (["--latency", "soon"], "--latency: latency 'soon' is none of: 1, uniform:2-5"),
        (["--speed", 0], "--speed"),
        (["--in-flight-cap", 0], "--in-flight-cap"),
        (["--submit-rate", 0], "--submit-rate"),
        (["--status-rate", "inf"], "--status-rate"),
        (["--link-lifetime", -1], "--link-lifetime"),
        (["--ace-accepts", "maybe"], "'task_id', 'success' or 'nested'"),
        (["--ace-shapes", "round"], "'spec' or 'fixture'"),
        (["--poll-after-ms", 0], "--poll-after-ms"),
        (["--renders", "heavy"], "'full' or 'light'"),
        (["--webhook-url", "http://127.0.0.1:9/x"], "webhook-secret"),
        (["--webhook-url", "https://example.com", "--webhook-secret", "whsec_QUFB"], "on this machine"),
    ],
)
def test_wrong_options_are_explained(cli, arguments, word):
    """What the sandbox cannot be told is one error in one line, exit code 2."""
    ended = cli("sandbox", "--port", 0, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert word in ended.err
    assert ended.err.count("\n") == 1


def test_a_bill_that_is_none_is_named(cli, tmp_path):
    """A file of somebody else is not taken for a bill, nor added to."""
    (tmp_path / "other.jsonl").write_text("{}\n")
    ended = cli("sandbox", "--port", 0, "--bill", tmp_path / "other.jsonl")
    assert (ended.code, "other.jsonl is no bill" in ended.err) == (2, True)


def test_all_that_a_sandbox_can_be_told_is_an_option_and_on_its_page(cli):
    """Whatever the simulator can do, the command can ask for; docs/sandbox.md names each option and each fault."""
    options = {f"--{name.replace('_', '-')}" for name in SandboxOptions.model_fields}
    offered = set(re.findall(r"^  (--[a-z-]+)", cli("sandbox", "--help").out, re.MULTILINE))
    assert offered == options
    rows = " ".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))
    named = set(re.findall(r"`(\S+)`", rows))
    assert options | set(Effect.model_fields) <= named
    assert set(shipped_scripts()) <= set(re.findall(r"`([a-z-]+)`", PAGE))


def test_the_rules_of_the_page_can_be_played():
    """The example of docs/sandbox.md is a script."""
    (example,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(rules_in(example).rules) == 5


@pytest.mark.long
def test_limits_and_shapes_reach_the_server(start_reelbatch, ended):
    """What is asked for on the command line is how the sandbox behaves."""
    options = ["--latency", 60, "--in-flight-cap", 1, "--status-rate", 0.01, "--ace-accepts", "nested"]
    process = start_reelbatch("sandbox", "--port", 0, *options)
    url = re.search(r"http://\S+:\d+", process.stderr.readline()).group()
    with httpx.Client(base_url=url, headers={"authorization": "Bearer k"}, **HERE) as client:
        orders = [client.post("/sora/videos", json={"prompt": "a fox", "async": True}) for _ in range(2)]
        task = orders[0].json()["data"]["task_id"]
        asked = [client.post("/sora/tasks", json={"id": task}) for _ in range(2)]
    assert [answer.status_code for answer in (*orders, *asked)] == [200, 429, 200, 429]
    process.send_signal(signal.SIGINT)
    assert ended(process).code == 0


def test_a_port_that_is_taken_is_named(cli, idle_provider):
    """A second sandbox on the same port says that it is taken."""
    port = idle_provider.url.rpartition(":")[2]
    ended = cli("sandbox", "--port", port)
    assert (ended.code, ended.out) == (2, "")
    assert port in ended.err
