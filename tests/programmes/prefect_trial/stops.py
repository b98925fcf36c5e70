"""Cancel and Suspend: by the requests of the UI, by `prefect flow-run cancel`, by `reelbatch cancel`, on every kind of run.

Promised each time: no new order later than five seconds after the word, each row on the bill once, the catalogue written,
the state as said, and the same run goes on to its end.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.programmes.prefect_trial.house import House, Promises, open_house, until

ROWS, IN_FLIGHT, LATENCY_S = 16, 2, 3
SERVED = """
from flows.campaign import campaign
campaign.serve("served", parameters={parameters!r})
"""


def statuses(folder: Path) -> dict[str, int]:
    """How many rows of the catalogue stand where; nothing where there is none."""
    counts: dict[str, int] = {}
    with suppress(OSError):
        for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines():
            status = json.loads(line)["status"]
            counts[status] = counts.get(status, 0) + 1
    return counts


def out_of(house: House, name: str) -> Path:
    """The output folder of a campaign."""
    return house.folder / "out" / name


def parameters(house: House, name: str) -> dict[str, Any]:
    """A campaign whose jobs take a while, a few at once, so that some are always on their way."""
    batch = house.write_batch(f"{name}.csv", [f"{name} {n}" for n in range(ROWS)])
    return {"batch": str(batch), "out": str(out_of(house, name)), "in_flight": IN_FLIGHT, "budget": 1000}


def paid(house: House, name: str) -> list[str]:
    """The prompts of a campaign that are on the bill."""
    return [prompt for prompt in house.provider.prompts() if prompt.startswith(f"{name} ")]


def until_orders(house: House, name: str, more_than: int = IN_FLIGHT) -> None:
    """Wait until a campaign has ordered something, and something is on its way."""
    until(lambda: len(paid(house, name)) > more_than, f"{name}: orders")


def watch_the_stop(house: House, promises: Promises, name: str, word: Callable[[], Any]) -> Callable[[], None]:
    """Say the word; look after five seconds at what is ordered, and when all has ended once more."""
    said = time.monotonic()
    word()
    time.sleep(max(0.0, said + 5 - time.monotonic()))
    then = len(paid(house, name))

    def look() -> None:
        print(f"        {name}: ended {time.monotonic() - said:.1f} s after the word", flush=True)
        now, counts = len(paid(house, name)), statuses(out_of(house, name))
        promises.check(
            f"{name}: no order later than 5 s after the word", holds=now == then < ROWS, seen=f"{then}, {now}"
        )
        whole = sum(counts.values()) == ROWS and not counts.get("in_doubt") and not counts.get("submitting")
        known = counts.get("done", 0) + counts.get("waiting", 0) + counts.get("ready", 0)
        promises.check(f"{name}: catalogue written, all paid known in it", holds=whole and known == now, seen=counts)

    return look


def went_on(house: House, promises: Promises, name: str) -> None:
    """Look at a campaign that was stopped and has been run again."""
    counts = statuses(out_of(house, name))
    once = sorted(paid(house, name)) == sorted(f"{name} {n}" for n in range(ROWS))
    promises.check(
        f"{name}: goes on, each row bought once, all done", holds=once and counts == {"done": ROWS}, seen=counts
    )


def start_command(house: House, name: str) -> tuple[list[object], subprocess.Popen[bytes], Path]:
    """A run of the command line: its command, its process, and the file of what it says."""
    given, said = parameters(house, name), house.folder / f"{name}.txt"
    command = ["reelbatch", "run", given["batch"], "--out", given["out"], "--in-flight", IN_FLIGHT, "--budget", 1000]
    return command, house.start(*command, said=said), said


def run_called(house: House, name: str) -> str:
    """The newest flow run of a name."""
    return str([run["id"] for run in house.api.runs() if run["name"] == name][-1])


def on_the_command_line(house: House, promises: Promises) -> None:
    """Runs in a process of one's own."""
    suspended = {"name": "Suspended", "force": True}
    ways: dict[str, tuple[Callable[[str], Any], str, str]] = {
        "cli-rest": (lambda run: house.api.set_state(run, "CANCELLING"), "CANCELLED", "cancelled in Prefect"),
        "cli-prefect": (
            lambda run: house.command("prefect", "flow-run", "cancel", run),
            "CANCELLED",
            "cancelled in Prefect",
        ),
        "cli-folder": (
            lambda _: house.command("reelbatch", "cancel", out_of(house, "cli-folder"), "--no-wait"),
            "CANCELLED",
            "cancelled by `reelbatch cancel`",
        ),
        "cli-suspend": (lambda run: house.api.set_state(run, "PAUSED", **suspended), "PAUSED", "suspended in Prefect"),
    }
    for name, (word, kind, words) in ways.items():
        command, process, said = start_command(house, name)
        until_orders(house, name)
        run_id = run_called(house, name)
        look = watch_the_stop(house, promises, name, lambda word=word, run_id=run_id: word(run_id))
        code = process.wait(120)
        look()
        state = house.api.run(run_id)["state"]
        promises.check(f"{name}: {kind}", holds=state["type"] == kind, seen=f"{state['name']}: {state['message']}")
        told = words in said.read_text("utf-8")
        promises.check(f"{name}: exit code 130, and the last words say why", holds=code == 130 and told, seen=code)
        again = house.command(*command)
        promises.check(f"{name}: the same command ends with 0", holds=again.code == 0, seen=again.code)
        went_on(house, promises, name)


