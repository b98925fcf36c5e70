from __future__ import annotations

import gc
import threading

import pytest

from tasks import server_garbage
from tasks.server_garbage import is_prefect_server


def test_garbage_is_collected_apart(monkeypatch):
    """Not in the thread of the event loop: to free a cursor of SQLite may take as long as another transaction lasts."""
    freed_in, freed, ended = set(), threading.Event(), threading.Event()

    class Circle:
        def __init__(self):
            self.itself = self

        def __del__(self):
            freed_in.add(threading.current_thread().name)
            freed.set()

    monkeypatch.setattr(server_garbage, "_EVERY_S", 0.01)
    monkeypatch.setattr(server_garbage, "_MUCH", 100)
    gc.disable()
    try:
        for _ in range(1_000):
            Circle()
        assert not freed_in
        apart = threading.Thread(target=server_garbage._collect, args=[ended], name="apart")
        apart.start()
        assert freed.wait(60)
        ended.set()
        apart.join()
    finally:
        gc.enable()
    assert freed_in == {"apart"}


@pytest.mark.parametrize(
    ("command", "is_one"),
    [
        ("python -m prefect server start --host 127.0.0.1", True),
        ("python /usr/bin/prefect server start --background", True),
        ("python -m uvicorn --factory prefect.server.api.server:create_app --port 4200", True),
        ("python -m prefect server stop", False),
        ("python -m prefect worker start --pool server", False),
        ("python -m flows.command_line run batch.csv", False),
    ],
)
def test_only_a_server_of_prefect_is_taken_for_one(command, is_one):
    """The plug-in is loaded by workers and runs as well; theirs is no business of it."""
    assert is_prefect_server(command.split()) == is_one
