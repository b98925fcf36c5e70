"""`kill -9` at random moments of runs and of what a person does beside them and between; the judge is the sandbox's bill.

Campaigns of some rows over two providers that fail at times. A run is started and killed, again and again; while it works, or
after, a person settles doubts by the bill, or buys once more, retries, asks for new takes, collects, verifies a folder of which
a file was taken away, archives, cancels or looks, each in a process of its own, which is killed as well now and then. Processes
are children of this one, on a real ledger over real HTTP, without Prefect, which decides nothing about money and takes long to
start; with `--by command` they are the `reelbatch` command lines themselves, with all that they start. At the end of each campaign what is open is settled by the bill: nothing may be
there more often than a person has asked for, and all of it must be at home. `make torture` runs it.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.actions.archive import archive_jobs
from pipelines.actions.overview import campaign_overview
from pipelines.actions.resolve import adopt_id, settle_doubt
from pipelines.core.errors import SettlementRefused
from pipelines.core.outcome import NotCharged, Resubmitted
from pipelines.run import requests as of_run
from tests.programmes.failpoint_kills import (
    Campaign,
    adopt,
    cancel,
    collect,
    database,
    ended,
    fresh,
    load_once,
    redo_there,
    retry,
    run,
    start,
    wrong_sums,
)
from tests.programmes.processes import sandbox
from tests.programmes.typed_deeds import kill_group, type_deed
from tests.programmes.verdict import leave

RULES = [
    {"match": {"route": "submit", "probability": 0.05}, "do": {"cut": "after"}},
    {"match": {"route": "submit", "probability": 0.02}, "do": {"cut": "before"}},
    {"match": {"route": "submit", "probability": 0.06}, "do": {"outcome": "generation_failed"}},
    {"match": {"route": "submit"}, "do": {"delay": 0.1}},
    {"match": {"route": "status", "probability": 0.05}, "do": {"status": 502}},
    {"match": {"route": "download", "probability": 0.15}, "do": {"file": "cut"}},
]
SETTLING_S = 1.0  # an order that a killed run has sent is on the bill within this


@dataclass
class Told:
    """A campaign, and what a person has asked for in it."""

    campaign: Campaign
    consents: Counter[str] = field(default_factory=Counter)  # by prompt, purchases beyond the first
    redone: int = 0
    by_command: bool = False  # deeds are command lines, and not actions in a fork of this process
    patience_s: float = 60.0

    def start(self, work: Deed) -> int:
        """Do something in a process of its own. Returns its id."""
        if self.by_command:
            return type_deed(work.__name__, self.campaign, getattr(work, "given", ()))
        return start(work, self.campaign, "")

    def kill(self, child: int) -> None:
        """Kill it, with all that it has started."""
        if self.by_command:
            kill_group(child)
        else:
            os.kill(child, signal.SIGKILL)

    def moment(self, most_s: float) -> float:
        """When something is done or killed, at the latest: a command takes longer to come to the point."""
        return most_s * (5 if self.by_command else 1)


Deed = Callable[[Campaign], Awaitable[Any]]


async def look(campaign: Campaign) -> None:
    """`reelbatch status`."""
    campaign_overview(campaign.out)


async def settle(campaign: Campaign) -> None:
    """A person reads the bill, some time after: what is on it is adopted, what is not was not charged."""
    rows = campaign.rows_now()
    doubtful = [row for row in rows.values() if row["status"] == "in_doubt"]
    await asyncio.sleep(SETTLING_S)
    bill = [line for line in campaign.bill() if line["outcome"] == "completed"]
    known = {row["task_id"] for row in campaign.rows_now().values()}
    for row in doubtful:
        free = [line["id"] for line in bill if line["prompt"] == row["prompt"] and line["id"] not in known]
        with suppress(SettlementRefused):  # it stands elsewhere by now, or the id is known of an earlier attempt
            if free:
                await adopt_id(campaign.out, row["id"], free[-1], unseen=True)
            else:
                await settle_doubt(campaign.out, row["id"], NotCharged)


def deed(told: Told, chance: random.Random) -> tuple[str, Deed]:
    """What a person does now."""
    rows = told.campaign.rows_now()
    doubtful = [row for row in rows.values() if row["status"] == "in_doubt"]
    done = [row for row in rows.values() if row["status"] == "done"]
    kind = chance.choice(
        ["settle", "settle", "resubmit", "retry", "redo", "archive", "cancel", "collect", "verify", "look"]
    )
    if kind == "resubmit" and doubtful:
        row = chance.choice(doubtful)
        told.consents[row["prompt"]] += 1
        return kind, _named(kind, lambda c: settle_doubt(c.out, row["id"], Resubmitted), row["id"])
    if kind == "redo" and done and told.redone < len(rows) / 6:
        row, told.redone = chance.choice(done), told.redone + 1
        prompt = f"{row['prompt']}, take {told.redone}"
        return kind, _named(kind, lambda c: redo_there(c, row["id"], prompt), row["id"], prompt)
    if kind == "archive" and done:
        name = chance.choice(done)["id"]
        return kind, _named(kind, lambda c: archive_jobs(c.out, [name]), name)
    if kind == "verify" and done:
        with suppress(FileNotFoundError):
            (told.campaign.out / chance.choice(done)["path"]).unlink()
        return kind, verify
    return {
        "settle": ("settle", settle),
        "retry": ("retry", retry),
        "cancel": ("cancel", cancel),
        "collect": ("collect", collect),
    }.get(kind, ("look", look))


def _named(kind: str, work: Deed, *given: str) -> Deed:
    async def named(campaign: Campaign) -> None:
        await work(campaign)

    named.__name__ = kind
    named.given = given  # type: ignore[attr-defined]  # as it is typed behind the name of the command
    return named


async def verify(campaign: Campaign) -> None:
    """`reelbatch verify`."""
    from pipelines.actions.verify import verify_folder  # noqa: PLC0415 - one name, two meanings

    await verify_folder(campaign.out)


def write_rows(number: int, rows: int) -> str:
    """Both providers in turn; every sixth row remixes the one before the last."""
    lines = ["id,prompt,provider,seconds,size,remix_of"]
    for n in range(rows):
        prompt = f"campaign {number} clip {n}"
        if n % 6 == 2:
            lines.append(f"job-{n:02},{prompt},qiniu,,,job-{n - 2:02}")
        else:
            lines.append(f"job-{n:02},{prompt},{('qiniu', 'acedata')[n % 2]},4,720x1280,")
    return "\n".join(lines) + "\n"


def disturb(told: Told, chance: random.Random, kills: Counter[str], deeds: Counter[str]) -> None:
    """One run, what a person does meanwhile or after, and what is killed of it."""
    now = time.monotonic()
    alive = {told.start(run): ("run", now + chance.uniform(0.05, told.moment(2.5)))}
    for _ in range(chance.choice([0, 1, 1, 2])):
        time.sleep(chance.uniform(0, told.moment(0.8)))
        kind, work = deed(told, chance)
        deeds[kind] += 1
        killed_at = time.monotonic() + (
            chance.uniform(0, told.moment(1.5)) if chance.random() < 0.4 else told.moment(45)
        )
        alive[told.start(work)] = (kind, killed_at)
    while alive:
        for child, (kind, until) in list(alive.items()):
            found, status = os.waitpid(child, os.WNOHANG)
            if found:
                del alive[child]
                kills[kind] += os.waitstatus_to_exitcode(status) == -signal.SIGKILL
            elif time.monotonic() > until:
                told.kill(child)
        time.sleep(0.01)


def finish(told: Told) -> list[str]:
    """Go on until nothing is open, and judge."""
    campaign = told.campaign
    campaign.faults()
    steps: Sequence[Deed] = (run, adopt, settle, retry, verify)
    for _ in range(12):
        for step in steps:
            ended(told.start(step), told.patience_s)
        rows = campaign.rows_now()
        if rows and all(row["status"] == "done" for row in rows.values()):
            break
    ended(told.start(run), told.patience_s)
    return judge(told)


def judge(told: Told) -> list[str]:
    """Every promise that was broken, by the bill."""
    campaign, rows = told.campaign, told.campaign.rows_now()
    bill = [line for line in campaign.bill() if line["outcome"] == "completed"]
    homes = {row["task_id"] for row in rows.values() if row["status"] == "done"}
    made = Counter(line["prompt"] for line in bill)
    away = Counter(line["prompt"] for line in bill if line["id"] not in homes)
    asked = told.consents
    broken = [f"{prompt!r} is on the bill {n} times" for prompt, n in made.items() if n > 1 + asked[prompt]]
    broken += [f"{prompt!r} is paid for, and not at home" for prompt, n in away.items() if n > asked[prompt]]
    for row in rows.values():
        if row["status"] != "done":
            broken.append(f"{row['id']} is {row['status']} at the end: {row['error_message']}")
            continue
        file = campaign.out / row["path"]
        looked_after = "archived" not in row["flags"]  # nobody verifies what a person does not want
        whole = file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == row["sha256"]
        if looked_after and not whole:
            broken.append(f"{row['id']} is done, and its file is not what the manifest says")
    lines = (campaign.out / "manifest.jsonl").read_text("utf-8").splitlines()
    if {row["id"]: row for row in map(json.loads, lines)} != rows:
        broken.append("the manifest is not what `ls` says")
    for pattern in (".*.part*", ".*.tmp"):
        broken += [f"{path} is left over" for path in campaign.out.rglob(pattern)]
    if "Traceback" in campaign.words.read_text("utf-8", "replace"):
        broken.append(f"a traceback in {campaign.words}")
    return broken + wrong_sums(campaign)


def work(options: argparse.Namespace, folder: Path) -> list[str]:
    """Do it all. Returns the promises that were broken."""
    chance, kills, deeds, figures = random.Random(options.seed), Counter[str](), Counter[str](), Counter[str]()
    broken: list[str] = []
    load_once()
    of_run.LOOK_EVERY_S = 0.1
    with ExitStack() as stack:
        url = stack.enter_context(sandbox(latency="uniform:0.2-1", bill=folder / "bill.jsonl")).url
        ledger = stack.enter_context(database(options.database))
        while kills.total() < options.kills:
            number = figures["campaigns"] = figures["campaigns"] + 1
            campaign = fresh(folder, url, ledger, number, RULES)
            campaign.rows = write_rows(number, options.rows)
            campaign.begin()
            by_command = options.by == "command"
            told = Told(campaign, by_command=by_command, patience_s=600.0 if by_command else 60.0)
            for _ in range(options.rows):
                disturb(told, chance, kills, deeds)
                rows = campaign.rows_now()
                if rows and all(row["status"] == "done" for row in rows.values()):
                    break
            found = finish(told)
            broken += [f"campaign {number}: {each} ({campaign.folder})" for each in found]
            figures["orders on the bill"] += len(campaign.bill())
            figures["bought once more, as asked"] += told.consents.total()
            print(f"{number} campaigns, {kills.total()} kills, {len(broken)} broken", flush=True)
    for name, value in [*figures.items(), *((f"killed: {kind}", n) for kind, n in kills.most_common())]:
        print(f"{name:34} {value:>7}")
    for kind, count in deeds.most_common():
        print(f"done by a person: {kind:16} {count:>7}")
    return broken


def main() -> None:
    """Read the arguments, work, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--rows", type=int, default=12, help="of each campaign")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--by", choices=("action", "command"), default="action", help="what is killed")
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    options.seed = random.randrange(10**6) if options.seed is None else options.seed
    print(f"{options.database}, {options.kills} kills, seed {options.seed}")
    folder = Path(tempfile.mkdtemp(prefix="reelbatch-persons-"))
    leave(work(options, folder), folder)


if __name__ == "__main__":
    main()
