"""`kill -9` at every named failpoint of small campaigns, and on until everything has ended; the judge is the sandbox's bill.

Each scenario is a short story of a campaign: runs, and what a person does about it. It is told once to see which failpoints
each step comes to, and how often; then once for every one of them, with a step that is killed there, repeated, and gone on
from. Steps run in children of this process, on a real ledger, over real HTTP, without Prefect, which decides nothing about
money and takes long to start. At the end a person who reads the bill settles what is in doubt: then every job must be at
home and on the bill once.

`make torture` runs it for SQLite and PostgreSQL, with every failpoint each time that a step comes to it; `--depth 3` kills the
repetitions as well, at random.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import importlib
import json
import os
import random
import secrets
import shutil
import signal
import sys
import tempfile
import time
import traceback
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, ClassVar

from pipelines.actions.adopt import adopt_line
from pipelines.actions.archive import archive_jobs
from pipelines.actions.cancel import cancel_run
from pipelines.actions.collect import collect_folder
from pipelines.actions.listing import list_jobs, rows_as_dicts
from pipelines.actions.redo import begin_redo, plan_redo, redo_in_run
from pipelines.actions.resolve import adopt_id, settle_doubt
from pipelines.actions.retry import begin_retry, plan_retry, retry_in_run
from pipelines.actions.verify import verify_folder
from pipelines.batch import read_batch
from pipelines.catalogue.compilation import write_catalogue
from pipelines.core import failpoints
from pipelines.core.errors import OutputError, ReelbatchError
from pipelines.core.job import Job
from pipelines.core.outcome import NotCharged
from pipelines.ledger.ledger import LedgerReader, ledger_in
from pipelines.ledger.storage import postgres as in_postgres
from pipelines.run import requests as of_run
from pipelines.run.dispatch import dispatch
from pipelines.run.job.lifecycle import generate_job
from pipelines.run.opening import open_run
from pipelines.run.options import RunOptions
from pipelines.run.run import Run, RunContext, handing_over
from tests.programmes.processes import sandbox
from tests.programmes.verdict import leave

PATIENCE_S = 60.0
MOST_RUNS = 8  # until a campaign has ended that nobody disturbs any more
ROWS = """id,prompt,provider,seconds,size,remix_of
a,a paper boat,qiniu,4,720x1280,
b,a tin robot,acedata,4,720x1280,
c,the boat at night,qiniu,,,a
"""
UNDER_WAY = {"match": {"route": "status"}, "do": {"status": 503}}
QINIU_UNDER_WAY = {"match": {"route": "status", "contract": "qiniu"}, "do": {"status": 503}}
LOST = {"match": {"route": "submit", "contract": "qiniu", "nth": [1]}, "do": {"cut": "after"}}
BROKEN_OFF = {"match": {"route": "download", "nth": [1], "per": "job"}, "do": {"file": "cut"}}
FAILED = {"match": {"route": "submit", "contract": "acedata", "nth": [1]}, "do": {"outcome": "generation_failed"}}
UNSAID = "PAID, AND NOT RECORDED"


@dataclass
class Campaign:
    """One small batch with an account of its own, and the children that work on it."""

    folder: Path
    url: str  # of the sandbox
    environment: dict[str, str]
    rows: str = ROWS
    rules: list[dict[str, Any]] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    doubts: int = 0
    clocks: tuple[float, ...] = ()  # of its children, each in turn: how far they are off, in seconds
    begun: int = 0  # children

    @property
    def out(self) -> Path:
        """The output folder."""
        return self.folder / "out"

    @property
    def batch(self) -> Path:
        """Its file, of a name of its own: a database knows campaigns by their names."""
        return self.folder / f"{self.folder.name}.csv"

    @property
    def words(self) -> Path:
        """Everything that its children say."""
        return self.folder / "said.txt"

    def begin(self) -> None:
        """Write the batch, point this process at the account, and tell the sandbox what goes wrong."""
        self.folder.mkdir(parents=True)
        self.batch.write_text(self.rows, "utf-8")
        os.environ.update(self.environment)
        self.faults(*self.rules)

    def faults(self, *rules: dict[str, Any]) -> None:
        """From now on, this goes wrong."""
        body = json.dumps(rules).encode()
        with urllib.request.urlopen(f"{self.url}/_sandbox/faults", body, timeout=10):
            pass

    def bill(self) -> list[dict[str, Any]]:
        """What this account has bought."""
        account = hashlib.sha256(self.environment["QINIU_API_KEY"].encode()).hexdigest()[:10]
        with urllib.request.urlopen(f"{self.url}/_sandbox/bill", timeout=10) as answer:
            return [line for line in json.load(answer) if line["account"] == account]

    def rows_now(self) -> dict[str, dict[str, Any]]:
        """Every job as `reelbatch ls` has it; none where there is no ledger yet."""
        with suppress(ReelbatchError):
            rows = rows_as_dicts(list_jobs(self.out, everything=True))
            return {row["id"]: row for row in json.loads(json.dumps(rows))}
        return {}


Step = Callable[[Campaign], Awaitable[Any]]


async def run(campaign: Campaign) -> None:
    """What `reelbatch run` does, without Prefect."""
    batch = read_batch(campaign.batch)
    await work_through(batch, RunOptions(out=campaign.out))


async def work_through(batch: Any, options: RunOptions) -> None:
    """One run of a batch, with its catalogue, as a command would do it."""
    options = options.model_copy(update={"poll_every": 0.05})
    with handing_over(RunContext()):
        async with open_run(batch, options) as opened:
            opened.time_scale = 20.0  # whoever waits for better times waits less
            heeding = asyncio.create_task(of_run.heed_requests(opened))
            await dispatch(opened, lambda job: _generate(opened, job))
            heeding.cancel()
            await write_catalogue(opened.ledger, opened.batch, opened.folder)


async def _generate(opened: Run, job: Job) -> None:
    with suppress(OutputError):
        await generate_job(job.id, opened)


async def settle(campaign: Campaign) -> None:
    """A person reads the bill: what is on it is adopted, what is not was not charged."""
    known = {row["task_id"] for row in campaign.rows_now().values()}
    for row in list(campaign.rows_now().values()):
        if row["status"] == "in_doubt":
            made = [line for line in campaign.bill() if line["outcome"] == "completed"]
            free = [line["id"] for line in made if line["prompt"] == row["prompt"] and line["id"] not in known]
            if free:
                await adopt_id(campaign.out, row["id"], free[-1], unseen=True)
            else:
                await settle_doubt(campaign.out, row["id"], NotCharged)


async def cancel(campaign: Campaign) -> None:
    """`reelbatch cancel`."""
    await asyncio.to_thread(cancel_run, campaign.out, patience_s=20)


async def retry(campaign: Campaign) -> None:
    """`reelbatch retry`."""
    plan = plan_retry(campaign.out)
    if plan.ids and await retry_in_run(plan) is None:
        batch, options = await begin_retry(plan)
        await work_through(batch, options)


async def redo(campaign: Campaign) -> None:
    """`reelbatch redo a --prompt ...`; where the take is there already, the run is."""
    if "a-r2" in campaign.rows_now():
        await run(campaign)
        return
    batch, options = await begin_redo(plan_redo(campaign.out, "a", "a paper boat in the rain"))
    await work_through(batch, options)


async def redo_b(campaign: Campaign) -> None:
    """`reelbatch redo b --prompt ...`, which a run that goes on takes up."""
    if "b-r2" not in campaign.rows_now():
        await redo_there(campaign, "b", "a tin robot in the rain")


async def redo_there(campaign: Campaign, job_id: str, prompt: str) -> None:
    """A new take, made by the run that goes on, or by one of its own."""
    plan = plan_redo(campaign.out, job_id, prompt)
    if await redo_in_run(plan) is None:
        batch, options = await begin_redo(plan)
        await work_through(batch, options)


async def verify(campaign: Campaign) -> None:
    """`reelbatch verify`, of a folder in which one file is damaged and another is gone."""
    marked = campaign.folder / "damaged"
    if not marked.exists():
        if (first := campaign.out / "videos" / "a.mp4").exists():  # else the run was killed before it was there
            first.write_bytes(b"nothing")
        (campaign.out / "videos" / "b.mp4").unlink(missing_ok=True)
        marked.touch()
    await verify_folder(campaign.out)


async def verify_b(campaign: Campaign) -> None:
    """`reelbatch verify`, of a folder in which a file is gone, that a run which goes on fetches again."""
    marked = campaign.folder / "damaged"
    if not marked.exists():
        (campaign.out / "videos" / "b.mp4").unlink(missing_ok=True)
        marked.touch()
    with suppress(TimeoutError):  # where the run was killed, it waits for what is under way, and the person does not
        await asyncio.wait_for(verify_folder(campaign.out), 10)


async def collect(campaign: Campaign) -> None:
    """`reelbatch collect`."""
    await collect_folder(campaign.out, RunOptions(poll_every=0.05))


async def archive(campaign: Campaign) -> None:
    """`reelbatch archive b`."""
    await archive_jobs(campaign.out, ["b"], open_too=True)


async def adopt(campaign: Campaign) -> None:
    """`reelbatch adopt`, with every last-resort line that was printed."""
    for line in campaign.words.read_text("utf-8", "replace").splitlines():
        if UNSAID in line:
            await adopt_line(line)


@dataclass(frozen=True)
class Scenario:
    """A short story: its steps, what goes wrong at the provider, and what is set in a step whatever else is."""

    steps: tuple[Step, ...]
    rules: tuple[dict[str, Any], ...] = ()
    always: dict[int, str] = field(default_factory=dict)  # failpoints of a step
    beside: int = 0  # the first step goes on while so many of the next ones are done
    later: tuple[dict[str, Any], ...] = ()  # what goes wrong after these
    until: str = "in_doubt"  # before these, a job of the first step stands there


SCENARIOS = {
    "a life": Scenario((run,), (BROKEN_OFF,)),
    "a doubt": Scenario((run, settle, archive, run), (LOST,)),
    "beside a run": Scenario((run, settle, cancel, run), (LOST, UNDER_WAY), beside=2),
    "retry beside": Scenario((run, retry, cancel, run), (FAILED, QINIU_UNDER_WAY), beside=2, until="failed"),
    "redo beside": Scenario((run, redo_b, cancel, run), (QINIU_UNDER_WAY,), beside=2, until="done"),
    "verify beside": Scenario((run, verify_b, cancel, run), (QINIU_UNDER_WAY,), beside=2, until="done"),
    "not recorded": Scenario((run, adopt, run), (), {0: "record.writing:1:raise"}),
    "retry": Scenario((run, retry), (FAILED,)),
    "redo": Scenario((run, redo)),
    "verify": Scenario((run, verify)),
    "collect": Scenario((run, collect, run), (), {0: "poll.begin:1:kill"}),
}


class _Heard(dict[str, Any]):
    """In the place of what is set: hears which failpoints are come to, and lets what is set happen."""

    def __init__(self, before: dict[str, Any]) -> None:
        super().__init__(before)
        self.times: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return True

    def get(self, name: str, default: Any = None) -> Any:  # type: ignore[override]
        self.times[name] += 1
        return super().get(name, default)


class Shifted(datetime):
    """The time of day as a process sees it whose clock is wrong."""

    by: ClassVar = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # noqa: D102 - as it is named
        return datetime.now(tz) + cls.by


def shift_clock(seconds: float) -> None:
    """Let every part of reelbatch in this process see another time of day; the clock for intervals stays as it is."""
    Shifted.by = timedelta(seconds=seconds)
    for name, module in list(sys.modules.items()):
        if name.startswith("pipelines.") and getattr(module, "datetime", None) is datetime:
            setattr(module, "datetime", Shifted)  # noqa: B010 - mypy knows it for a module
    right = time.time
    time.time = lambda: right() + seconds


def start(step: Step, campaign: Campaign, spec: str, heard: Path | None = None) -> int:
    """Do a step in a child of this process. Returns its process id."""
    campaign.begun += 1
    child = os.fork()
    if child:
        return child
    if campaign.clocks:
        shift_clock(campaign.clocks[campaign.begun % len(campaign.clocks)])
    code = 70
    try:
        words = os.open(campaign.words, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(words, 1)
        os.dup2(words, 2)
        print(f"--- {step.__name__} {spec}", flush=True)
        failpoints.arm(spec)
        if heard is not None:
            failpoints._armed = listening = _Heard(failpoints._armed or {})
        try:
            asyncio.run(step(campaign))
            code = 0
        except ReelbatchError as error:
            print(f"error: {error}", flush=True)
            code = error.exit_code
        if heard is not None:
            heard.write_text(json.dumps(listening.times))
    except BaseException:  # noqa: BLE001 - a child must never go on as its parent
        traceback.print_exc()
    finally:
        os._exit(code)


def ended(child: int, patience_s: float = PATIENCE_S) -> int:
    """Wait for a child: its exit code, or the signal that ended it, negative."""
    end = time.monotonic() + patience_s
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise SystemExit("A step does not come to its end.")
        time.sleep(0.005)


@dataclass
class Told:
    """How a scenario was told: what each step came to, and what is wrong with the end."""

    heard: list[Counter[str]]
    broken: list[str]
    killed: int = 0


Kill = Mapping[int, Sequence[str]]  # by step, where it is killed; each further place is where its next repetition is


def tell(scenario: Scenario, campaign: Campaign, kill: Kill, *, listen: bool = False) -> Told:
    """Tell a scenario to its end.

    Args:
        scenario: which.
        campaign: a fresh one.
        kill: where it is killed.
        listen: hear which failpoints are come to.
    """
    campaign.begin()
    told = Told([Counter() for _ in scenario.steps], [])
    background: tuple[int, str] | None = None
    for number, step in enumerate(scenario.steps):
        first, wanted = scenario.always.get(number, ""), list(kill.get(number, ()))
        while True:
            mine = wanted.pop(0) if wanted else ""
            heard = campaign.folder / f"heard-{number}" if listen else None
            child = start(step, campaign, ",".join(filter(None, (first, mine))), heard)
            if scenario.beside and number == 0:
                background = child, mine
                _until(scenario.until, campaign, child)
                break
            if not _was_killed(ended(child), mine, campaign, told):
                break
            first = ""
        if background is not None and number == scenario.beside:
            campaign.faults(*scenario.later)
            _was_killed(ended(background[0]), background[1], campaign, told)
            background = None
    for number in range(len(scenario.steps)):
        if (path := campaign.folder / f"heard-{number}").exists():
            told.heard[number] = Counter(json.loads(path.read_text()))
    campaign.faults()
    told.broken = to_the_end(campaign, scenario)
    return told


def _was_killed(code: int, where: str, campaign: Campaign, told: Told) -> bool:
    if code != -signal.SIGKILL or not where:
        return False
    told.killed += 1
    campaign.kills[where.split(":", maxsplit=1)[0]] += 1
    return True


def _until(status: str, campaign: Campaign, child: int) -> None:
    """Wait until a run has a job that stands there and goes on, or has ended."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        info = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if info is not None or any(row["status"] == status for row in campaign.rows_now().values()):
            return
        time.sleep(0.02)
    raise SystemExit(f"No job is {status}.")