def deployed(house: House, promises: Promises, kind: str, deployment: str) -> None:
    """Runs of a deployment, cancelled and suspended, then retried and resumed."""
    for verb in ("cancel", "suspend", "folder"):
        name = f"{kind}-{verb}"
        run_id = created(house, deployment, name)
        until_orders(house, name)
        words: dict[str, Callable[[], Any]] = {
            "cancel": lambda run_id=run_id: house.command("prefect", "flow-run", "cancel", run_id),
            "suspend": lambda run_id=run_id: house.api.set_state(
                run_id, "PAUSED", name="Suspended", state_details=RESUMABLE
            ),
            "folder": lambda name=name: house.command("reelbatch", "cancel", out_of(house, name), "--no-wait"),
        }
        look = watch_the_stop(house, promises, name, words[verb])
        wanted = "PAUSED" if verb == "suspend" else "CANCELLED"
        until(lambda name=name: statuses(out_of(house, name)), f"{name}: its catalogue", 60)
        state = house.api.until_state(run_id, wanted, patience_s=60)
        time.sleep(8)  # for whoever writes another state after it
        with suppress(TimeoutError):  # a runner may write its own words over ours, which are put back then
            until(lambda run_id=run_id: "of 16" in house.api.run(run_id)["state"]["message"], f"{name}: its words", 30)
        look()
        state = house.api.run(run_id)["state"]
        seen = f"{state['name']}: {state['message']}"
        far = state["type"] == wanted and "of 16" in seen
        promises.check(f"{name}: {wanted}, and how far it came", holds=far, seen=seen)
        if verb == "suspend":
            house.api.ask("POST", f"/flow_runs/{run_id}/resume", {})
        else:
            house.api.set_state(run_id, "SCHEDULED", name="AwaitingRetry")
        house.api.until_state(run_id, "COMPLETED", patience_s=120)
        went_on(house, promises, name)


def created(house: House, deployment: str, name: str) -> str:
    """Create a run of a deployment; a server on a busy machine may say that it is not to be had just now."""
    given = parameters(house, name)

    def run() -> str | None:
        with suppress(RuntimeError):
            return house.api.create_run(deployment, given)
        return None

    return str(until(run, f"{name}: a run of {deployment}"))


RESUMABLE = {"pause_reschedule": True}
DEPLOY = """
from flows.campaign import campaign
campaign.from_source({source!r}, "flows/campaign.py:campaign").deploy("pooled", work_pool_name="house", parameters={parameters!r})
"""


def main() -> None:
    """Every way to stop, on every kind of run; or those that are named: `cli`, `worker`, `served`."""
    wanted = sys.argv[1:] or ["cli", "worker", "served"]
    promises = Promises()
    with open_house(provider={"latency": str(LATENCY_S)}) as house:
        if "cli" in wanted:
            on_the_command_line(house, promises)
        if "worker" in wanted:
            house.worker(PREFECT_LOGGING_EXTRA_LOGGERS="reelbatch")
            deploy(house)
            deployed(house, promises, "worker", "pooled")
        if "served" in wanted:
            house.start(sys.executable, "-c", SERVED.format(parameters=parameters(house, "default")))
            until(lambda: any(each["name"] == "served" for each in deployments(house)), "the served deployment")
            deployed(house, promises, "served", "served")
    promises.leave()


def deployments(house: House) -> list[dict[str, Any]]:
    """Every deployment that the server knows."""
    return house.api.ask("POST", "/deployments/filter", {})


def deploy(house: House) -> None:
    """Make a deployment of the process pool."""
    source = str(Path(__file__).parents[3])
    code = DEPLOY.format(source=source, parameters=parameters(house, "default"))
    made = house.command(sys.executable, "-c", code)
    if made.code:
        raise RuntimeError(made.err)


if __name__ == "__main__":
    main()
