"""Laws about pace are stated on a clock that nobody waits for: it goes to the next moment at which something is due."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from pipelines.pacing import rate_limit


class VirtualTime(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while everybody sleeps, and then at once."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 1_000.0

    def time(self) -> float:
        """Seconds since the loop's own beginning of time."""
        return self._now

    def _run_once(self) -> None:
        due = [handle.when() for handle in self._scheduled if not handle.cancelled()]
        if due and not self._ready:
            self._now = max(self._now, min(due))
        super()._run_once()


def pytest_asyncio_loop_factories(config, item):
    """What the tests of this folder run in."""
    return {"virtual time": VirtualTime}


@pytest.fixture
def virtual_time(monkeypatch):
    """The clock of the loop, which the code under test reads as well."""

    def now():
        return asyncio.get_running_loop().time()

    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(monotonic=now))
    return now