def to_the_end(campaign: Campaign, scenario: Scenario) -> list[str]:
    """Run until nothing is left, settle what is in doubt by the bill, run again. Returns the promises that were broken."""
    broken: list[str] = []
    for _ in range(MOST_RUNS):
        rows = campaign.rows_now()
        if not rows or any(row["status"] not in ("done", "in_doubt") for row in rows.values()):
            code = ended(start(run, campaign, ""))
            if code not in (0, 2):
                broken.append(f"a run nobody disturbs ends with {code}")
            rows = campaign.rows_now()
        doubtful = [row for row in rows.values() if row["status"] == "in_doubt"]
        campaign.doubts += len(doubtful)
        broken += uncertain_money(campaign, doubtful)
        if doubtful:
            ended(start(settle, campaign, ""))
        elif FAILED in scenario.rules and any(row["status"] == "failed" for row in rows.values()):
            ended(start(retry, campaign, ""))  # it failed after the person had looked
        elif redo_b in scenario.steps and rows and "b-r2" not in rows:
            ended(start(redo_b, campaign, ""))  # it was not done when the person asked
        elif rows and all(row["status"] == "done" for row in rows.values()):
            break
    before = campaign.bill()
    ended(start(run, campaign, ""))  # takes away what a kill has left beside, and buys nothing
    broken += [] if campaign.bill() == before else ["one more run has bought something"]
    return broken + judge(campaign, scenario)


