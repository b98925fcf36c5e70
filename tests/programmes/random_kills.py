"""`kill -9` of a run at random moments, again and again until it has been killed often enough; then it may end.

The judge is the sandbox, which is never killed: nothing may be on its bill twice, and everything on it must be at home
or be named as in doubt. `make kills` runs it; it prints a table and ends with 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import random
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import yaml

from pipelines.providers.profile.load import shipped_profiles
from pipelines.sandbox.process import SandboxAddress
from tests.programmes.processes import HOUSE, sandbox
from tests.programmes.verdict import leave

MARK = "REELBATCH_KILLS"  # every process of a run carries it, so that none is overlooked
PATIENCE_S = 180.0
PICTURE = "https://images.example.com/kettle-720x1280.jpg"
ALLOWED_ENDS = (0, 1, 4)
#: The answer to an order takes a while, and so does many a file, as in life: else no kill would ever fall into them.
SLOWNESS = [
    {"match": {"route": "submit"}, "do": {"delay": 0.25}},
    {"match": {"route": "download", "probability": 0.5}, "do": {"file": "trickle"}},
]


@dataclass
class Campaign:
    """One batch, its provider, and what was done to it."""

    folder: Path
    url: str  # of the sandbox
    environment: dict[str, str]
    command: list[str]
    kills: int = 0
    caught: Counter[str] = field(default_factory=Counter)  # what the kills found under way
    runs: int = 0
    words: Path = field(init=False)

    def __post_init__(self) -> None:
        """Everything that the runs say goes into one file."""
        self.words = self.folder / "said.txt"

    @property
    def out(self) -> Path:
        """The output folder."""
        return self.folder / "out"

    def ask(self, what: str) -> Any:
        """What the sandbox knows: `bill` or `requests`."""
        with urllib.request.urlopen(f"{self.url}/_sandbox/{what}", timeout=10) as answer:
            return json.load(answer)

    def heard(self, method: str = "") -> int:
        """How many requests the sandbox had from us, or only those of a method."""
        routes = self.ask("requests")["routes"]
        return sum(n for route, n in routes.items() if "_sandbox" not in route and route.startswith(method))

    def start(self) -> subprocess.Popen[bytes]:
        """The same command, every time."""
        self.runs += 1
        with self.words.open("ab") as words:
            words.write(f"--- run {self.runs}\n".encode())
            words.flush()
            return subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                cwd=self.folder,
            )

    def query(self, question: str) -> list[tuple[Any, ...]]:
        """Rows of the ledger, or none while there is no ledger."""
        with suppress(sqlite3.Error), sqlite3.connect(f"file:{self.out}/ledger.sqlite3?mode=ro", uri=True) as ledger:
            return ledger.execute(question).fetchall()
        return []

    def counts(self) -> Counter[str]:
        """How many jobs stand where."""
        return Counter(dict(self.query("SELECT status, count(*) FROM job GROUP BY status")))

    def unfinished(self) -> bool:
        """Whether a run would still have something to ask the provider."""
        counts = self.counts()
        return not counts or any(counts[name] for name in ("planned", "submitting", "waiting", "ready"))

    def under_way(self, heard_before: int) -> list[str]:
        """What the run had in hand that has just been killed; several things at once, as a rule."""
        if not self.unfinished():
            return ["catalogue and end"]
        if self.heard() == heard_before:
            return ["start-up"]
        states = dict(self.query("SELECT state, count(*) FROM attempt GROUP BY state"))
        open_things = {
            "a claim, not sent yet": "claimed" in states,
            "an order on its way": "sending" in states,
            "a job at the provider": bool(self.counts()["waiting"]),
            "a download": any((self.out / "videos").glob("**/.*.part")),
        }
        return [name for name, is_open in open_things.items() if is_open] or ["between two jobs"]


def kill_at_random(campaign: Campaign, chance: random.Random, mean_s: float) -> None:
    """Start a run and kill it: mostly while it works, now and then at any moment from its very first on."""
    before = campaign.heard()
    working = campaign.unfinished() and chance.random() < 0.75
    process = campaign.start()
    until = time.monotonic() + PATIENCE_S
    if working:
        # From its first order, or, when there is none left to place, from its first question.
        until_heard(campaign, process, before, until)
        wait_for(process, chance.uniform(0, 2 * mean_s))
    else:
        wait_for(process, chance.uniform(0, 5))
    if process.poll() is not None:
        check_end(campaign, process.returncode)
        return
    process.send_signal(signal.SIGKILL)
    process.wait()
    campaign.kills += 1
    campaign.caught.update(campaign.under_way(before))


def until_heard(campaign: Campaign, process: subprocess.Popen[bytes], before: int, until: float) -> None:
    """Wait for the first request of a run."""
    while process.poll() is None and campaign.heard() == before:
        if time.monotonic() > until:
            raise SystemExit(f"A run does nothing at all; see {campaign.words}")
        time.sleep(0.01)


def wait_for(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait so long, or until the process ends by itself."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def check_end(campaign: Campaign, code: int) -> None:
    """A run that nobody killed ends in order."""
    if code not in ALLOWED_ENDS:
        raise SystemExit(f"A run ended with {code}; see {campaign.words}")


def to_the_end(campaign: Campaign) -> float:
    """Run until it ends by itself. Returns how long that took."""
    begun = time.monotonic()
    process = campaign.start()
    process.wait(PATIENCE_S)
    check_end(campaign, process.returncode)
    return time.monotonic() - begun


def judge(campaign: Campaign, ids: dict[str, str]) -> tuple[dict[str, int], list[str]]:
    """The figures, and every promise that was broken.

    Args:
        campaign: all of it has ended.
        ids: the job of each prompt.
    """
    bill = campaign.ask("bill")
    listed = [*campaign.command[:3], "ls", str(campaign.out), "--json"]
    said = subprocess.run(listed, env=campaign.environment, check=True, capture_output=True, cwd=campaign.folder)
    rows = {row["id"]: row for row in json.loads(said.stdout)}
    manifest = {
        row["id"]: row for row in map(json.loads, (campaign.out / "manifest.jsonl").read_text("utf-8").splitlines())
    }
    bought = Counter(ids[line["prompt"]] for line in bill)
    broken = [f"{job} is on the bill {times} times" for job, times in bought.items() if times > 1]
    broken += [f"{job} is not in the manifest as `ls` has it" for job in ids.values() if rows[job] != manifest.get(job)]
    lost = [complaint for line in bill if (complaint := missing(line, rows[ids[line["prompt"]]], campaign.out))]
    broken += lost
    broken += [f"{job} is done and not on the bill" for job, row in rows.items() if done(row) and not bought[job]]
    broken += strangers(campaign, rows) + wrong_sums(campaign, rows) + leftovers(campaign) + secrets_told(campaign)
    in_doubt = [job for job, row in rows.items() if row["status"] == "in_doubt"]
    figures = {
        "jobs": len(ids),
        "kills": campaign.kills,
        "runs": campaign.runs,
        "orders on the bill": len(bill),
        "done": sum(done(row) for row in rows.values()),
        "in doubt": len(in_doubt),
        "  of these on the bill": sum(bool(bought[job]) for job in in_doubt),
        "other ends": sum(row["status"] not in ("done", "in_doubt") for row in rows.values()),
        "paid twice": sum(times - 1 for times in bought.values()),
        "paid and lost": len(lost),
    }
    return figures, broken


def done(row: dict[str, Any]) -> bool:
    """Whether a job is said to be at home."""
    return row["status"] == "done"


def missing(line: dict[str, Any], row: dict[str, Any], out: Path) -> str | None:
    """What is wrong with a purchase that ought to be at home; None: nothing."""
    who = f"{row['id']} ({row['status']})"
    if row["status"] == "in_doubt":
        return None
    if not line["charged"]:
        return None if row["status"] in ("failed", "rejected") else f"{who} has failed at the provider"
    if not done(row):
        return f"{who} is paid for, and neither at home nor in doubt"
    if row["task_id"] != line["id"]:
        return f"{who} carries the clip of another order"
    file = out / row["path"]
    if not file.is_file():
        return f"{who}: {row['path']} is not there"
    if hashlib.sha256(file.read_bytes()).hexdigest() != row["sha256"]:
        return f"{who}: {row['path']} has another content than the manifest says"
    return None if is_as_ordered(file, line) else f"{who}: {row['path']} is not the clip that was ordered"


def is_as_ordered(file: Path, line: dict[str, Any]) -> bool:
    """Whether a file is a whole MP4 of the ordered length and pixels, by FFmpeg and not by our own reading."""
    try:
        with av.open(str(file)) as clip:
            picture = clip.streams.video[0]
            length = sum(float((packet.duration or 0) * picture.time_base) for packet in clip.demux(picture))
            size = (picture.width, picture.height)
    except av.FFmpegError:
        return False
    return size == (line["width"], line["height"]) and abs(length - line["seconds"]) < 0.5


def strangers(campaign: Campaign, rows: dict[str, dict[str, Any]]) -> list[str]:
    """Files among the videos that the manifest does not name."""
    known = {row["path"] for row in rows.values() if row["path"]}
    found = [path for path in (campaign.out / "videos").rglob("*") if path.is_file()]
    return [f"nobody knows {path.name}" for path in found if path.relative_to(campaign.out).as_posix() not in known]


def wrong_sums(campaign: Campaign, rows: dict[str, dict[str, Any]]) -> list[str]:
    """Pots of the ledger that are not the sum of its attempts, or not what the jobs' ends say."""
    sums: Counter[tuple[str, str]] = Counter()
    for bucket, currency, micros in campaign.query(
        "SELECT bucket, currency, cost_micros FROM attempt WHERE bucket IS NOT NULL"
    ):
        sums[bucket, currency] += micros or 0
    found = []
    pots = "SELECT currency, reserved_micros, spent_micros, uncertain_micros FROM account"
    for currency, *amounts in campaign.query(pots):
        for bucket, amount in zip(("reserved", "spent", "uncertain"), amounts, strict=True):
            if amount != sums[bucket, currency]:
                found.append(f"the ledger has {amount} {bucket}, its attempts come to {sums[bucket, currency]}")
        if amounts[0]:
            found.append(f"{amounts[0]} millionths of {currency} are reserved, and nothing is under way")
    wanted = {"done": "spent", "in_doubt": "uncertain"}
    live = "SELECT job_id, bucket, count(*) FROM attempt WHERE bucket IS NOT NULL GROUP BY job_id, bucket"
    pots_of = {job: (bucket, count) for job, bucket, count in campaign.query(live)}
    for job, row in rows.items():
        if row["status"] in wanted and pots_of.get(job) != (wanted[row["status"]], 1):
            found.append(f"{job} is {row['status']}, and its money is {pots_of.get(job)}")
    return found


