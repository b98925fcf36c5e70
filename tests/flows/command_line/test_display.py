from __future__ import annotations

import asyncio
from contextlib import suppress
from decimal import Decimal

import pytest

import flows.command_line.display as module
from flows.command_line.display import display
from pipelines.core.status import JobStatus
from pipelines.run.progress import Tally


@pytest.fixture
def heard(capsys):
    """Wait until a number of lines was said, and give them."""
    lines = []

    async def wait(number):
        while len(lines) < number:
            lines.extend(capsys.readouterr().err.splitlines())
            await asyncio.sleep(0.01)
        return lines

    return wait


@pytest.fixture
def quick(monkeypatch):
    """Lines may follow each other closely."""
    monkeypatch.setattr(module, "_PLAIN_EVERY_S", 0.05)
    monkeypatch.setattr(module, "_SETTLE_S", 0.01)


async def test_without_a_terminal_it_is_plain_lines(heard):
    """In a log what is said comes at once, in full; changes that come together are one line of where it stands."""
    tally = Tally(total=2, done_before=1)
    with display(tally, plain=True) as show:
        show("Starting ...")
        tally.move(None, JobStatus.DONE)
        tally.move(None, JobStatus.PLANNED)
        tally.price("USD", Decimal("0.40"))
        tally.say("[bold]job-1[/bold]: rejected")
        assert await heard(3) == ["Starting ...", "[bold]job-1[/bold]: rejected", "1/2 done · 0 in flight · 0.40 USD"]
    tally.say("nobody listens any more")


async def test_the_last_change_is_shown(heard, quick):
    """A change that comes close upon a line is shown a little later, without another change."""
    tally = Tally(total=1)
    tally.counts[JobStatus.PLANNED] = 1
    with display(tally, plain=True):
        tally.move(JobStatus.PLANNED, JobStatus.SUBMITTING)
        await heard(1)
        tally.move(JobStatus.SUBMITTING, JobStatus.WAITING)
        assert await heard(2) == ["0/1 done · 0 in flight", "0/1 done · 1 in flight"]


async def test_when_nothing_changes_it_still_says_where_it_stands(heard, quick, monkeypatch):
    """A run that only waits says so again and again."""
    monkeypatch.setattr(module, "_STILL_EVERY_S", 0.05)
    tally = Tally(total=1)
    with display(tally, plain=True):
        tally.move(None, JobStatus.WAITING)
        assert set(await heard(4)) == {"0/1 done · 1 in flight"}


async def test_it_lets_go_of_the_tally_when_the_run_breaks_off():
    """An error inside the block leaves no listener behind."""
    tally = Tally(total=1)
    with suppress(KeyboardInterrupt), display(tally, plain=True):
        raise KeyboardInterrupt
    assert (tally.listener, tally.listener_of_words) == (None, None)