CLOCKS = (0.0, 3600.0, -3600.0, 86_400.0, -86_400.0, 8 * 86_400.0, -8 * 86_400.0)
#: What a campaign that was killed and gone on with has in common with one that nobody disturbed.
ALIKE = (
    "row",
    "take",
    "status",
    "provider",
    "model",
    "prompt",
    "params",
    "path",
    "width",
    "height",
    "duration_s",
    "fps",
)
ALIKE += ("has_audio", "cost_actual", "currency", "billed", "tags", "error_code", "flags")


def alike(campaign: Campaign) -> dict[str, list[Any]]:
    """Every job as it is at the end, without times, ids and what follows from them."""
    return {name: [row[column] for column in ALIKE] for name, row in campaign.rows_now().items()}


def uncertain_money(campaign: Campaign, doubtful: list[dict[str, Any]]) -> list[str]:
    """What is in doubt must be said with its price."""
    return [
        f"{row['id']} is in doubt, and `ls` says billed {row['billed']}, {row['cost_estimated']}"
        for row in doubtful
        if row["billed"] != "unknown" or row["cost_estimated"] is None
    ]


def judge(campaign: Campaign, scenario: Scenario) -> list[str]:
    """Every promise that was broken, by the bill."""
    bill, rows, broken = campaign.bill(), campaign.rows_now(), []
    made = Counter(line["prompt"] for line in bill if line["outcome"] == "completed")
    broken += [f"{prompt!r} is on the bill {times} times" for prompt, times in made.items() if times > 1]
    if len(bill) > len(rows) + (1 if FAILED in scenario.rules else 0):
        broken.append(f"{len(bill)} orders for {len(rows)} jobs")
    homes = {row["task_id"]: row for row in rows.values() if row["status"] == "done"}
    for line in bill:
        if line["outcome"] == "completed" and line["id"] not in homes:
            broken.append(f"{line['prompt']!r} is paid for, and not at home")
    for row in rows.values():
        file = campaign.out / (row["path"] or "nothing")
        if row["status"] == "done":
            whole = file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == row["sha256"]
            broken += [] if whole else [f"{row['id']} is done, and its file is not what the manifest says"]
        else:
            broken.append(f"{row['id']} is {row['status']} at the end: {row['error_message']}")
    lines = (campaign.out / "manifest.jsonl").read_text("utf-8").splitlines()
    if {row["id"]: row for row in map(json.loads, lines)} != rows:
        broken.append("the manifest is not what `ls` says")
    broken += [f"{path} is left over" for path in campaign.out.rglob(".*.part*")]
    broken += [f"{path} is left over" for path in campaign.out.rglob(".*.tmp")]
    broken += wrong_sums(campaign)
    said = campaign.words.read_text("utf-8", "replace")
    if "Traceback" in said:
        broken.append(f"a traceback in {campaign.words}")
    return broken


