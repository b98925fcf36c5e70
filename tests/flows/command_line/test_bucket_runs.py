"""The command line on machines without a disk that lasts, with a real S3 endpoint and a wire to it that fails."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer

import fsspec
import pytest

DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
CLIP = re.compile(rb"PUT /[^ ]*/videos/")


class Wire(ThreadingTCPServer):
    """Between a run and its bucket. It refuses what it is told to, or cuts the next so many clips off in the middle."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), Bytes)
        self.port, self.refused, self.cuts = port, None, 0


class Bytes(BaseRequestHandler):
    """One connection."""

    def handle(self):
        """Pass on what comes, both ways."""
        with socket.create_connection(("127.0.0.1", self.server.port)) as beyond:
            threading.Thread(target=self.answers, args=(beyond,), daemon=True).start()
            with suppress(OSError):
                while said := self.request.recv(65536):
                    if self.server.refused and self.server.refused.search(said):
                        head = f"HTTP/1.1 403 Forbidden\r\nContent-Length: {len(DENIED)}\r\nConnection: close\r\n\r\n"
                        self.request.sendall(head.encode() + DENIED)
                        return
                    if CLIP.search(said) and self.server.cuts:
                        self.server.cuts -= 1
                        beyond.sendall(said[: len(said) // 2])
                        return
                    beyond.sendall(said)

    def answers(self, beyond):
        """Pass on what the server says."""
        with suppress(OSError):
            while said := beyond.recv(65536):
                self.request.sendall(said)


@pytest.fixture
def wire(monkeypatch):
    """A real S3 endpoint with an empty bucket `studio`, behind a wire, as the environment names it."""
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", "0"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    with server:
        said = next(line for line in server.stderr if "http://127.0.0.1:" in line)
        threading.Thread(target=server.stderr.read, daemon=True).start()
        with Wire(int(said.rpartition(":")[2])) as found:
            threading.Thread(target=found.serve_forever, daemon=True).start()
            endpoint = f"http://127.0.0.1:{found.server_address[1]}"
            for name, value in {"ENDPOINT_URL": endpoint, "ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x"}.items():
                monkeypatch.setenv(f"AWS_{name}", value)
            monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            fsspec.filesystem("s3").mkdir("studio")
            yield found
            found.shutdown()
        server.terminate()


@pytest.mark.timeout(300)
@pytest.mark.long
def test_paid_clips_come_home_to_a_bucket_whatever_its_wire_does(
    wire, start_provider, own_database, reelbatch, write_batch, tmp_path
):
    """Refused, cut off in the middle, on another machine each time: each clip is bought once, and whole in the bucket."""
    provider = start_provider(latency="3")  # long enough for the bucket to refuse the first clip before the third order
    batch, there = write_batch("a boat", "a tram", "a kettle"), "s3://studio/clips/x"
    environment = provider.environment() | {"PGUSER": "postgres"}
    machines = iter(str(tmp_path / f"machine-{number}") for number in range(9))

    def on_another_machine(*arguments, **more):
        return reelbatch(*arguments, **environment | {"XDG_CACHE_HOME": next(machines)} | more)

    run = ("run", batch, "--out", there, "--provider", "qiniu", "--budget", "9", "--in-flight", "1")
    refused = on_another_machine(*run)
    assert (refused.code, provider.bill()) == (2, []), refused.err
    assert "--ledger postgresql://" in refused.err
    wire.refused = CLIP
    ended = on_another_machine(*run, "--ledger", own_database)
    bought = len(provider.bill())
    assert (ended.code, bought < 3) == (4, True), ended.err
    assert "Nothing more is ordered in this run" in ended.err
    assert "Traceback" not in ended.err
    wire.refused, wire.cuts = None, 2
    collected = on_another_machine("collect", there, "--json")
    assert (collected.code, len(collected.json[0]["recovered"])) == (0, bought), collected.err
    wire.refused, wire.cuts = re.compile(rb"PUT /[^ ]*/gallery.html"), 2
    unseen = on_another_machine(*run, "--json")
    assert (wire.cuts, unseen.code, unseen.json["counts"]) == (0, 4, {"done": 3}), unseen.err
    assert "gallery.html cannot be reached" in unseen.json["reasons"][0]
    wire.refused = None
    done = on_another_machine(*run, "--json")  # the bucket says where the ledger is
    assert (done.code, done.json["counts"], done.json["folder"]) == (0, {"done": 3}, there), done.err
    assert provider.prompts() == ["a boat", "a kettle", "a tram"]
    rows = on_another_machine("ls", there, "--json").json
    files = fsspec.filesystem("s3", use_listings_cache=False)
    assert {len(files.cat_file(row["storage_uri"])) == row["bytes"] for row in rows} == {True}
    names = {path.removeprefix("studio/clips/x/") for path in files.find("studio/clips/x")}
    assert {"gallery.html", "manifest.parquet", "batch.done.csv", "thumbs/job-1.jpg"} <= names
    files.rm_file("studio/clips/x/videos/job-1.mp4")
    verified = on_another_machine("verify", there)
    assert (verified.code, "fetched again" in verified.err) == (0, True), verified.err
    assert f"batch in {there}: 3 of 3 done" in " ".join(on_another_machine("status", there).out.split())
    assert len(provider.bill()) == 3
