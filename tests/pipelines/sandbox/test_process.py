from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from pipelines.core.errors import SetupError
from pipelines.sandbox.__main__ import serve_from_arguments
from pipelines.sandbox.options import SandboxOptions
from pipelines.sandbox.process import running_sandbox

HOUSE = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "pipelines.sandbox"]
KEY = {"authorization": "Bearer k"}
ORDER = {"prompt": "a lighthouse", "seconds": "4"}


def open_sandbox(*arguments, **options):
    process = subprocess.Popen([*COMMAND, *arguments], cwd=HOUSE, stdout=-1, **options)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


@pytest.mark.long
async def test_a_restarted_sandbox_answers_for_old_ids(tmp_path):
    """After a kill the bill alone brings back every job, its state by the clock, and its file byte by byte."""
    options = SandboxOptions(bill=tmp_path / "bill.jsonl", latency="0.3")
    async with (
        running_sandbox(options) as sandbox,
        httpx.AsyncClient(base_url=sandbox.url, headers=KEY, verify=False) as client,
    ):
        video = (await client.post("/v1/videos", json=ORDER)).json()["id"]
        await asyncio.sleep(0.4)
        before = sha256((await client.get(f"/v1/videos/{video}/content")).content).hexdigest()
        running = (await client.post("/v1/videos", json=ORDER)).json()["id"]
        os.kill(sandbox.pid, signal.SIGKILL)
    await asyncio.sleep(0.3)
    async with (
        running_sandbox(options) as sandbox,
        httpx.AsyncClient(base_url=sandbox.url, headers=KEY, verify=False) as client,
    ):
        after = sha256((await client.get(f"/v1/videos/{video}/content")).content).hexdigest()
        assert after == before
        assert (await client.get(f"/v1/videos/{running}")).json()["status"] == "completed"
        lines = (await client.get("/_sandbox/bill")).json()
        assert [line["id"] for line in lines] == [video, running]
        assert lines[0]["sha256"] == lines[1]["sha256"]  # the same clip, bought twice
        third = (await client.post("/v1/videos", json=ORDER)).json()["id"]
        assert third not in (video, running)


@pytest.mark.long
def test_it_ends_cleanly_at_a_signal():
    """Once it listens, SIGTERM and SIGINT end it with 0."""
    for number in (signal.SIGTERM, signal.SIGINT):
        process, address = open_sandbox("--port", "0")
        assert address == {"url": address["url"], "pid": process.pid}
        assert httpx.get(f"{address['url']}/_sandbox/bill", verify=False).json() == []
        process.send_signal(number)
        assert process.wait(60) == 0
        process.stdout.close()


def test_it_goes_when_its_parent_goes():
    """Without the other end of its standard input, a child of a killed parent does not stay."""
    process, _ = open_sandbox("--until-stdin-closes", stdin=-1)
    process.stdin.close()
    assert process.wait(60) == 0
    process.stdout.close()


def test_it_stays_without_standard_input_if_not_told_otherwise():
    """Run by hand in the background, it serves although its input has ended."""
    process, address = open_sandbox(stdin=subprocess.DEVNULL)
    time.sleep(0.3)
    assert httpx.get(f"{address['url']}/_sandbox/requests", verify=False).status_code == 200
    process.terminate()
    assert process.wait(60) == 0
    process.stdout.close()


@pytest.mark.parametrize(
    "arguments", [["--latency", "soon"], ["--faults", "unheard-of"], ["--speed", "0"], ["--bill", "/no/such/folder/b"]]
)
def test_wrong_options_are_explained(arguments, monkeypatch, capsys):
    """What cannot be done is said in one line, with exit code 2."""
    monkeypatch.setattr(sys, "argv", ["sandbox", *arguments])
    with pytest.raises(SystemExit) as ended:
        serve_from_arguments()
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert "error: " in said.err


async def test_one_that_cannot_start_is_an_error():
    """Starting fails loudly, not by waiting."""
    with pytest.raises(SetupError):
        async with running_sandbox(SandboxOptions(bill=Path("/no/such/folder/bill"))):
            pass


async def test_light_renders_are_valid_and_their_own(serving):
    """Blank clips for measurements are real files too, and no two jobs share one."""
    with serving(SandboxOptions(latency="0", renders="light")) as url:
        async with httpx.AsyncClient(base_url=url, headers=KEY, verify=False) as client:
            files = set()
            for _ in range(3):
                video = (await client.post("/v1/videos", json=ORDER)).json()["id"]
                files.add((await client.get(f"/v1/videos/{video}/content")).content)
    assert len(files) == 3
    assert all(file[4:8] == b"ftyp" for file in files)


@pytest.mark.long
async def test_statuses_are_told_while_files_are_made():
    """Rendering does not hold up status answers: several come while one clip is made."""
    async with (
        running_sandbox(SandboxOptions(latency="0")) as sandbox,
        httpx.AsyncClient(base_url=sandbox.url, headers=KEY, verify=False) as client,
    ):
        order = {"prompt": "a", "async": True, "duration": 15}
        task = (await client.post("/sora/videos", json=order)).json()["task_id"]
        task = (await client.post("/sora/tasks", json={"id": task})).json()
        download = asyncio.create_task(client.get(task["response"]["data"][0]["video_url"]))
        answers = 0
        while not download.done():
            await client.post("/sora/tasks", json={"id": task["id"]})
            answers += 1
    assert answers > 2


def test_connections_that_faults_cut_leave_nothing_on_the_terminal():
    """A cut before or after the work is no error of the server, and it does not speak of one."""
    process, address = open_sandbox("--latency", "0", stderr=-1)
    with process, httpx.Client(base_url=address["url"], headers=KEY, trust_env=False, verify=False) as client:
        for moment in ("before", "after"):
            client.post("/_sandbox/faults", json=[{"match": {"route": "submit"}, "do": {"cut": moment}}])
            for _ in range(5):
                with pytest.raises(httpx.TransportError):
                    client.post("/v1/videos", json=ORDER)
        process.terminate()
        assert process.stderr.read() == b""


def test_a_run_does_not_load_the_server():
    """Options, fault scripts and the start of a sandbox are at hand without its web server, FFmpeg and pictures."""
    modules = "pipelines.sandbox.options, pipelines.sandbox.process, pipelines.sandbox.faults.scripts"
    heavy = "{'starlette', 'uvicorn', 'av', 'PIL', 'httpx', 'python_multipart'}"
    check = f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", check], cwd=HOUSE, capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