def wrong_sums(campaign: Campaign) -> list[str]:
    """Balances of the ledger that are not the sum of its attempts."""
    read = LedgerReader(ledger_in(campaign.out)).read
    by_bucket = (
        "SELECT currency, bucket, sum(cost_micros) FROM attempt WHERE bucket IS NOT NULL GROUP BY currency, bucket"
    )
    sums = {(c, b): int(s or 0) for c, b, s in read(lambda each: each.exec_driver_sql(by_bucket).all())}
    accounts = "SELECT currency, reserved_micros, spent_micros, uncertain_micros FROM account"
    found = []
    for currency, *amounts in read(lambda each: each.exec_driver_sql(accounts).all()):
        for bucket, amount in zip(("reserved", "spent", "uncertain"), amounts, strict=True):
            if amount != sums.get((currency, bucket), 0):
                found.append(f"the ledger has {amount} {bucket}, its attempts {sums.get((currency, bucket), 0)}")
        if amounts[0]:
            found.append(f"{amounts[0]} millionths of {currency} are reserved, and nothing is under way")
    return found


def load_once() -> None:
    """Load what a run loads late, once, and not in every child."""
    for name in ("av", "jinja2", "pandas", "PIL.Image", "pyarrow.parquet"):
        importlib.import_module(name)