def leftovers(campaign: Campaign) -> list[str]:
    """Processes of a run that are still there."""
    mark = f"{MARK}={campaign.environment[MARK]}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(f"process {process.name} is left over")
    return found


def secrets_told(campaign: Campaign) -> list[str]:
    """Files that hold the API key, and tracebacks."""
    key = campaign.environment["QINIU_API_KEY"].encode()
    files = [path for path in campaign.out.rglob("*") if path.is_file()]
    found = [f"{path} holds the API key" for path in [*files, campaign.words] if key in path.read_bytes()]
    if b"Traceback" in campaign.words.read_bytes():
        found.append(f"a traceback in {campaign.words}")
    return found


@contextmanager
def faulty_sandbox(folder: Path, faults: str, seed: int, extra: list[dict[str, Any]]) -> Iterator[str]:
    """A sandbox that is slow at times, with a named fault script and rules of one's own."""
    script = folder / "faults.yaml"
    named = []
    if faults != "none":
        named = yaml.safe_load((HOUSE / "pipelines/sandbox/faults/faults.yaml").read_text("utf-8"))[faults]
    script.write_text(yaml.safe_dump([*named, *extra, *SLOWNESS]), "utf-8")
    options = {"latency": "uniform:0.5-2", "bill": folder / "bill.jsonl", "faults": str(script), "seed": seed}
    with sandbox(renders="full", **options) as there:
        yield there.url


