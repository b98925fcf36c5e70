from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from pipelines.callbacks.addresses import keys_for
from pipelines.callbacks.service import place_to_serve
from pipelines.callbacks.way_in import prove_way_in
from pipelines.ledger import bought
from pipelines.ledger.ledger import Ledger, LedgerReader
from pipelines.ledger.storage.place import FileLedger
from tests.servers import HERE

HOUSE = Path(__file__).parents[3]


@contextmanager
def receiver(folder, *more):
    """`reelbatch callbacks` over the ledger of a folder; where it listens."""
    command = [sys.executable, "-m", "flows.command_line", "callbacks", "--ledger", str(folder), *more]
    environment = os.environ | {"PYTHONPATH": str(HOUSE)}
    with subprocess.Popen(
        command, cwd=HOUSE, env=environment, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as process:
        try:
            line = process.stderr.readline().decode()
            yield line.split("--callback-url ")[1].strip(), process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


@pytest.fixture
def folder(tmp_path):
    """A folder with a ledger in which nothing is."""

    async def make():
        async with Ledger(tmp_path / "ledger.sqlite3"):
            pass

    asyncio.run(make())
    return tmp_path


@pytest.mark.long
def test_the_receiver_is_a_process_of_its_own(folder, unused_tcp_port):
    """It says where it listens, answers operators on another port, proves itself to `doctor`, and ends in order."""
    place = FileLedger(folder / "ledger.sqlite3", folder)
    with receiver(folder, "--listen", "127.0.0.1:0", "--health-listen", f"127.0.0.1:{unused_tcp_port}") as (url, _):
        keys = keys_for(place, {})
        unknown = keys.url(url, LedgerReader(place).read(bought.ledger_id), "0" * 32)
        assert [httpx.post(each, **HERE).status_code for each in (unknown, unknown + "x", url)] == [404] * 3
        assert httpx.get(f"{url}/metrics", **HERE).status_code == 404
        operators = f"http://127.0.0.1:{unused_tcp_port}"
        assert httpx.get(f"{operators}/healthz", **HERE).text == "ok\n"
        assert 'result="unknown"} 1' in httpx.get(f"{operators}/metrics", **HERE).text
        listen = url.removeprefix("http://")
        arrived, words = asyncio.run(prove_way_in(url, listen, place, {}))
        assert (arrived, "the receiver that runs" in words) == (True, True)
        arrived, words = asyncio.run(prove_way_in(url, listen, None, {}))
        assert (arrived, "name its --ledger" in words) == (False, True)
        others = {"REELBATCH_CALLBACK_KEYS": "k" * 32}
        arrived, words = asyncio.run(prove_way_in(url, listen, None, others))
        assert (arrived, "somebody else answers" in words) == (False, True)


def test_doctor_calls_itself_where_nobody_listens_yet(unused_tcp_port_factory):
    """A way that leads back is found; one that leads nowhere, or is plain http to elsewhere, is said."""
    listen = f"127.0.0.1:{unused_tcp_port_factory()}"
    assert asyncio.run(prove_way_in(f"http://{listen}/hooks", listen, None, {}))[0]
    nowhere = f"http://127.0.0.1:{unused_tcp_port_factory()}"
    for url, words in ((nowhere, f"{nowhere}: no connection"), ("http://hooks.example", "plain http")):
        arrived, said = asyncio.run(prove_way_in(url, listen, None, {}))
        assert not arrived
        assert words in said


def test_keys_are_changed_by_a_command(cli, folder):
    """A new key stands first and the one before it stays; those of the environment are the operator's."""
    before = keys_for(FileLedger(folder / "ledger.sqlite3", folder), {}).keys
    assert cli("callbacks", "--ledger", str(folder), "--rotate-key").code == 0
    assert keys_for(FileLedger(folder / "ledger.sqlite3", folder), {}).keys[1:] == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "which ledger"),
        (["--ledger", "outputs/mistyped"], "no folder"),
        (["--listen", "0.0.0.0:8900"], "reached by others"),
        (["--public-url", "http://hooks.example"], "plain http"),
        (["--listen", "here"], "no address"),
    ],
    ids=str,
)
def test_c20_what_cannot_be_is_said_in_a_sentence(cli, folder, arguments, words):
    """Exit code 2, what is wrong and what to do."""
    given = arguments if "--ledger" in arguments or not arguments else [*arguments, "--ledger", str(folder)]
    ended = cli("callbacks", *given)
    assert (ended.code, words in ended.err) == (2, True)


def test_a_receiver_may_be_there_before_the_first_run(tmp_path):
    """A folder without a ledger is the folder of a run that is still to come; whoever calls too early is to call again."""
    assert place_to_serve(str(tmp_path), {}) == FileLedger(tmp_path / "ledger.sqlite3", tmp_path)
