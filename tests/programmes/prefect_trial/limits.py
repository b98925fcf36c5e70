"""Account limits over runs that share a Prefect server: in flight, a minute, turned, lost, killed, and what they cost.

The judge is the sandbox: its bill says when each order was accepted and when it ended, and its counts how many got a 429.

    PYTHONPATH=. python tests/programmes/prefect_trial/limits.py [in-flight submissions turned lost killed cost]
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))
import httpx

from pipelines.providers.client import account_of
from tests.programmes.prefect_trial.house import House, Promises, end, open_house, until

promises = Promises()
LIMITS = "/v2/concurrency_limits"
HARDLY_ENDS_S = 400.0


@contextmanager
def house(**provider: Any) -> Iterator[House]:
    """A house whose provider has been asked nothing."""
    with open_house(provider=provider) as opened:
        yield opened


def run(house: House, name: str, jobs: int, *flags: object, **environment: str) -> Any:
    """Start a run of so many jobs."""
    batch = house.write_batch(f"{name}.csv", [f"{name} {n}" for n in range(jobs)], provider="openai")
    given = ("--out", house.folder / name, "--budget", 1_000_000, *flags)
    return house.start("reelbatch", "run", batch, *given, **environment)


def exit_codes(*processes: Any) -> list[int]:
    """Wait for the end of each."""
    return [process.wait(HARDLY_ENDS_S) for process in processes]


def peak(bill: list[dict[str, Any]], since: float = 0.0, before: float = float("inf")) -> int:
    """The most jobs that were unfinished at one instant between these moments, by the bill."""
    moves = [(line["created"], 1) for line in bill]
    moves += [(line["created"] + line["latency_s"], -1) for line in bill]
    count = most = 0
    for moment, move in sorted(moves):
        count += move
        if since <= moment < before:
            most = max(most, count)
    return most


def refused(house: House) -> list[Any]:
    """What the provider refused, and how often."""
    url = f"{house.provider.url}/_sandbox/requests"
    return list(httpx.get(url, trust_env=False).json()["refusals"])


def told(house: House) -> list[str]:
    """What the runs said of limits, and of a provider that slows them down."""
    lines = (house.folder / "said.txt").read_text("utf-8").splitlines()
    return [line for line in lines if "limit" in line or "fewer" in line or "waits for its share" in line]


def limit(house: House, what: str) -> dict[str, Any]:
    """The limit of the account, as people see it."""
    found = house.api.ask("POST", f"{LIMITS}/filter", {})
    return next(each for each in found if each["name"].endswith(what))


def turn(house: House, what: str, **change: Any) -> float:
    """Turn a limit by REST. Returns when."""

    def done() -> bool:  # its database may be locked for a moment
        with suppress(RuntimeError):
            house.api.ask("PATCH", f"{LIMITS}/{limit(house, what)['id']}", change)
            return True
        return False

    until(done, "a limit turned")
    print(f"        turned {what}: {change}", flush=True)
    return time.time()


def in_flight() -> None:
    """Two runs of an account that may have twelve jobs at once."""
    with house(latency="uniform:1-3", in_flight_cap=12) as here:
        runs = [run(here, name, 60, "--in-flight", 12) for name in ("one", "two")]
        codes = exit_codes(*runs)
        bill = here.provider.bill()
        promises.check(
            "two runs end well, each row bought once", holds=codes == [0, 0] and len(bill) == 120, seen=codes
        )
        promises.check("never more than 12 at the provider", holds=peak(bill) <= 12, seen=f"peak {peak(bill)}")
        promises.check("the account was used", holds=peak(bill) >= 11, seen=f"{spread(bill)}")
        print(f"        {told(here)}")
        promises.check("no order was refused", holds=not refused(here), seen=refused(here))
        found = limit(here, "-in-flight")
        promises.check("afterwards nothing is held", holds=found["active_slots"] == 0, seen=found)
        promises.check("its name shows the provider and no key", holds="openai" in found["name"], seen=found["name"])


def spread(bill: list[dict[str, Any]]) -> str:
    """How both runs shared, by a third of the time each: orders by run."""
    first, last = min(line["created"] for line in bill), max(line["created"] for line in bill)
    parts = []
    for third in range(3):
        begin, finish = (first + (last - first) * (third + n) / 3 for n in (0, 1))
        names = [line["prompt"].split()[0] for line in bill if begin <= line["created"] <= finish]
        parts.append("/".join(f"{name} {names.count(name)}" for name in sorted(set(names))))
    return f"{last - first:.0f} s: {'; '.join(parts)}"


def submissions() -> None:
    """Four runs that share sixty submissions a minute with a provider that takes no more."""
    with house(latency="1", submit_rate=1.0, submit_window=60.0) as here:
        runs = [run(here, f"run{n}", 45, "--in-flight", 50, "--per-minute", 60) for n in range(4)]
        codes = exit_codes(*runs)
        bill = here.provider.bill()
        promises.check("four runs end well", holds=codes == [0] * 4 and len(bill) == 180, seen=codes)
        promises.check("not one 429", holds=not refused(here), seen=refused(here))
        took = max(line["created"] for line in bill) - min(line["created"] for line in bill)
        used = (len(bill) - 1) / took
        promises.check(
            "at least 95 % of it is used", holds=used >= 0.95, seen=f"{len(bill)} in {took:.1f} s, {used:.1%}"
        )
        moments = sorted(line["created"] for line in bill)
        gaps = sorted(later - earlier for earlier, later in pairwise(moments))
        print(
            f"        shortest gaps {[round(gap, 3) for gap in gaps[:5]]}, longest {[round(gap, 2) for gap in gaps[-5:]]}"
        )
        late = [(round(m - moments[0]), round(n - m, 1)) for m, n in pairwise(moments) if n - m > 1.5]
        print(f"        gaps of more than 1.5 s, when: {late}; {told(here)}")
        print(f"        {spread(bill)}")


def turned() -> None:
    """Both limits turned while a run goes on."""
    with house(latency="2") as here:
        process = run(here, "turned", 340, "--in-flight", 12)
        until(lambda: len(here.provider.bill()) > 24, "orders")
        lowered = turn(here, "-in-flight", limit=4)
        time.sleep(20)
        raised = turn(here, "-in-flight", limit=16)
        time.sleep(16)
        off = turn(here, "-in-flight", active=False)
        time.sleep(14)
        on = turn(here, "-in-flight", active=True, limit=6)
        codes = exit_codes(process)
        bill = here.provider.bill()
        low, high = peak(bill, lowered + 10, raised), peak(bill, raised + 10, off)
        promises.check("lowered from 12 to 4: kept 10 s later", holds=low <= 4, seen=f"peak {low}")
        late = [line["created"] - lowered for line in bill if lowered < line["created"] < raised]
        print(f"        orders after it: {[round(each, 1) for each in late[:12]]}")
        promises.check("raised to 16: used 10 s later", holds=high == 16, seen=f"peak {high}")
        free = peak(bill, off + 10, on)
        promises.check("deactivated: the run's own number", holds=free == 12, seen=f"peak {free}")
        again = peak(bill, on + 10)
        promises.check("activated again at 6: kept 10 s later", holds=again <= 6, seen=f"peak {again}")
        promises.check("every row once, and well", holds=codes == [0] and len(bill) == 340, seen=codes)
        promises.check("afterwards nothing is held", holds=limit(here, "-in-flight")["active_slots"] == 0)
    with house(latency="1") as here:
        process = run(here, "paced", 150, "--in-flight", 30, "--per-minute", 60)
        until(lambda: len(here.provider.bill()) > 5, "orders")
        faster = turn(here, "-submit", limit=40, slot_decay_per_second=4.0)
        time.sleep(20)
        slower = turn(here, "-submit", slot_decay_per_second=0.5)
        time.sleep(25)
        rest = turn(here, "-submit", active=False)
        codes = exit_codes(process)
        moments = [line["created"] for line in here.provider.bill()]
        print(
            f"        orders in each 2 s: {[sum(2 * n <= m - faster < 2 * n + 2 for m in moments) for n in range(24)]}"
        )
        fast = sum(faster + 10 <= moment < slower for moment in moments) / (slower - faster - 10)
        slow = sum(slower + 10 <= moment < rest for moment in moments) / (rest - slower - 10)
        promises.check("240 a minute 10 s later", holds=3.4 <= fast <= 4.2, seen=f"{60 * fast:.0f} a minute")
        promises.check("30 a minute 10 s later", holds=slow <= 0.55, seen=f"{60 * slow:.0f} a minute")
        promises.check("every row once, and well", holds=codes == [0] and len(moments) == 150, seen=codes)


def lost() -> None:
    """The server is killed while two runs go on, and comes back; then it stays away."""
    with house(latency="2", in_flight_cap=12) as here:
        runs = [run(here, name, 150, "--in-flight", 12, "--per-minute", 600) for name in ("one", "two")]
        until(lambda: len({line["prompt"].split()[0] for line in here.provider.bill()}) == len(runs), "orders of both")
        here.server.stop(signal.SIGKILL)
        gone = time.time()
        time.sleep(20)
        here.server.start()
        back = time.time()
        time.sleep(20)
        bill = here.provider.bill()
        during = sum(gone + 5 < line["created"] < back for line in bill)
        print(f"        {told(here)}")
        after = sum(line["created"] > back + 10 for line in bill)
        promises.check("both go on while it is away", holds=during > 20, seen=f"{during} orders in {back - gone:.0f} s")
        promises.check("and after it is back", holds=after > 10, seen=f"{after} orders in 10 s")
        here.server.stop(signal.SIGKILL)
        for_good = time.time()
        codes = exit_codes(*runs)
        bill = here.provider.bill()
        moments = [line["created"] for line in bill]
        print(
            f"        orders in each 5 s from the kill: {[sum(5 * n <= m - gone < 5 * n + 5 for m in moments) for n in range(30)]}"
        )
        print(
            f"        it went for good {for_good - gone:.0f} s after that, and the runs ended {time.time() - for_good:.0f} s later"
        )
        promises.check("it never returns: each row once, catalogued", holds=len(bill) == 300, seen=(codes, len(bill)))
        promises.check("never more than 12 in all that", holds=peak(bill) <= 12, seen=f"peak {peak(bill)}")
        made = [sum(1 for _ in (here.folder / name / "videos").glob("*.mp4")) for name in ("one", "two")]
        promises.check("every clip is home", holds=made == [150, 150], seen=made)
        said = (here.folder / "said.txt").read_text("utf-8")
        times = said.count("cannot be asked about account limits")
        promises.check("each says it once an outage", holds=2 <= times <= 4, seen=times)


def killed() -> None:
    """A run is killed: its slots are free for others when its leases end, and at once for its own next run."""
    with house(latency="3") as here:
        first = run(here, "killed", 60, "--in-flight", 8)
        until(lambda: len(here.provider.bill()) >= 16, "orders")
        end(first, signal.SIGKILL)
        at = time.time()
        held = limit(here, "-in-flight")["active_slots"]
        promises.check("its slots are held for a while", holds=held == 8, seen=held)
        other = run(here, "other", 30, "--in-flight", 8)
        until(lambda: any(line["prompt"].startswith("other") for line in here.provider.bill()), "orders", 150)
        took = time.time() - at
        promises.check("others have them when the leases end", holds=took <= 110, seen=f"{took:.0f} s after the kill")
        promises.check("the other run ends well", holds=exit_codes(other) == [0])
        again = run(here, "killed", 60, "--in-flight", 8)
        until(lambda: len(here.provider.bill()) >= 62, "orders")
        end(again, signal.SIGKILL)
        at, had = time.time(), len(here.provider.bill())
        last = run(here, "killed", 60, "--in-flight", 8)
        until(lambda: len(here.provider.bill()) >= had + 8 or last.poll() is not None, "orders")
        promises.check(
            "its own next run has them at once", holds=time.time() - at < 45, seen=f"{time.time() - at:.0f} s"
        )
        exit_codes(last)
        bill = here.provider.bill()
        twice = len(bill) - len({line["prompt"] for line in bill})
        promises.check("nothing is bought twice", holds=twice == 0, seen=twice)
        promises.check("never more than 8", holds=peak(bill) <= 8, seen=peak(bill))
        promises.check("afterwards nothing is held", holds=limit(here, "-in-flight")["active_slots"] == 0)


def cost() -> None:
    """A single run, its limit shared and not: 300 jobs of a second, 50 in flight, twice each."""
    figures: dict[str, list[float]] = {"shared": [], "alone": []}
    with house(latency="1") as here:
        for number, way in enumerate(("alone", "shared", "alone", "shared")):
            key = f"key-{number}"
            if way == "alone":  # a limit that is not active takes no block, and gives none
                at = account_of(f"{here.provider.url}/openai/v1", key)[8:14]
                off = {"name": f"reelbatch-openai-{at}-in-flight", "limit": 50, "active": False}
                here.api.ask("POST", f"{LIMITS}/", off)
            had = len(here.provider.bill())
            codes = exit_codes(run(here, f"{way}-{number}", 300, "--in-flight", 50, OPENAI_API_KEY=key))
            bill = here.provider.bill()[had:]
            ends = [line["created"] + line["latency_s"] for line in bill]
            figures[way].append(max(ends) - min(line["created"] for line in bill))
            print(f"        {way}: {figures[way][-1]:.1f} s from the first order to the last clip, {codes}", flush=True)
    shared, alone = (min(figures[way]) for way in ("shared", "alone"))
    promises.check(
        "sharing costs less than a tenth", holds=shared <= 1.1 * alone, seen=f"{shared:.1f} and {alone:.1f} s"
    )


STEPS: dict[str, Callable[[], None]] = {
    "in-flight": in_flight,
    "submissions": submissions,
    "turned": turned,
    "lost": lost,
    "killed": killed,
    "cost": cost,
}

if __name__ == "__main__":
    for step in sys.argv[1:] or STEPS:
        print(f"{step}: {STEPS[step].__doc__}", flush=True)
        STEPS[step]()
    promises.leave()