@contextmanager
def prefect_server(folder: Path) -> Iterator[str]:
    """A Prefect server for all runs, so that each starts quickly."""
    listener = socket.create_server(("127.0.0.1", 0))
    port, descriptor = listener.getsockname()[1], listener.fileno()
    command = [sys.executable, "-m", "flows.command_line.prefect_server", str(descriptor)]
    quiet = {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.STDOUT, "pass_fds": (descriptor,), "cwd": HOUSE}
    with (
        listener,
        (folder / "prefect.txt").open("wb") as words,
        subprocess.Popen(command, env={**os.environ, **quiet}, stdout=words, **pipes) as process,
    ):
        wait_until_healthy(f"http://127.0.0.1:{port}/api/health", process)
        yield f"http://127.0.0.1:{port}/api"
        process.terminate()


def wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers."""
    until = time.monotonic() + PATIENCE_S
    while True:
        with suppress(OSError), urllib.request.urlopen(url, timeout=2):
            return
        if process.poll() is not None or time.monotonic() > until:
            raise SystemExit("Prefect's server does not start.")
        time.sleep(0.1)


def write_batch(path: Path, jobs: int) -> dict[str, str]:
    """Both providers in turn, every fifth job from a picture. Returns the job of each prompt."""
    ids = {f"Clip number {n}: a paper boat on a quiet river": f"job-{n:03}" for n in range(1, jobs + 1)}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "prompt", "provider", "seconds", "size", "image_url", "scene"])
        for n, (prompt, job) in enumerate(ids.items()):
            picture = PICTURE if n % 5 == 0 else ""
            writer.writerow([job, prompt, ("qiniu", "acedata")[n % 2], 4, "720x1280", picture, n])
    return ids


#: One round of a mixed batch: the protocols of qiniu, two services of acedata, a chain of remixes, and three APIs that are
#: nothing but data: a queue, signed tokens, and a file by an id of its own. Some orders to acedata turn to qiniu.
MIXED = [
    {"provider": "qiniu", "seconds": 4, "size": "720x1280"},
    {"provider": "acedata", "seconds": 4, "size": "720x1280", "fallback": "qiniu"},
    {"provider": "qiniu", "remix_of": 2},
    {"provider": "qiniu", "model": "kling-v2-6", "seconds": 5, "size": "1280x720"},
    {"provider": "qiniu", "remix_of": 2},
    {"provider": "acedata-kling", "seconds": 5, "fallback": "qiniu:kling-v2-6"},
    {"provider": "qiniu", "model": "veo-3.0-generate-preview", "seconds": 8, "orientation": "landscape"},
    {"provider": "qiniu", "model": "bytedance/seedance-2.0/text-to-video", "seconds": 5},
    {"provider": "fal", "seconds": 5},
    {"provider": "kling", "seconds": 5},
    {"provider": "minimax", "seconds": 6},
]
DESCRIBED = ("fal", "kling", "minimax")
REFUSALS = [
    {
        "match": {"route": "submit", "contract": "acedata", "probability": 0.3},
        "do": {"status": 400, "code": "bad_request", "message": "model is invalid."},
    }
]


def write_mixed_batch(path: Path, jobs: int) -> dict[str, str]:
    """Every protocol in turn. `remix_of` counts back: 2 is the row before the last. Returns the job of each prompt."""
    ids = {f"Clip number {n}: a paper boat on a quiet river": f"job-{n:03}" for n in range(1, jobs + 1)}
    columns = ["id", "prompt", *dict.fromkeys(column for row in MIXED for column in row)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        for n, (prompt, job) in enumerate(ids.items()):
            row = dict(MIXED[n % len(MIXED)])
            if "remix_of" in row:
                row["remix_of"] = f"job-{n + 1 - int(row['remix_of']):03}"
            writer.writerow({"id": job, "prompt": prompt, **row})
    return ids


def key_for(name: str) -> str:
    """A key in the form that a provider wants."""
    return shipped_profiles()[name].auth.key_for(f"key-{secrets.token_hex(8)}")


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that comes soon."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"Never came: {what}")
        time.sleep(0.1)


def ended(line: dict[str, Any]) -> bool:
    """Whether the provider has ended an order."""
    return line["created"] + line["latency_s"] < time.time()


def show(figures: dict[str, Any], caught: Counter[str]) -> None:
    """The table."""
    for name, value in figures.items():
        print(f"{name:34} {value:>8}")
    print("kills by what they found under way")
    for phase, count in caught.most_common():
        print(f"  {phase:32} {count:>8}")


def work(options: argparse.Namespace, folder: Path) -> list[str]:
    """Do it all. Returns the promises that were broken."""
    chance = random.Random(options.seed)
    write = write_mixed_batch if options.mixed else write_batch
    ids = write(folder / "batch.csv", options.jobs)
    with ExitStack() as stack:
        extra = REFUSALS if options.mixed else []
        url = stack.enter_context(faulty_sandbox(folder, options.faults, options.seed, extra))
        api = stack.enter_context(prefect_server(folder))
        # Orders are spread so that the batch lasts about as long as the kills do.
        mean_s = min(1.5, 24 / options.kills)
        per_minute = max(20.0, 60 * options.jobs / 2 / (options.kills * mean_s * 0.7))
        campaign = Campaign(
            folder,
            url,
            {
                **os.environ,
                MARK: secrets.token_hex(8),
                "PYTHONPATH": str(HOUSE),
                "PREFECT_API_URL": api,
                "PREFECT_HOME": str(folder / "prefect"),
                "XDG_STATE_HOME": str(folder / "state"),
                "QINIU_BASE_URL": f"{url}/qiniu/v1",
                "ACEDATA_BASE_URL": f"{url}/acedata",
                "QINIU_API_KEY": f"key-{secrets.token_hex(8)}",
                "ACEDATA_API_KEY": f"key-{secrets.token_hex(8)}",
                **{f"{name.upper()}_BASE_URL": SandboxAddress(url, 0).base_url(name) for name in DESCRIBED},
                **{f"{name.upper()}_API_KEY": key_for(name) for name in DESCRIBED},
            },
            [
                *(sys.executable, "-m", "flows.command_line", "run", str(folder / "batch.csv")),
                *("--yes", "--out", str(folder / "out"), "--per-minute", f"{per_minute:.0f}"),
            ],
        )
        while campaign.kills < options.kills:
            kill_at_random(campaign, chance, mean_s)
            print(f"\r{campaign.kills} of {options.kills} kills, {campaign.counts()['done']} done", end="")
        print()
        to_the_end(campaign)
        until(lambda: all(ended(line) for line in campaign.ask("bill")), "the end of the last order")
        figures, broken = judge(campaign, ids)
        posts, bill = campaign.heard("POST"), campaign.ask("bill")
        again = to_the_end(campaign)
        if campaign.ask("bill") != bill or campaign.heard("POST") != posts:
            broken.append("one more run of the finished batch has sent something")
        figures["the finished batch again, seconds"] = round(again, 1)
        broken += leftovers(campaign)
        show(figures, campaign.caught)
    return broken


def main() -> None:
    """Read the arguments, work, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None, help="repeats the moments, as far as a machine can")
    parser.add_argument("--faults", default="none", help="a fault script of the sandbox, such as rough")
    parser.add_argument("--mixed", action="store_true", help="every protocol, remix chains and fallbacks")
    options = parser.parse_args()
    options.seed = random.randrange(10**6) if options.seed is None else options.seed
    print(f"{options.jobs} jobs, {options.kills} kills, seed {options.seed}, faults {options.faults}")
    folder = Path(tempfile.mkdtemp(prefix="reelbatch-kills-"))
    leave(work(options, folder), folder)


if __name__ == "__main__":
    main()
