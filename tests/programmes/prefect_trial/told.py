"""People are told how runs end, and a key may be kept in a block: each notification arrives at a receiver of our own.

`PYTHONPATH=. python tests/programmes/prefect_trial/told.py`
"""

from __future__ import annotations

import json
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.programmes.prefect_trial.house import House, Promises, open_house, until

SECRET = "whisper-it-4711"
BLOCK = """
from tasks.account_block import ProviderAccount
ProviderAccount(api_key='{key}', base_url='{url}').save('reelbatch-qiniu')
"""


class Receiver(BaseHTTPRequestHandler):
    """Keeps what it is told."""

    heard: list[str]

    def do_POST(self) -> None:
        """Take a notification."""
        self.heard.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def receiver() -> Iterator[tuple[str, list[str]]]:
    """A receiver for the length of the block: its address for Apprise, and what it has heard."""
    heard: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Hearing", (Receiver,), {"heard": heard}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"json://127.0.0.1:{server.server_port}/{SECRET}", heard
    finally:
        server.shutdown()
        server.server_close()


def ends(house: House, promises: Promises, heard: list[str]) -> None:
    """Each end of a run is told once, by the name of the end."""

    def tell(what: str, subject: str, **parameters: object) -> None:
        def end() -> str:
            run = house.api.create_run("told", parameters)
            house.api.until_state(run)
            return run

        once(what, subject, end)

    def once(what: str, subject: str, end: Callable[[], str]) -> None:
        # On SQLite Prefect evaluates an event twice, or a quarter of an hour later, where the database was locked in the
        # moment of the first: then another run is ended in the same way.
        runs = []
        while len(runs) < 3:
            run = house.api.run(end())
            runs.append(run["id"])
            of_it = partial(_of_run, heard, run["name"])
            with suppress(TimeoutError):
                until(of_it, f"a notification: {subject}", 45)
                break
        promises.check(f"{what} is told", holds=of_it(), seen=(run["state"]["name"], f"run {len(runs)}", of_it()[:1]))
        titles = {each["title"] for each in of_it()}
        promises.check(f"{what} is told as nothing else", holds=titles == {f"told: {subject}"}, seen=titles)

    tell("done", "done")
    house.provider.faults({"match": {"route": "submit"}, "do": {"outcome": "moderation_blocked"}})
    batch = house.write_batch("failing.csv", ["a clip that nobody likes"])
    tell("a failed row", "failed", batch=str(batch))
    house.provider.faults({"match": {"route": "submit"}, "do": {"cut": "after"}})
    batch = house.write_batch("doubtful.csv", ["a clip that may be paid"])
    tell("doubt", "in doubt", batch=str(batch))
    house.provider.faults()
    tell("a batch that is not there", "failed", batch=str(house.folder / "missing.csv"))
    batch = house.write_batch("dear.csv", ["a dear clip", "a dearer clip"])
    tell("the budget", "budget reached", batch=str(batch), budget=0.5)

    def crash() -> str:
        run = house.api.create_run("told", name="a crash", state={"type": "RUNNING"})
        house.api.set_state(run, "CRASHED", force=True)
        return run

    once("a crash", "crashed", crash)


def _of_run(heard: list[str], name: str) -> list[dict[str, str]]:
    """What was told of a run of that name."""
    return [each for each in map(json.loads, heard) if each["message"].startswith(f"{name}: ")]


def link(house: House, promises: Promises, heard: list[str]) -> None:
    """The event of a link near its expiry is told with its words."""
    deployment = house.api.deployment("told")["id"]
    event = {
        "id": str(uuid.uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": "reelbatch.link.expiring",
        "resource": {"prefect.resource.id": "reelbatch.campaign.told"},
        "related": [{"prefect.resource.id": f"prefect.deployment.{deployment}", "prefect.resource.role": "deployment"}],
        "payload": {"message": "The link of job-1 ends at noon."},
    }
    house.api.ask("POST", "/events", [event])
    came = until(lambda: [each for each in heard if "ends at noon" in each], "a link", 60)
    promises.check("a link near expiry is told", holds=came, seen=came[:1])


def secrets(house: House, promises: Promises, address: str) -> None:
    """The address is kept in blocks alone; telling it anew, and no more, changes what there is."""
    everything = [
        house.api.deployment("told"),
        house.api.runs("told"),
        *map(house.api.logs, (r["id"] for r in house.api.runs("told"))),
    ]
    everything += [house.api.ask("POST", "/automations/filter", {}), house.api.ask("POST", "/events/filter", {})]
    everything += [house.api.ask("POST", "/block_documents/filter", {})]
    said = (house.folder / "said.txt").read_text("utf-8") + (house.server.home / "server.log").read_text("utf-8")
    promises.check("the secret of the address stands nowhere", holds=SECRET not in f"{everything}{said}")
    batch = house.folder / "told.csv"
    house.command("reelbatch", "deploy", batch, "--budget", "5", "--notify", address, "--notify", address)
    named = [each["name"] for each in house.api.ask("POST", "/automations/filter", {})]
    ours = [name for name in named if name.startswith("reelbatch told: ")]
    promises.check("deploying again makes no second automations", holds=len(ours) == len(set(ours)) == 6, seen=ours)
    house.command("reelbatch", "deploy", batch, "--budget", "5")
    named = [each["name"] for each in house.api.ask("POST", "/automations/filter", {})]
    promises.check(
        "without --notify nobody is told any more", holds=not [n for n in named if n.startswith("reelbatch told")]
    )


def account(house: House, promises: Promises) -> None:
    """A key in a block is used where the environment has none, on a worker and from the command line."""
    block = BLOCK.format(key="a-key-of-a-block", url=house.provider.environment()["QINIU_BASE_URL"])
    ended = house.command(sys.executable, "-c", block)
    promises.check("a block is saved", holds=ended.code == 0, seen=ended.err[-200:])
    bare = {"QINIU_API_KEY": None, "QINIU_BASE_URL": None}
    batch = house.write_batch("kept.csv", ["a clip with a kept key"])
    ended = house.command("reelbatch", "run", batch, "--budget", "5", **bare)
    promises.check("the command line uses the block", holds=ended.code == 0, seen=ended.err.strip()[-200:])
    batch = house.write_batch("kept-too.csv", ["another clip with a kept key"])
    house.pool = "bare"
    house.worker("bare-worker", **bare)
    house.command("reelbatch", "deploy", batch, "--budget", "5", "--work-pool", "bare")
    state = house.api.until_state(house.api.create_run("kept-too"))
    promises.check("a worker uses the block", holds=state["name"] == "Completed", seen=state["message"])
    listed = house.command("prefect", "block", "type", "ls").out
    promises.check("Prefect lists the block type", holds="reelbatch-provider-account" in listed)


def main() -> None:
    """Each of them, in one house."""
    promises = Promises()
    with open_house() as house, receiver() as (address, heard):
        batch = house.write_batch("told.csv", ["a clip to tell of"])
        house.start("reelbatch", "serve", PREFECT_WORKER_QUERY_SECONDS="2")
        ended = house.command("reelbatch", "deploy", batch, "--budget", "5", "--notify", address)
        promises.check("deployed with --notify", holds=ended.code == 0, seen=ended.err.strip())
        ends(house, promises, heard)
        link(house, promises, heard)
        secrets(house, promises, address)
        account(house, promises)
    promises.leave()


if __name__ == "__main__":
    main()
