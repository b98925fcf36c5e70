"""What Prefect has of a run in the end: of one whose flow is retried, and of one of 2,000 rows on a server as it comes.

`PYTHONPATH=. python tests/programmes/prefect_trial/records.py [retried | rows [N]]`; by default both, with 2,000 rows.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import Any

from tests.programmes.prefect_trial.house import House, Promises, open_house

PAGE = 200
STILL_S = 90.0  # a server that has written nothing for so long writes nothing more


def task_runs(house: House, run_id: str) -> list[dict[str, Any]]:
    """Every task run of a flow run, page after page."""
    found: list[dict[str, Any]] = []
    while True:
        asked = {"flow_runs": {"id": {"any_": [run_id]}}, "sort": "ID_DESC", "limit": PAGE, "offset": len(found)}
        page = house.api.ask("POST", "/task_runs/filter", asked)
        found += page
        if len(page) < PAGE:
            return found


def when_all_is_told(house: House, run_id: str, count: int) -> list[dict[str, Any]]:
    """Wait for the task runs of a flow run while the server still writes; its recorder may lag behind by minutes."""
    began = changed = time.monotonic()
    before: Counter[str] = Counter()
    while time.monotonic() - changed < STILL_S:
        found = task_runs(house, run_id)
        states = Counter(each["state_type"] for each in found)
        if states["COMPLETED"] >= count:
            break
        if states != before:
            before, changed = states, time.monotonic()
        time.sleep(5)
    print(f"        told {time.monotonic() - began:.0f} s after the end of the run: {dict(states)}", flush=True)
    return found


def retried(house: House, promises: Promises) -> None:
    """A deployed flow with two retries and a rejected row ends as Rows Failed, and nothing is ordered again."""
    house.provider.faults({"match": {"route": "submit", "nth": [2]}, "do": {"status": 400}})
    batch = house.write_batch("retried/retried.csv", ["a kite", "a tram", "a lamp"])
    house.command("reelbatch", "deploy", batch, "--name", "retried", "--budget", "5", "--work-pool", house.pool)
    run = house.api.create_run("retried", empirical_policy={"retries": 2, "retry_delay": 1})
    house.api.until_state(run)
    state = house.api.until_state(run, "Rows Failed", "CRASHED", patience_s=10)  # the end gets its name a second later
    held = (state["type"], state["name"]) == ("FAILED", "Rows Failed")
    promises.check("retries=2: the end is that of the rows", holds=held, seen=(state["name"], state["message"]))
    billed = house.provider.prompts()
    tries = house.api.run(run)["run_count"]
    promises.check("retries=2: Prefect did retry", holds=tries == 3, seen=f"{tries} tries")
    promises.check("retries=2: no second order", holds=len(set(billed)) == len(billed) == 2, seen=billed)
    history = house.api.ask("GET", f"/flow_run_states/?flow_run_id={run}")
    names = [each["name"] for each in history]
    promises.check("retries=2: never Crashed", holds="CRASHED" not in {each["type"] for each in history}, seen=names)
    house.provider.faults()


def rows(house: House, promises: Promises, count: int) -> None:
    """Every row of a large batch is a task run in Prefect, and none is left Running."""
    batch = house.write_batch(f"rows/{count}.csv", [f"row {n}" for n in range(count)])
    before = {each["id"] for each in house.api.runs()}
    out = house.folder / "rows" / "out"
    fast = ("--in-flight", "50", "--per-minute", "6000", "--poll-every", "1")
    process = house.start("reelbatch", "run", batch, "--out", out, "--yes", *fast)
    code = process.wait(1_800)
    promises.check(f"{count} rows: all done", holds=code == 0, seen=f"exit code {code}")
    (run,) = [each for each in house.api.runs() if each["id"] not in before]

    found = when_all_is_told(house, run["id"], count + 3)
    names = Counter(each["name"] for each in found)
    missing = [n for n in range(1, count + 1) if not names[f"job-{n}"]]
    seen = f"{len(found)} read, {len(missing)} missing {missing[:5]}"
    promises.check(f"{count} rows: each is a task run", holds=not missing, seen=seen)
    states = dict(Counter(each["state_name"] for each in found))
    promises.check(f"{count} rows: none is left Running", holds=set(states) == {"Completed"}, seen=states)
    promises.check(f"{count} rows: the run itself", holds=house.api.run(run["id"])["state_name"] == "Completed")
    promises.check(f"{count} rows: one order each", holds=len(set(house.provider.prompts())) == count)


def main() -> None:
    """Both, each in a house of its own."""
    wanted, promises = sys.argv[1:2], Promises()
    if wanted in ([], ["retried"]):
        print(f"--- retried: {retried.__doc__}", flush=True)
        with open_house() as house:
            house.worker()
            retried(house, promises)
    if wanted in ([], ["rows"]):
        print(f"--- rows: {rows.__doc__}", flush=True)
        with open_house(provider={"latency": "0.5"}) as house:
            rows(house, promises, int((sys.argv[2:3] or ["2000"])[0]))
    promises.leave()


if __name__ == "__main__":
    main()