@contextmanager
def database(kind: str) -> Iterator[str | None]:
    """A PostgreSQL server of one's own whose leases are short, or None: ledgers are files."""
    if kind == "sqlite":
        yield None
        return
    from tests.programmes.shared_ledger_trial import postgres  # noqa: PLC0415 - brings a server

    in_postgres.LEASE_S, in_postgres._LOOK_EVERY_S = 1.0, 0.1
    in_postgres.PostgresStorage.beat_every_s = 0.3
    with postgres() as server:
        yield server.get_uri()


def fresh(folder: Path, url: str, ledger: str | None, number: int, rules: Sequence[dict[str, Any]]) -> Campaign:
    """A campaign of its own: folder, account, index of purchases, ledger."""
    place = folder / f"campaign{number}"
    key = f"key-{secrets.token_hex(8)}"
    environment = {
        "QINIU_BASE_URL": f"{url}/qiniu/v1",
        "ACEDATA_BASE_URL": f"{url}/acedata",
        "QINIU_API_KEY": key,
        "ACEDATA_API_KEY": key,
        "XDG_STATE_HOME": str(place / "state"),
        "REELBATCH_LEDGER": ledger or "",
    }
    if ledger is not None:  # each campaign a schema of its own
        environment["PGUSER"] = "postgres"
    return Campaign(place, url, environment, rules=list(rules))


