"""The end of a run whose Prefect server has gone: everything is there, and the exit code is that of the rows."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import httpx
import pytest
from prefect.events.clients import PrefectEventsClient
from prefect.events.worker import EventsWorker

from flows import last_report
from flows.command_line import prefect_server
from tasks import report
from tests.flows.conftest import HOUSE
from tests.servers import HERE


@pytest.fixture
def own_server(own_prefect):
    """A Prefect server for this test alone, that may be taken away; its process and its API."""
    with prefect_server.free_listener() as listener:
        api = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        command = [sys.executable, "-m", "flows.command_line.prefect_server", str(listener.fileno())]
        variables = os.environ | {"PREFECT_HOME": str(own_prefect), "PYTHONPATH": str(HOUSE)}
        with subprocess.Popen(
            command, pass_fds=(listener.fileno(),), env=variables, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            httpx.get(f"{api}/health", **HERE, timeout=90).raise_for_status()
            listener.close()  # or who connects would wait for a server that is gone
            yield process, api
            process.kill()


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_a_server_that_is_gone_for_good(
    own_server, run_here, start_provider, write_batch, until, tmp_path, manifest, monkeypatch
):
    """Catalogue and exit code are as if it were there; one warning says what it could not be told, and nothing else."""
    server, api = own_server
    monkeypatch.setattr(last_report, "_AT_THE_TERMINAL_S", 0.5)  # seconds instead of a minute
    monkeypatch.setattr(report, "_ANSWER_S", 0.5)
    monkeypatch.setattr(EventsWorker, "_client_override", (PrefectEventsClient, (("reconnection_attempts", 2),)))
    provider = start_provider(latency="2")
    batch = write_batch("a boat", "a tram")

    def take_away():
        until(lambda: len(provider.bill()) == 2)
        server.kill()

    taking = threading.Thread(target=take_away)
    taking.start()
    said = run_here(
        *("run", batch, "--out", "out", "--provider", "qiniu", "--in-flight", "2"),
        **provider.environment(),
        PREFECT_API_URL=api,
    )
    taking.join()
    assert said.code == 0, said.err
    assert said.err.count("Prefect could not be told how this run has ended") == 1
    assert "Traceback" not in said.err
    assert {row["status"] for row in manifest(tmp_path / "out").values()} == {"done"}
    assert len(provider.bill()) == 2
