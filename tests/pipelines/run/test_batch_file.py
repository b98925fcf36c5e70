"""Batches that are no file: the text of a CSV file, and what lies at an address, from a real HTTP server."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipelines.core.errors import BatchError
from pipelines.run.batch_file import batch_name, is_text, local_batch, read_for_run
from pipelines.run.options import RunOptions

TEXT = "id,prompt\nboat,a boat\n"


class _Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = {"/spring.csv": TEXT.encode(), "/big.csv": b"x" * (2 << 20)}.get(self.path.partition("?")[0])
        self.send_response(200 if body else 404)
        self.send_header("content-length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """A server with a batch, and one that is too big."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Files) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def read():
    """Read the file of a batch."""

    def of(path, **options):
        _, batch = read_for_run(path, RunOptions(provider="qiniu", **options))
        return [job.order.prompt for job in batch.jobs]

    return of


async def test_a_path_is_taken_as_it_is(tmp_path):
    """Nothing is copied, so that pictures beside it are found."""
    assert await local_batch(str(tmp_path / "spring.csv"), tmp_path) == tmp_path / "spring.csv"


async def test_the_text_of_a_csv_file_is_a_batch(tmp_path, read):
    """It is kept below the root, by its content: the same text is the same batch, and another one is another."""
    assert is_text(TEXT)
    assert not is_text("spring.csv\n")
    path, again = await local_batch(TEXT, tmp_path), await local_batch(TEXT, tmp_path)
    other = await local_batch(TEXT.replace("boat", "tram"), tmp_path)
    assert path == again != other
    assert path.is_relative_to(tmp_path)
    assert (path.stem, path.suffix) == (batch_name(TEXT), ".csv")
    assert read(path) == ["a boat"]


async def test_a_batch_comes_from_an_address(address, tmp_path, read):
    """It is named as it is there; a secret in the address is no part of the name."""
    path = await local_batch(f"{address}/spring.csv?token=secret", tmp_path)
    assert (path.name, read(path)) == ("spring.csv", ["a boat"])
    assert batch_name(f"{address}/spring.csv?token=secret") == "spring"


@pytest.mark.parametrize(
    ("path", "words"),
    [("/gone.csv?token=secret", "the server answers 404"), ("/big.csv?token=secret", "larger than 1 MiB")],
)
async def test_what_does_not_come_is_one_clear_error(address, tmp_path, path, words):
    """It names the address without its secret, and what is wrong; no file is made."""
    with pytest.raises(BatchError, match=words) as refused:
        await local_batch(address + path, tmp_path)
    assert len(refused.value.problems) == 1
    assert "secret" not in str(refused.value)
    assert [*tmp_path.iterdir()] == []


async def test_a_server_that_is_not_there_is_said(tmp_path):
    """A connection that is refused is one error as well."""
    with pytest.raises(BatchError, match="cannot be fetched"):
        await local_batch("http://127.0.0.1:9/spring.csv", tmp_path)


async def test_a_bucket_needs_its_package(tmp_path, monkeypatch):
    """Without the driver of a bucket the message says what to install."""
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(BatchError, match=r"gs://studio/spring\.csv.*Install s3fs or gcsfs"):
        await local_batch("gs://studio/spring.csv", tmp_path)


async def test_an_occurrence_fills_the_templates(tmp_path, read):
    """The same file asks for something else on each day."""
    path = await local_batch("id,prompt\na,boat of {{ date }}\n", tmp_path)
    assert read(path, occurrence="2026-11-21") == ["boat of 2026-11-21"]
    with pytest.raises(BatchError, match="--occurrence"):
        read(path)