def places(told: Told, most: int) -> list[tuple[int, str]]:
    """Every step and place at which it may be killed."""
    return [
        (number, f"{name}:{nth}")
        for number, heard in enumerate(told.heard)
        for name, times in sorted(heard.items(), key=lambda each: list(failpoints.FAILPOINTS).index(each[0]))
        for nth in range(1, min(times, most) + 1)
    ]


def unlike(
    found: list[tuple[int, str]], scenario: Scenario, seen: set[tuple[str, str]]
) -> list[tuple[int, tuple[str, ...]]]:
    """Those places at which no step of that kind was killed yet, in whatever scenario."""
    fresh_ones: list[tuple[int, tuple[str, ...]]] = []
    for number, at in found:
        kind = scenario.steps[number].__name__ if not scenario.beside else f"{scenario.steps[number].__name__} beside"
        if (kind, at) not in seen:
            seen.add((kind, at))
            fresh_ones.append((number, (at,)))
    return fresh_ones


#: One story with everything in it, and where some of its steps are killed: what every change can afford.
EVERYTHING = Scenario(
    (run, settle, cancel, run, retry, run, redo, verify, archive),
    (LOST, FAILED, UNDER_WAY),
    beside=2,
    later=(BROKEN_OFF,),
)
SOME = {3: ("publish.named:1", "send.body:1")}
UNRECORDED = Scenario((run,), (), {0: "record.writing:1:raise,last_resort.said:1:kill"})


def told_quickly(folder: Path, url: str) -> list[str]:
    """Two stories that come to every failpoint, and are killed at some. Returns the broken promises."""
    broken, reached = list[str](), Counter[str]()
    for number, (scenario, kill) in enumerate(((EVERYTHING, SOME), (UNRECORDED, {}))):
        campaign = fresh(folder, url, None, number, scenario.rules)
        found = tell(scenario, campaign, kill, listen=True)
        reached += sum(found.heard, campaign.kills)
        broken += found.broken
        wanted = sum(map(len, kill.values()))
        broken += [] if found.killed == wanted else [f"killed {found.killed} times, and not {wanted}"]
    known = {"last_resort.begin", "last_resort.said"}  # that process was killed there, and could not say so
    return broken + [f"nothing comes to {name}" for name in failpoints.FAILPOINTS if name not in {*reached, *known}]


