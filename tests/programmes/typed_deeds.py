"""What a person does in `person_kills.py`, as they would type it: whole `reelbatch` commands, each a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tests.programmes.failpoint_kills import UNSAID, Campaign

HOUSE = Path(__file__).parents[2]
COMMAND = [sys.executable, "-P", "-m", "flows.command_line"]
SETTLING_S = 1.0
Typed = Callable[[Campaign, Sequence[str]], Iterator[list[str]]]


def _settle(campaign: Campaign, _: Sequence[str]) -> Iterator[list[str]]:
    """Read the bill, some time after: what is on it is adopted, what is not was not charged."""
    doubtful = [row for row in campaign.rows_now().values() if row["status"] == "in_doubt"]
    time.sleep(SETTLING_S)
    bill = [line for line in campaign.bill() if line["outcome"] == "completed"]
    known = {row["task_id"] for row in campaign.rows_now().values()}
    for row in doubtful:
        free = [line["id"] for line in bill if line["prompt"] == row["prompt"] and line["id"] not in known]
        word = ["--adopt", free[-1]] if free else ["--not-charged"]
        yield ["resolve", str(campaign.out), row["id"], *word, "--yes"]


def _adopt(campaign: Campaign, _: Sequence[str]) -> Iterator[list[str]]:
    """Take back every last-resort line that was printed."""
    for line in campaign.words.read_text("utf-8", "replace").splitlines():
        if UNSAID in line:
            yield ["adopt", line]


#: By the name of a deed, the command lines that it is.
TYPED: dict[str, Typed] = {
    "run": lambda c, _: iter([["run", str(c.batch), "--out", str(c.out), "--yes", "--poll-every", "0.2"]]),
    "settle": _settle,
    "adopt": _adopt,
    "resubmit": lambda c, given: iter([["resolve", str(c.out), given[0], "--resubmit", "--yes"]]),
    "redo": lambda c, given: iter([["redo", str(c.out), given[0], "--prompt", given[1], "--yes"]]),
    "archive": lambda c, given: iter([["archive", str(c.out), given[0]]]),
    "retry": lambda c, _: iter([["retry", str(c.out), "--yes"]]),
    "cancel": lambda c, _: iter([["cancel", str(c.out)]]),
    "collect": lambda c, _: iter([["collect", str(c.out)]]),
    "verify": lambda c, _: iter([["verify", str(c.out)]]),
    "look": lambda c, _: iter([["status", str(c.out)]]),
}


def type_deed(name: str, campaign: Campaign, given: Sequence[str] = ()) -> int:
    """Type the commands of a deed, one after the other, in a group of processes of their own. Returns its process id."""
    child = os.fork()
    if child:
        with suppress(OSError):  # it has done so itself
            os.setpgid(child, child)
        return child
    code = 70
    try:
        with suppress(OSError):
            os.setpgid(0, 0)
        environment = os.environ | {"PYTHONPATH": str(HOUSE), "PREFECT_HOME": str(campaign.folder / "prefect")}
        with campaign.words.open("a", encoding="utf-8") as words:
            code = 0
            for typed in TYPED[name](campaign, given):
                print(f"--- {' '.join(typed)}", file=words, flush=True)
                ended = subprocess.call(
                    [*COMMAND, *typed],
                    cwd=campaign.folder,
                    env=environment,
                    stdout=words,
                    stderr=words,
                    stdin=subprocess.DEVNULL,
                )
                code = code or ended
    finally:
        os._exit(code)


def kill_group(child: int) -> None:
    """Kill a deed: the process that is in hand, and whoever types."""
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
