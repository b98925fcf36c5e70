"""Trial: every tick of a schedule is an occurrence of its own, and what was made for it is never bought again.

A real server with its scheduler, a process pool and a worker. Three deployments fire every few seconds on jobs that take
longer than that, so that ticks overlap: without a limit, with one that enqueues, and with one that cancels what is new.
Then Retry of a tick, runs by hand, and an occurrence that was named. The sandbox's bill is the judge.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.programmes.prefect_trial.house import House, Promises, open_house, until

TICKS = 3
EVERY_S = 12
DEPLOY = """
import json, sys
from datetime import timedelta
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.deployments.runner import EntrypointType
from flows.campaign import campaign

given = json.loads(sys.argv[1])
limit = given.pop("limit")
every = given.pop("every")
campaign.to_deployment(
    **given,
    interval=timedelta(seconds=every) if every else None,
    concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=limit) if limit else None,
    entrypoint_type=EntrypointType.MODULE_PATH,
).apply()
"""


def deploy(house: House, name: str, batch: Path, *, every: int = 0, limit: str = "", **advanced: Any) -> None:
    """Make a deployment of a batch, as a program does."""
    parameters = {"batch": str(batch), "budget": 50, "advanced": {"poll_every": 0.5, **advanced}}
    given = {"name": name, "parameters": parameters, "work_pool_name": house.pool, "every": every, "limit": limit}
    ended = house.command(sys.executable, "-c", DEPLOY, json.dumps(given))
    assert ended.code == 0, ended.err


def let_it_tick(house: House, name: str, promises: Promises) -> list[dict[str, Any]]:
    """Wait until a deployment has fired three times, stop its schedule, and wait for the ends of its runs."""

    def begun() -> list[dict[str, Any]]:
        runs = [run for run in house.api.runs(name) if run["state"]["type"] != "SCHEDULED" or is_late(run)]
        return runs if len(runs) >= TICKS else []

    until(begun, f"{TICKS} ticks of {name}", 180)
    until(lambda: stopped(house, name), f"The schedule of {name} to stop")

    def all_ended() -> list[dict[str, Any]]:
        runs = house.api.runs(name)
        return (
            runs if all(run["state"]["type"] in ("COMPLETED", "FAILED", "CANCELLED", "CRASHED") for run in runs) else []
        )

    runs = until(all_ended, f"The ends of {name}", 240)
    ends = Counter(run["state"]["name"] for run in runs)
    promises.check(
        f"{name}: no tick ends Failed or Crashed", holds=not {"Failed", "Crashed"} & set(ends), seen=dict(ends)
    )
    return runs


def stopped(house: House, name: str) -> bool:
    """Stop the schedule of a deployment; a server that is busy with its SQLite file says 503, and is asked again."""
    found = house.api.deployment(name)
    with suppress(RuntimeError):
        path = f"/deployments/{found['id']}/schedules/{found['schedules'][0]['id']}"
        house.api.ask("PATCH", path, {"active": False})
        return True
    return False


def is_late(run: dict[str, Any]) -> bool:
    """Tell whether a run should have begun, and waits for its turn."""
    return run["state"]["name"] in ("Late", "AwaitingConcurrencySlot")


def folders(root: Path, name: str) -> list[str]:
    """The occurrences of a campaign that have a manifest."""
    return sorted(path.parent.name for path in (root / name).glob("*/manifest.jsonl"))


def every_tick(house: House, root: Path, promises: Promises) -> None:
    """Ticks overlap without a limit: a folder and a set of orders each; and Retry of the second orders nothing."""
    prompts = [f"boat {n} of {{{{ occurrence }}}}, {{{{ date }}}}" for n in range(2)]
    deploy(house, "each", house.write_batch("each.csv", prompts), every=EVERY_S, timezone="Europe/Berlin")
    runs = let_it_tick(house, "each", promises)
    made = folders(root, "each")
    ticks = [re.sub(r"\.\d+", "", run["expected_start_time"]) for run in runs]
    bill = [line["prompt"] for line in house.provider.bill() if line["prompt"].startswith("boat")]
    promises.check("a folder for every tick", holds=len(made) == len(runs) >= TICKS, seen=made)
    wanted = sorted(tick.replace("+00:00", "Z").replace(":", "-") for tick in ticks)
    promises.check("named by its tick", holds=made == wanted, seen=wanted)
    promises.check("a set of orders for every tick", holds=len(bill) == len(set(bill)) == 2 * len(runs), seen=len(bill))
    names = [run["name"] for run in runs]
    good = all(re.fullmatch(r"each \d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?\+0[12]:00", name) for name in names)
    promises.check("runs are named by campaign and occurrence", holds=good, seen=names)
    clocks = [name.removeprefix("each ").rpartition("+")[0] for name in names]
    promises.check("and named by its clock in the prompts", holds=all(clock in " ".join(bill) for clock in clocks))
    overlap = any(a["end_time"] > b["start_time"] for a, b in pairwise(runs))
    promises.check("the ticks did overlap", holds=overlap)

    second = runs[1]
    house.api.set_state(second["id"], "SCHEDULED", name="AwaitingRetry", force=True)
    until(lambda: house.api.run(second["id"])["run_count"] > second["run_count"], "The retried tick")
    state = house.api.until_state(second["id"])
    after = [line["prompt"] for line in house.provider.bill() if line["prompt"].startswith("boat")]
    again = house.api.run(second["id"])
    promises.check("Retry of the second orders nothing", holds=after == bill, seen=(state["name"], state["message"]))
    promises.check("and makes no folder", holds=folders(root, "each") == made)
    same = again["expected_start_time"] == second["expected_start_time"]
    promises.check("its expected start is its tick still", holds=same, seen=again["expected_start_time"])


def overlap_as_told(house: House, root: Path, promises: Promises) -> None:
    """With a limit of one run, ticks queue or are skipped, as the deployment says."""
    for name, strategy in (("queued", "ENQUEUE"), ("skipped", "CANCEL_NEW")):
        batch = house.write_batch(f"{name}.csv", [f"{name} {{{{ occurrence }}}}"])
        deploy(house, name, batch, every=EVERY_S, limit=strategy)
        runs = let_it_tick(house, name, promises)
        done = sorted((run for run in runs if run["state"]["type"] == "COMPLETED"), key=lambda run: run["start_time"])
        alone = all(a["end_time"] <= b["start_time"] for a, b in pairwise(done))
        promises.check(f"{name}: never two at once", holds=alone)
        bill = [line["prompt"] for line in house.provider.bill() if line["prompt"].startswith(name)]
        exact = len(bill) == len(set(bill)) == len(done) == len(folders(root, name))
        promises.check(f"{name}: an order and a folder for each that ran", holds=exact, seen=(len(bill), len(done)))
        skipped = len(runs) - len(done)
        promises.check(
            f"{name}: {'some' if strategy == 'CANCEL_NEW' else 'none'} left out",
            holds=bool(skipped) is (strategy == "CANCEL_NEW"),
            seen=skipped,
        )


def by_hand(house: House, root: Path, promises: Promises) -> None:
    """A run by hand has no occurrence and resumes; one that was named has its own; a date that nobody named is refused."""
    plain, dated = house.write_batch("plain.csv", ["plain"]), house.write_batch("dated.csv", ["dated {{ date }}"])
    deploy(house, "plain", plain)
    deploy(house, "dated", dated)
    for _ in range(2):
        house.api.until_state(house.api.create_run("plain"))
    count = house.provider.prompts().count("plain")
    promises.check(
        "two runs by hand buy once", holds=count == 1 and (root / "plain" / "manifest.csv").is_file(), seen=count
    )
    refused = house.api.until_state(house.api.create_run("dated"))
    clear = refused["type"] == "FAILED" and "advanced.occurrence" in refused["message"]
    promises.check("a date that nobody named is refused, with what to do", holds=clear, seen=refused["message"])
    for _ in range(2):
        named = house.api.create_run("dated", {"advanced": {"occurrence": "2026-11-21"}})
        house.api.until_state(named)
    prompts = [prompt for prompt in house.provider.prompts() if prompt.startswith("dated")]
    promises.check("a named occurrence is made once", holds=prompts == ["dated 2026-11-21"], seen=prompts)
    promises.check(
        "in its own folder", holds=folders(root, "dated") == ["2026-11-21"], seen=house.api.run(named)["name"]
    )


def main() -> None:
    """Run the trial."""
    promises = Promises()
    quick = {"PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5"}
    with open_house(provider={"latency": "16"}, **quick) as house:
        root = house.folder / "root"
        ended = house.command("prefect", "variable", "set", "reelbatch_root", root)
        assert ended.code == 0, ended.err
        house.worker()
        every_tick(house, root, promises)
        overlap_as_told(house, root, promises)
        by_hand(house, root, promises)
    promises.leave()


if __name__ == "__main__":
    main()