def work(options: argparse.Namespace, folder: Path) -> list[str]:
    """Do it all. Returns the promises that were broken."""
    chance = random.Random(options.seed)
    load_once()
    of_run.LOOK_EVERY_S = 0.1
    kills, figures, broken, number = Counter[str](), Counter[str](), list[str](), 0
    seen = set[tuple[str, str]]()
    with ExitStack() as stack:
        url = stack.enter_context(sandbox(latency="0.05", bill=folder / "bill.jsonl")).url
        ledger = stack.enter_context(database(options.database))
        for name, scenario in SCENARIOS.items():
            if options.scenario and name not in options.scenario:
                continue
            began = time.monotonic()
            campaign = fresh(folder, url, ledger, number := number + 1, scenario.rules)
            told = tell(scenario, campaign, {}, listen=True)
            broken += [f"{name}, undisturbed: {each} ({campaign.folder})" for each in told.broken]
            undisturbed = alike(campaign)
            wanted = unlike(places(told, options.most), scenario, seen)
            if options.depth > 1:
                again = places(told, options.most)
                wanted = [
                    (n, (at, *(chance.choice([p for m, p in again if m == n]) for _ in range(options.depth - 1))))
                    for n, at in chance.choices(again, k=options.samples)
                ]
            for where in wanted:
                campaign = fresh(folder, url, ledger, number := number + 1, scenario.rules)
                if options.clocks:
                    campaign.clocks = tuple(chance.choice(CLOCKS) for _ in range(5))
                told = tell(scenario, campaign, {where[0]: where[1]})
                if alike(campaign) != undisturbed and not campaign.doubts:
                    told.broken.append("it does not end as if nobody had disturbed it")
                kills += campaign.kills
                figures["campaigns"] += 1
                figures["killed"] += told.killed
                figures["not come to"] += not told.killed
                figures["in doubt on the way"] += campaign.doubts
                figures["orders on the bill"] += len(campaign.bill())
                broken += [f"{name}, killed at {where}: {each} ({campaign.folder})" for each in told.broken]
                if not told.broken:
                    shutil.rmtree(campaign.folder)
            print(f"{name:16} {len(wanted):>5} places, {time.monotonic() - began:6.1f} s", flush=True)
    for what, count in figures.items():
        print(f"{what:24} {count:>6}")
    if not options.scenario and options.depth == 1:
        broken += [f"nothing was killed at {each}" for each in failpoints.FAILPOINTS if not kills[each]]
    print(f"failpoints killed at       {len(kills):>4} of {len(failpoints.FAILPOINTS)}")
    return broken


def main() -> None:
    """Read the arguments, work, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--most", type=int, default=1, help="how many times at each failpoint of a step, at most")
    parser.add_argument("--depth", type=int, default=1, help="how many times in a row a step is killed")
    parser.add_argument("--samples", type=int, default=20, help="of each scenario, where depth is more than 1")
    parser.add_argument("--clocks", action="store_true", help="each child's time of day is off by up to 8 days")
    parser.add_argument("--scenario", action="append", choices=[*SCENARIOS])
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--quick", metavar="URL", help="every scenario once, at this sandbox: what `make test` does")
    options = parser.parse_args()
    if options.quick:
        folder = Path(tempfile.mkdtemp(prefix="reelbatch-failpoints-"))
        of_run.LOOK_EVERY_S = 0.1
        load_once()
        leave(told_quickly(folder, options.quick), folder)
        return
    options.seed = random.randrange(10**6) if options.seed is None else options.seed
    print(f"{options.database}, at most {options.most} each, depth {options.depth}, seed {options.seed}")
    folder = Path(tempfile.mkdtemp(prefix="reelbatch-failpoints-"))
    leave(work(options, folder), folder)


if __name__ == "__main__":
    main()
