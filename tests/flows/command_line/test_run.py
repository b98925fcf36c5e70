from __future__ import annotations

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from pipelines.core.errors import LedgerError
from pipelines.ledger.ledger import LedgerReader
from pipelines.ledger.storage.place import LEDGER_NAME

HOUSE = Path(__file__).parents[3]
SPY = """
import sys, tasks.catalogue
from flows.command_line import main
real = tasks.catalogue.write_catalogue
def spy(*given, **named):
    print("for tables:", sorted({"pandas", "numpy", "pyarrow"} & set(sys.modules)))
    return real(*given, **named)
tasks.catalogue.write_catalogue = spy
try:
    main()
finally:
    print("of the simulator:", [name for name in sys.modules if name.startswith("pipelines.sandbox")])
"""

DROPPED_SECOND = {"match": {"route": "submit", "nth": [2]}, "do": {"cut": "after"}}
UNLIKED_SECOND = {"match": {"route": "submit", "nth": [2]}, "do": {"outcome": "moderation_blocked"}}
MIXED = [
    {"prompt": "a boat", "provider": "qiniu"},
    {"prompt": "a tram", "provider": "acedata"},
    {"prompt": "a kettle", "provider": "qiniu", "image_url": "https://images.example.com/kettle-720x1280.jpg"},
    {"prompt": "a heron", "provider": "acedata", "image_url": "https://images.example.com/lake-1280x720.png"},
    {"prompt": "a lantern", "provider": "openai"},
]


def statuses(rows):
    return {row["id"]: row["status"] for row in rows.values()}


def holds(folder, secret):
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if secret.encode() in path.read_bytes()]


def test_a_ledger_that_is_away_is_one_error_and_nothing_is_sent(run_here, provider, write_batch, tmp_path):
    """A database that cannot be reached, or an address that is none: exit code 2, one line, and no password anywhere."""
    batch, environment = write_batch({"prompt": "a boat", "provider": "qiniu"}), provider.environment()
    for url in ("postgresql://an-ann:s3cret@127.0.0.1:1/reels", "postgresql://an-ann:s3cret@127.0.0.1:s3cret/reels"):
        by_option = run_here("run", batch, "--out", "out", "--ledger", url, **environment)
        by_environment = run_here("run", batch, "--out", "out", **environment, REELBATCH_LEDGER=url)
        for ended in (by_option, by_environment):
            assert (ended.code, ended.err.count("error:"), "Traceback" in ended.err) == (2, 1, False)
            assert not [secret for secret in ("s3cret", "an-ann") if secret in ended.out + ended.err]
    assert provider.bill() == []
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()] == []


@pytest.mark.long
def test_a_batch_in_portions_and_again(run_here, cli, provider, write_batch, tmp_path, manifest):
    """`--only` and `--limit` make what they name, the plain command the rest, and once more the command sends nothing."""
    secret = "sk-very-secret-0123456789"
    batch, environment = write_batch(*MIXED), provider.environment(secret)
    command = ["run", batch, "--out", "out", "--json"]
    ran = [run_here(*command, "--only", "job-2", **environment)]
    assert [job for job, status in statuses(manifest(tmp_path / "out")).items() if status == "done"] == ["job-2"]
    ran.append(run_here(*command, "--limit", "2", **environment))
    assert ran[-1].json["counts"] == {"planned": 2, "done": 3}
    ran.append(run_here(*command, **environment))
    before = provider.requests()
    ran.append(run_here(*command, **environment))

    assert [ended.code for ended in ran] == [0, 0, 0, 0]
    assert [ended.json["counts"].get("done") for ended in ran] == [1, 3, 5, 5]
    assert provider.requests() == before
    assert provider.prompts() == sorted(row["prompt"] for row in MIXED)
    listed, status = cli("ls", "out", "--json"), cli("status", "out", "--json")
    assert {row["id"]: row["status"] for row in listed.json} == {f"job-{n}": "done" for n in range(1, 6)}
    assert {row["id"]: row for row in listed.json} == manifest(tmp_path / "out")
    assert (status.json["counts"], status.json["running"]) == ({"done": 5}, False)
    assert status.json["money"][0]["reserved"] == "0"
    assert holds(tmp_path / "out", secret) == []
    for ended in (*ran, listed, status):
        assert secret not in ended.out + ended.err


