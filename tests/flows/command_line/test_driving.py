"""How a run is stopped, and what is left when it is: Ctrl-C, SIGTERM, kill -9, a second run, a full disk."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path

import pytest

from flows.command_line.driving import shown_parameters
from pipelines.run.options import RunOptions

HOUSE = Path(__file__).parents[3]


def children(pid):
    """Every process below one, as far down as they go."""
    with suppress(OSError):
        own = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return own + [below for child in own for below in children(child)]
    return []


def is_there(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_ends_in_order(
    start_reelbatch, run_here, ended, start_provider, write_batch, until, tmp_path, manifest, number
):
    """A signal stops submissions, keeps what is at the provider, and ends with 130; the same command finishes it all."""
    provider = start_provider(latency="2")
    batch = write_batch(*(f"clip {n}" for n in range(4)))
    command = ["run", batch, "--out", "out", "--provider", "qiniu", "--in-flight", 2]
    run = start_reelbatch(*command, **provider.environment())
    until(lambda: len(provider.bill()) == 2)
    run.send_signal(number)
    stopped = ended(run)
    assert stopped.code == 130
    assert "nothing more is submitted" in stopped.err
    assert "Traceback" not in stopped.err
    assert len(provider.bill()) == 2
    kept = sorted(row["status"] for row in manifest(tmp_path / "out").values())
    assert kept == ["planned"] * 2 + ["waiting"] * 2
    assert run_here(*command, **provider.environment()).code == 0
    assert provider.prompts() == sorted(f"clip {n}" for n in range(4))


@pytest.mark.long
def test_two_runs_at_once(start_reelbatch, run_here, cli, start_provider, write_batch, until):
    """A second run on the same folder leaves at once and names the first; `status` and `ls` work all the while."""
    provider = start_provider(latency="30")
    command = ["run", write_batch("a boat", "a tram"), "--out", "out", "--provider", "qiniu"]
    run = start_reelbatch(*command, **provider.environment())
    until(lambda: len(provider.bill()) == 2)
    second = run_here(*command, **provider.environment())
    assert (second.code, second.out) == (2, "")
    assert f"process {run.pid} " in second.err
    assert cli("status", "out", "--json").json["running"] is True
    assert "A run is going on" in cli("status", "out").out
    assert "waiting" in cli("ls", "out").out
    assert len(provider.bill()) == 2
    assert run.poll() is None


@pytest.mark.long
def test_ctrl_c_in_a_terminal(start_provider, own_prefect, write_batch, until, tmp_path, manifest):
    """Ctrl-C reaches every process of a terminal at once: the run, with a Prefect server of its own, still ends in order."""
    provider = start_provider(latency="30")
    batch = write_batch("a boat", "a tram", "a kettle")
    command = [sys.executable, "-m", "flows.command_line", "run", str(batch), "--out", "out", "--provider", "qiniu"]
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        [*command, "--in-flight", "1", "--yes"],
        cwd=tmp_path,
        env=os.environ
        | provider.environment()
        | {"PYTHONPATH": str(HOUSE), "TERM": "xterm", "PREFECT_HOME": str(own_prefect)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - one call that takes no lock
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    said = bytearray()

    def listen():
        with suppress(BlockingIOError, OSError):  # the terminal is gone once nobody holds its other end
            while heard := os.read(ours, 65_536):
                said.extend(heard)
        return True

    try:
        until(lambda: listen() and provider.bill())
        below = children(run.pid)
        assert below
        os.write(ours, b"\x03")
        until(lambda: listen() and run.poll() is not None)
        listen()
    except AssertionError:
        pytest.fail(f"It did not come so far in time. It said:\n{said.decode('utf-8', 'replace')}")
    finally:
        run.kill()
        run.wait()
        os.close(ours)
    text = said.decode("utf-8", "replace")
    assert run.returncode == 130, text
    assert "Traceback" not in text
    assert "0/3 done" in text
    assert "0 of 3 done, 2 planned, 1 waiting" in text
    assert "Gallery:" in text
    assert len(provider.bill()) == 1
    assert len(manifest(tmp_path / "out")) == 3
    until(lambda: not any(is_there(pid) for pid in below))


@pytest.mark.long
def test_a_second_ctrl_c_leaves_at_once(start_reelbatch, ended, start_provider, write_batch, until):
    """Who cannot wait presses Ctrl-C again, and is out; that is a crash and therefore safe."""
    provider = start_provider(latency="30")
    provider.faults({"match": {"route": "submit"}, "do": {"delay": 20}})  # an order that is waited for
    run = start_reelbatch("run", write_batch("a boat"), "--out", "out", "--provider", "qiniu", **provider.environment())
    until(provider.bill)
    run.send_signal(signal.SIGINT)
    heard = ""
    while "Ctrl-C again" not in heard:
        heard += (line := run.stderr.readline())
        assert line, heard
    run.send_signal(signal.SIGINT)
    assert ended(run).code == 130


@pytest.mark.long
def test_an_order_on_its_way_is_waited_for(
    start_reelbatch, ended, start_provider, write_batch, until, tmp_path, manifest
):
    """A closed terminal, or Ctrl-C, while an order is unanswered: its answer is awaited, so that nothing is left in doubt."""
    provider = start_provider(latency="30")
    provider.faults({"match": {"route": "submit"}, "do": {"delay": 2}})
    batch = write_batch("a boat", "a tram", "a kettle")
    command = ["run", batch, "--out", "out", "--provider", "qiniu", "--in-flight", 1]
    run = start_reelbatch(*command, **provider.environment())
    until(provider.bill)
    for _ in range(2):  # from the shell, and from the system
        run.send_signal(signal.SIGHUP)
        time.sleep(0.2)
    assert ended(run).code == 130
    assert sorted(row["status"] for row in manifest(tmp_path / "out").values()) == ["planned", "planned", "waiting"]
    assert len(provider.bill()) == 1


@pytest.mark.long
def test_ctrl_c_before_anything_is_sent(start_reelbatch, ended, own_prefect, idle_provider, write_batch):
    """Ctrl-C while Prefect starts: exit code 130, and nothing is sent."""
    batch = write_batch("a boat")
    environment = idle_provider.environment() | {"PREFECT_API_URL": None, "PREFECT_HOME": str(own_prefect)}
    run = start_reelbatch("run", batch, "--out", "out", "--provider", "qiniu", **environment)
    assert any(run.stderr.readline().startswith("Starting Prefect") for _ in range(3))
    below = children(run.pid)
    run.send_signal(signal.SIGINT)
    stopped = ended(run)
    assert stopped.code == 130
    assert "Interrupted before anything was sent" in stopped.err
    assert "Traceback" not in stopped.err
    assert idle_provider.requests() == {}
    assert not any(is_there(pid) for pid in below)


@pytest.mark.long
def test_a_rehearsal_resumes_after_a_kill(start_reelbatch, run_here, write_batch, until, tmp_path, manifest):
    """`kill -9` of a rehearsal leaves no process behind, and the same command goes on with the same bill."""
    batch = write_batch(*(f"clip {n}" for n in range(6)))
    command = ["run", batch, "--out", "out", "--provider", "acedata", "--rehearse", "--latency", "1", "--in-flight", 2]
    run = start_reelbatch(*command)
    folder = tmp_path / "out" / "rehearsal"
    until(lambda: [*folder.glob("videos/*.mp4")])
    below = children(run.pid)
    assert below
    run.kill()
    run.wait()
    until(lambda: not any(is_there(pid) for pid in below))

    again = run_here(*command)
    rows = manifest(folder)
    in_doubt = [row["id"] for row in rows.values() if row["status"] == "in_doubt"]
    assert again.code == (4 if in_doubt else 0)
    assert len(in_doubt) <= 2
    bill = (folder / "sandbox-bill.jsonl").read_text("utf-8")
    assert all(bill.count(f'"clip {n}"') == 1 for n in range(6) if f"job-{n + 1}" not in in_doubt)
    assert {row["status"] for row in rows.values()} <= {"done", "in_doubt"}


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 8 MB, of which the ledger keeps 4 MB as its reserve. Yields its folder."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mounting, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command to make a small disk with")
    if mounted.returncode:
        pytest.skip(f"no small disk can be made here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.long
@pytest.mark.parametrize(("room_kb", "jobs", "seconds"), [(60, 2, 4), (250, 8, 12)])
def test_a_full_disk(run_here, provider, write_batch, small_disk, manifest, room_kb, jobs, seconds):
    """On a full disk the run says so and ends with 4; once there is space the same command finishes, and pays no more.

    It may become full with the first table of the ledger, or in the middle of the downloads.
    """
    filler = small_disk / "filler"
    filler.write_bytes(bytes((8 << 20) - (4 << 20) - room_kb * 1024))
    # Orders take their time: if all of them were accepted before the first clip comes, the reserved space would hold them.
    provider.faults({"match": {"route": "submit"}, "do": {"delay": 1}})
    batch = write_batch(*({"prompt": f"clip {n}", "seconds": seconds} for n in range(jobs)))
    command = ["run", batch, "--out", small_disk / "out", "--provider", "qiniu", "--in-flight", 1]
    full = run_here(*command, **provider.environment())
    assert full.code == 4, full.err
    assert "space" in full.err
    assert "Traceback" not in full.err
    assert "bug" not in full.err

    filler.unlink()
    provider.faults()
    again = run_here(*command[:-1], 8, **provider.environment())
    assert again.code == 0, again.err
    assert provider.prompts() == sorted(f"clip {n}" for n in range(jobs))
    assert {row["status"] for row in manifest(small_disk / "out").values()} == {"done"}


def test_prefect_is_never_shown_the_password_of_a_ledger():
    """Its parameters say where the database is, and neither user nor password; nor does the `repr` of the choices."""
    options = RunOptions(ledger="postgresql://ann:s3cret@db.example/reels")
    shown = shown_parameters(Path("a.csv"), options)
    assert shown["advanced"].ledger == "postgresql://db.example/reels"
    assert "s3cret" not in f"{shown!r} {options!r} {options.advanced()!r}"


def test_leaked_to_prefect_nothing():
    """The address that providers are to call is a secret from its path on; Prefect is shown the host."""
    options = RunOptions(callback_url="https://cb.example/t0ken?key=t0ken")
    shown = shown_parameters(Path("a.csv"), options)
    assert "cb.example" in repr(shown)
    assert "t0ken" not in repr(shown)
