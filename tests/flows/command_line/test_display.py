from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

from flows.command_line.display import display
from pipelines.job import JobStatus
from pipelines.tally import Tally


def test_without_a_terminal_it_is_plain_lines(capsys):
    """In a log each change is a line of words at most every two seconds, and what is said comes at once, in full."""
    tally = Tally(total=2)
    with display(tally, plain=False) as show:
        show("Starting ...")
        for _ in range(2):
            tally.move(None, JobStatus.PLANNED)
        tally.price("USD", Decimal("0.40"))
        tally.say("[bold]job-1[/bold]: rejected")
    tally.say("nobody listens any more")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == ["Starting ...", "0/2 done · 0 in flight", "[bold]job-1[/bold]: rejected"]


def test_it_lets_go_of_the_tally_when_the_run_breaks_off():
    """An error inside the block leaves no listener behind."""
    tally = Tally(total=1)
    with suppress(KeyboardInterrupt), display(tally, plain=True):
        raise KeyboardInterrupt
    assert (tally.listener, tally.listener_of_words) == (None, None)