@pytest.mark.long
def test_a_paid_run_loads_no_simulator_and_tables_late(provider, prefect_api, write_batch, tmp_path):
    """A paid run imports nothing of the sandbox; and until its last clip is home, neither pandas nor what it stands on."""
    command = ["run", write_batch("a boat"), "--out", "out", "--provider", "qiniu", "--yes"]
    environment = os.environ | provider.environment() | {"PREFECT_API_URL": prefect_api, "PYTHONPATH": str(HOUSE)}
    ended = subprocess.run(
        [sys.executable, "-c", SPY, *command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert provider.prompts() == ["a boat"]
    assert ended.stdout == "for tables: []\nof the simulator: []\n"


@pytest.mark.long
def test_a_tick_is_gone_on_with_as_its_run_is_named(run_here, provider, tmp_path):
    """By its words or its folder, without its zone, nothing is bought, though prompts name the moment; its bare day is refused."""
    batch, environment = tmp_path / "sched.csv", provider.environment()  # without an id the prompt tells rows apart
    batch.write_text("prompt\na boat on {{ date }} at {{ occurrence }}\n", "utf-8")
    command = ["run", batch, "--out", "out", "--provider", "qiniu", "--occurrence"]
    made = run_here(*command, "2026-11-20T23-30-00Z", "--timezone", "Europe/Berlin", **environment)
    assert (made.code, provider.prompts()) == (0, ["a boat on 2026-11-21 at 2026-11-21 00:30"])
    assert "2026-11-21 00:30+01:00" in (tmp_path / "out" / "2026-11-20T23-30-00Z" / "gallery.html").read_text("utf-8")
    again = run_here(*command, "2026-11-21 00:30+01:00", **environment)
    assert (again.code, "1 of 1 done" in again.err, provider.orders()) == (0, True, 1), again.err
    by_folder = run_here(*command, "2026-11-20T23-30-00Z", **environment)
    assert (by_folder.code, "begun as 2026-11-21 00:30+01:00" in by_folder.err, provider.orders()) == (0, True, 1)
    day = run_here(*command, "2026-11-21", "--timezone", "Europe/Berlin", **environment)
    assert (day.code, "2026-11-20T23-30-00Z" in day.err, provider.orders()) == (2, True, 1), day.err
    assert not (tmp_path / "out" / "2026-11-21").exists()


def test_some_rows_fail(run_here, provider, write_batch, tmp_path, manifest):
    """One row that the provider does not like leaves the others alone: exit code 1, and the reason is named."""
    provider.faults(UNLIKED_SECOND)
    batch = write_batch("a boat", "a tram", "a kettle")
    ended = run_here("run", batch, "--out", "out", "--provider", "qiniu", "--in-flight", 1, **provider.environment())
    assert (ended.code, ended.out) == (1, "")
    assert "2 of 3 done, 1 failed" in ended.err
    assert statuses(manifest(tmp_path / "out")) == {"job-1": "done", "job-2": "failed", "job-3": "done"}
    assert "moderation" in ended.err
    assert (tmp_path / "out" / "failed.csv").read_text("utf-8").count("\n") == 2


@pytest.mark.long
def test_a_refused_key_stops_at_once(run_here, cli, provider, write_batch):
    """A key that is refused ends the run after a few submissions; all rows stay planned, and a good key finishes them."""
    batch = write_batch(*({"prompt": f"clip {n}", "provider": ("qiniu", "acedata")[n % 2]} for n in range(8)))
    command = ["run", batch, "--out", "out", "--in-flight", 2]
    refused = run_here(*command, **provider.environment("refused"))
    assert (refused.code, refused.out) == (2, "")
    assert "refuses the API key" in refused.err
    assert len(said := [line for line in refused.err.splitlines() if "API key" in line]) == len(set(said)), said
    assert "_API_KEY and run the same command again" in refused.err
    assert "Traceback" not in refused.err
    assert 1 <= provider.orders() <= 4
    assert provider.bill() == []
    assert {row["status"] for row in cli("ls", "out", "--json").json} == {"planned"}
    assert run_here(*command, **provider.environment()).code == 0
    assert len(provider.bill()) == 8


def test_an_empty_account_keeps_its_rows(run_here, cli, provider, write_batch):
    """Without a balance the run stops with exit code 3; the rows stay planned."""
    batch = write_batch(*(f"clip {n}" for n in range(6)))
    ended = run_here("run", batch, "--out", "out", "--provider", "qiniu", **provider.environment("broke"))
    assert (ended.code, provider.bill()) == (3, [])
    assert "no balance left" in ended.err
    assert {row["status"] for row in cli("ls", "out", "--json").json} == {"planned"}


@pytest.mark.long
def test_the_budget_holds(run_here, provider, write_batch):
    """Spend never passes `--budget`: the run makes what fits and ends with 3; with a larger one it makes the rest."""
    batch = write_batch(*(f"clip {n}" for n in range(6)))  # 0.40 USD each
    command = ["run", batch, "--out", "out", "--provider", "qiniu"]
    ended = run_here(*command, "--budget", "1.3", **provider.environment())
    assert ended.code == 3
    assert ended.err.count("Raise --budget") == 1
    assert "3 of 6 done, 3 planned" in ended.err
    assert sum(line["price"] for line in provider.bill()) <= 1.3
    assert run_here(*command, "--budget", "2.4", **provider.environment()).code == 0
    assert provider.prompts() == sorted(f"clip {n}" for n in range(6))


@pytest.mark.long
def test_an_uncertain_payment_is_named_and_not_repeated(run_here, cli, provider, write_batch):
    """An order without an answer is in doubt: exit code 4, `ls` says so with its cost, and no run sends it again."""
    provider.faults(DROPPED_SECOND)
    batch = write_batch("a boat", "a tram", "a kettle")
    command = ["run", batch, "--out", "out", "--provider", "qiniu", "--in-flight", 1]
    first = run_here(*command, **provider.environment())
    again = run_here(*command, **provider.environment())
    assert (first.code, again.code) == (4, 4)
    assert "job-2: in doubt, it may have been paid: 0.40 USD (assumed) (" in first.err
    assert "2 of 3 done, 1 in doubt. Spent 0.80 USD (assumed), uncertain 0.40 (assumed)." in first.err
    assert "2 of 3 done, 1 in doubt" in again.err
    assert provider.prompts() == ["a boat", "a kettle", "a tram"]
    assert provider.orders() == 3
    doubtful = cli("ls", "out", "--status", "in_doubt", "--json").json
    assert [(row["id"], row["cost_estimated"], row["billed"]) for row in doubtful] == [("job-2", "0.40", "unknown")]
    assert "in doubt" in cli("ls", "out").out
    said, known = cli("status", "out"), cli("status", "out", "--json").json
    assert (known["money"][0]["uncertain"], known["rehearsal"]) == ("0.4", False)
    [case] = known["attention"]
    assert (case["id"], case["status"], case["cost"]) == ("job-2", "in_doubt", "0.40 USD (assumed)")
    assert "in doubt: It may have been paid, and is not sent again by itself." in said.out
    assert "  job-2  0.40 USD (assumed)  " in said.out
    assert "rehearsal" not in said.out


def test_a_provider_that_is_down(run_here, start_provider, write_batch):
    """Rows wait for a provider that cannot be reached, and say so; nothing is lost, and later the same command finishes."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    batch = write_batch("a boat", "a tram", "a kettle")
    command = ["run", batch, "--out", "out", "--provider", "qiniu"]
    environment = {"QINIU_BASE_URL": f"http://127.0.0.1:{port}/qiniu/v1", "QINIU_API_KEY": "k"}
    ended = run_here(*command, "--wait-for-provider", 1, **environment)
    assert ended.code == 4
    assert "cannot be reached" in ended.err
    assert "0 of 3 done, 3 planned" in ended.err
    provider = start_provider(port=port)
    assert run_here(*command, **environment).code == 0
    assert provider.prompts() == ["a boat", "a kettle", "a tram"]


@pytest.mark.long
def test_a_provider_that_comes_back(run_here, start_provider, write_batch, until, tmp_path):
    """A run that waits for its provider goes on by itself as soon as it is there."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    batch = write_batch("a boat", "a tram")
    environment = {"QINIU_BASE_URL": f"http://127.0.0.1:{port}/qiniu/v1", "QINIU_API_KEY": "k"}

    missed = "SELECT 1 FROM attempt WHERE state = 'not_sent'"

    def was_missed():
        with suppress(LedgerError):
            return LedgerReader(tmp_path / "out" / LEDGER_NAME).read(lambda c: c.exec_driver_sql(missed).first())

    with ThreadPoolExecutor() as meanwhile:
        provider = meanwhile.submit(lambda: until(was_missed) and start_provider(port=port))
        after = run_here("run", batch, "--out", "out", "--provider", "qiniu", **environment)
    assert after.code == 0, after.err
    assert "cannot be reached" in after.err
    assert "qiniu answers again" in after.err
    assert provider.result().prompts() == ["a boat", "a tram"]


@pytest.mark.long
def test_a_changed_batch(run_here, cli, provider, write_batch):
    """With the hash of its plan a batch runs, an edited one does not; without it what was bought stays, and the rest goes on."""
    batch = write_batch("a boat")
    plan = cli("plan", batch, "--provider", "qiniu", "--json").json["plan"][:12]
    command = ["run", batch, "--out", "out", "--provider", "qiniu"]
    assert run_here(*command, "--plan", plan, **provider.environment()).code == 0
    write_batch("another boat", "a tram")
    bound, free = cli(*command, "--plan", plan), run_here(*command, **provider.environment())
    assert (bound.code, free.code) == (2, 0)
    assert plan in bound.err
    named, now = "job-1 (row 1: prompt) has changed since it was bought; it stays as it is", "another boat"
    redo = f"reelbatch redo {Path('out').absolute()} job-1"
    assert all(words in free.err for words in (named, redo, "2 of 2 done"))
    assert free.err.count(named) == 1  # also where it was said before the run began
    assert provider.prompts() == ["a boat", "a tram"]
    silent = run_here(*command, "--json", **provider.environment())
    assert (silent.code, [named in words for words in silent.json["warnings"]]) == (0, [True])
    assert named in cli("status", "out").out
    assert "[row_changed]" in cli("ls", "out").out
    asked = cli("redo", "out", "job-1")
    assert (asked.code, now in asked.err) == (2, True)
    anew = run_here("redo", "out", "job-1", "--yes", **provider.environment())
    assert (anew.code, provider.prompts()) == (0, ["a boat", "a tram", now])
    assert cli("status", "out", "--json").json["changed"] == []
