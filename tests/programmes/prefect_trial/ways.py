"""Every way to deploy makes a clip, keeps it, and bills it once; each parameter can be overridden alone.

`PYTHONPATH=. python tests/programmes/prefect_trial/ways.py [NAME]...` runs those of these names, by default all.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from tests.programmes.prefect_trial.house import House, Promises, end, open_house, until
from tests.programmes.processes import HOUSE, KEY

SERVE = """
from reelbatch import campaign
if __name__ == "__main__":
    campaign.serve(name="served")
"""
SERVE_TWO = """
from prefect import serve
from reelbatch import campaign
if __name__ == "__main__":
    serve(campaign.to_deployment("one", parameters={"limit": 1}), campaign.to_deployment("two"))
"""
TO_DEPLOYMENT = """
from prefect.deployments.runner import EntrypointType
from reelbatch import campaign
campaign.to_deployment('{name}', work_pool_name='{pool}', entrypoint_type=EntrypointType.{kind}).apply()
"""
FROM_SOURCE = """
from prefect import flow
flow.from_source(source='{source}', entrypoint='flows/campaign.py:campaign').deploy(
    '{name}', work_pool_name='{pool}', print_next_steps=False)
"""
STRANGER = "raise SystemExit('this is the flows package of somebody else')\n"


def script(house: House, name: str, text: str) -> Path:
    """Write a script of a user's, in a folder of theirs."""
    path = house.folder / name / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def clips(batch: Path) -> list[Path]:
    """What is at home of a batch whose outputs lie beside it."""
    return sorted((batch.parent / "outputs").glob(f"{batch.stem}/**/videos/**/*.mp4"))


def twice(house: House, promises: Promises, way: str, deployment: str, **parameters: Any) -> None:
    """Run a deployment twice with the same batch: one clip, one line on the bill, and nothing lost."""
    batch = house.write_batch(f"{way.replace(' ', '-')}/batch-{deployment.rpartition('/')[2]}.csv", [f"clip by {way}"])
    given = {"batch": str(batch), "budget": 5, **parameters}
    runs = [house.api.create_run(deployment, given)]
    states = [house.api.until_state(runs[0])]
    runs.append(house.api.create_run(deployment, given))
    states.append(house.api.until_state(runs[1]))
    seen = [(state["name"], state["message"]) for state in states]
    promises.check(f"{way}: both runs are completed", holds=all(name == "Completed" for name, _ in seen), seen=seen)
    billed = house.provider.prompts().count(f"clip by {way}")
    kept = clips(batch)
    promises.check(f"{way}: one clip, billed once, still there", holds=billed == len(kept) == 1, seen=(billed, kept))


def campaign_serve(house: House, promises: Promises) -> None:
    """`campaign.serve(name=...)`, in a process of the user's."""
    path = script(house, "serving", SERVE)
    process = house.start(sys.executable, path, cwd=path.parent)
    until(lambda: known(house, "served"), "the served deployment")
    twice(house, promises, "campaign.serve", "served")
    end(process)


def serve_two(house: House, promises: Promises) -> None:
    """`serve(a, b)` of two deployments."""
    path = script(house, "two", SERVE_TWO)
    process = house.start(sys.executable, path, cwd=path.parent)
    until(lambda: known(house, "one") and known(house, "two"), "the two served deployments")
    twice(house, promises, "serve one of two", "one")
    twice(house, promises, "serve the other", "two")
    end(process)


def to_deployment(house: House, promises: Promises) -> None:
    """`campaign.to_deployment(...).apply()` to a process pool, by module; by file Prefect looks in the worker's own folder."""
    for kind in ("MODULE_PATH", "FILE_PATH"):
        name = kind.lower().replace("_", "-")
        path = script(house, "applied", TO_DEPLOYMENT.format(name=name, pool=house.pool, kind=kind))
        ended = house.command(sys.executable, path, cwd=HOUSE)
        promises.check(f"to_deployment by {kind} applies", holds=ended.code == 0, seen=ended.err[-300:])
    twice(house, promises, "to_deployment by MODULE_PATH", "module-path")
    batch = house.write_batch("lost/batch.csv", ["clip by file"])
    state = house.api.until_state(house.api.create_run("file-path", {"batch": str(batch), "budget": 5}))
    promises.check("by FILE_PATH the flow is not found", holds=state["name"] == "Crashed", seen=state["message"])
    promises.check("and nothing is ordered", holds="clip by file" not in house.provider.prompts())


def from_source(house: House, promises: Promises) -> None:
    """`from_source(...).deploy(...)` to a process pool."""
    path = script(house, "sourced", FROM_SOURCE.format(source=HOUSE, name="sourced", pool=house.pool))
    ended = house.command(sys.executable, path, cwd=path.parent)
    promises.check("from_source deploys", holds=ended.code == 0, seen=(ended.out + ended.err)[-300:])
    twice(house, promises, "from_source", "sourced")


def prefect_deploy(house: House, promises: Promises) -> None:
    """`prefect deploy --all` with the prefect.yaml that is shipped, which rehearses; then for money by REST."""
    where = house.folder / "project"
    sample = Path("pipelines/batch/files/samples/demo.csv")
    (where / sample).parent.mkdir(parents=True)
    shutil.copy(HOUSE / sample, where / sample)
    shutil.copy(HOUSE / "prefect.yaml", where)
    house.command("prefect", "work-pool", "create", "reelbatch", "--type", "process")
    ended = house.command("prefect", "--no-prompt", "deploy", "--all", cwd=where, PWD=str(where))
    promises.check("prefect deploy --all deploys", holds=ended.code == 0, seen=(ended.out + ended.err)[-300:])
    before = len(house.provider.bill())
    state = house.api.until_state(house.api.create_run("example"))
    made = [*(where / "outputs" / "example").glob("rehearsal/videos/**/*.mp4")]
    promises.check(
        "the shipped prefect.yaml rehearses", holds=state["name"] == "Completed" and made, seen=state["message"]
    )
    promises.check("a rehearsal bills nothing", holds=len(house.provider.bill()) == before)
    for caring in ("collect/hourly", "expiry/links"):
        state = house.api.until_state(house.api.create_run(caring))
        promises.check(f"{caring} of it works", holds=state["name"] == "Completed", seen=state["message"])
    twice(house, promises, "prefect deploy", "example", rehearse=False, out=None)
    by_hand(house, promises, where / "outputs" / "example")


def by_hand(house: House, promises: Promises, rehearsed: Path) -> None:
    """What a person settles by the deployments of prefect.yaml: asked for consent where it is paid for, and not in a rehearsal."""
    bought = house.write_batch("by-hand/again.csv", ["clip by hand"])
    ended = house.command("reelbatch", "run", bought, "--budget", "5", cwd=bought.parent)
    [folder] = (bought.parent / "outputs").iterdir()
    [row] = json.loads(house.command("reelbatch", "ls", folder, "--json").out)
    asked: dict[str, Any] = {"folder": str(folder), "job": row["id"], "prompt": "clip by hand, once more"}
    state = house.api.until_state(house.api.create_run("redo/by-hand", asked))
    refused = state["type"] == "FAILED" and "nobody has agreed" in state["message"]
    promises.check("redo by hand without a budget is refused", holds=ended.code == 0 and refused, seen=state["message"])
    state = house.api.until_state(house.api.create_run("redo/by-hand", {**asked, "budget": 5}))
    prompts = house.provider.prompts()
    made = prompts.count("clip by hand") == prompts.count("clip by hand, once more") == 1
    promises.check("redo by hand makes a new take", holds=state["name"] == "Completed" and made, seen=state["message"])
    state = house.api.until_state(house.api.create_run("retry/by-hand", {"folder": str(folder)}))
    promises.check(
        "retry by hand finds nothing", holds=state["message"] == "Nothing is run again.", seen=state["message"]
    )
    before = len(house.provider.bill())
    state = house.api.until_state(house.api.create_run("redo/by-hand", {"folder": str(rehearsed), "job": "kettle"}))
    free = state["name"].startswith("Completed") and len(house.provider.bill()) == before
    promises.check("a rehearsal is redone without consent, and bills nothing", holds=free, seen=state["message"])


def reelbatch_deploy(house: House, promises: Promises) -> None:
    """`reelbatch deploy` without a work pool, run by `reelbatch serve`; deploying again changes it, and a cap is asked for."""
    batch = house.write_batch("own/spring.csv", ["a kettle sings", "a kettle rests"])
    ended = house.command("reelbatch", "deploy", "spring.csv", cwd=batch.parent)
    promises.check("deploy for money without a cap is exit code 2", holds=ended.code == 2, seen=ended.err.strip()[:160])
    ended = house.command("reelbatch", "deploy", "spring.csv", "--budget", "5", "--cron", "0 2 * * *", cwd=batch.parent)
    promises.check("reelbatch deploy deploys", holds=ended.code == 0, seen=ended.err.strip())
    first = house.api.deployment("spring")
    ended = house.command("reelbatch", "deploy", "spring.csv", "--budget", "4", "--cron", "0 3 * * *", cwd=batch.parent)
    again = house.api.deployment("spring")
    held = [again["id"] == first["id"], len(again["schedules"]) == 1, again["parameters"]["budget"] == 4]
    promises.check(
        "deploying again updates it", holds=all(held), seen=[each["schedule"] for each in again["schedules"]]
    )
    states = [house.api.until_state(house.api.create_run("spring"))["message"] for _ in range(2)]
    billed = [prompt for prompt in house.provider.prompts() if "kettle" in prompt]
    promises.check("run twice, billed once", holds=len(billed) == len(clips(batch)) == 2, seen=(states, billed))
    run = next(each for each in house.api.runs("spring") if each["state_type"] == "COMPLETED")
    logs = until(lambda: [line for line in house.api.logs(run["id"]) if "Spent" in line], "the cost in the logs", 30)
    promises.check("logs in the UI say the cost", holds=logs, seen=logs[:1])


def temporary_out(house: House, promises: Promises) -> None:
    """A relative `out` in the worker's temporary folder is refused before any order."""
    batch = house.write_batch("temporary/short.csv", ["a clip that would be lost"])
    house.command("reelbatch", "deploy", batch, "--name", "temporary", "--budget", "5", "--work-pool", house.pool)
    state = house.api.until_state(house.api.create_run("temporary", {"out": "clips"}))
    refused = state["type"] == "FAILED" and "temporary" in state["message"]
    promises.check("a temporary folder is refused", holds=refused, seen=state["message"][:200])
    promises.check("nothing was ordered", holds="a clip that would be lost" not in house.provider.prompts())


def shadow(house: House, promises: Promises) -> None:
    """A user's own `flows` in the worker's folder is named, with ours; elsewhere the same deployment works."""
    theirs = house.folder / "theirs" / "flows"
    theirs.mkdir(parents=True)
    (theirs / "__init__.py").write_text(STRANGER, "utf-8")
    job = f"job_variables={{'working_dir': '{theirs.parent}'}}"
    text = TO_DEPLOYMENT.format(name="shadowed", pool=house.pool, kind="MODULE_PATH").replace(".apply()", "")
    text = text.replace("campaign.to_deployment(", f"made = campaign.to_deployment({job}, name=").strip()
    text += "\nmade.entrypoint = 'reelbatch.campaign'\nmade.apply()\n"
    ended = house.command(sys.executable, script(house, "shadowing", text))
    promises.check("a deployment in a folder with a stranger's flows", holds=ended.code == 0, seen=ended.err[-300:])
    batch = house.write_batch("shadow/short.csv", ["a clip in the shadow"])
    given = {"batch": str(batch), "budget": 5}
    run = house.api.create_run("shadowed", given)
    state = house.api.until_state(run)
    said = state["message"] + "".join(house.api.logs(run))
    promises.check(
        "the file that shadows ours is named", holds=str(theirs / "__init__.py") in said, seen=state["message"]
    )
    found = house.api.deployment("shadowed")
    house.api.ask("PATCH", f"/deployments/{found['id']}", {"job_variables": {}})
    state = house.api.until_state(house.api.create_run("shadowed", given))
    promises.check("in a folder of its own ours is found", holds=state["name"] == "Completed", seen=state["message"])


def overrides(house: House, promises: Promises) -> None:
    """A run that overrides one parameter by REST takes all others from the deployment."""
    rows = [f"overridden {n}" for n in range(3)]
    batch, out = house.write_batch("rest/rest.csv", rows), house.folder / "rest" / "out"
    options = ["--rehearse", "--budget", "2", "--out", out, "--in-flight", "2", "--per-minute", "600", "--limit", "2"]
    more = ["--only", "job-*", "--speed", "5000", "--latency", "0.2", "--provider", "openai", "--work-pool", house.pool]
    ended = house.command("reelbatch", "deploy", batch, "--name", "rest", *options, *more)
    promises.check("a deployment with every parameter", holds=ended.code == 0, seen=ended.err.strip())
    own = house.api.deployment("rest")["parameters"]
    others = {"rehearse": True, "budget": 1.5, "provider": "qiniu", "in_flight": 1, "per_minute": 60, "limit": 1}
    others |= {"only": ["job-1"], "out": str(out.with_name("other")), "batch": str(batch)}
    for name, value in others.items():
        run = house.api.create_run("rest", {name: value}, state={"type": "CANCELLED"})
        given = house.api.run(run)["parameters"]
        promises.check(f"REST: only {name} changes", holds=given == {**own, name: value}, seen=given.get(name))
    state = house.api.until_state(house.api.create_run("rest", {"limit": 1}))
    promises.check("REST: limit alone stays rehearsed", holds="rehearsal" in state["message"], seen=state["message"])
    state = house.api.until_state(house.api.create_run("rest", {"advanced": {"occurrence": "2026-01-02"}}))
    made = [*out.glob("2026-01-02/rehearsal/videos/**/*.mp4")]
    promises.check("REST: `advanced` is merged", holds=len(made) == 2, seen=(state["message"], [p.name for p in made]))
    promises.check("REST: nothing was paid", holds=not set(rows) & set(house.provider.prompts()))


def form(house: House, promises: Promises) -> None:
    """The schema as the UI reads it back: titles, ranges, choices, the first five, and nothing secret."""
    schema = house.api.deployment("rest")["parameter_openapi_schema"]
    places = {name: each["position"] for name, each in schema["properties"].items()}
    first = sorted(places, key=places.__getitem__)[:5]
    promises.check("rehearse and budget among the first five", holds={"rehearse", "budget"} <= set(first), seen=first)
    titles = [each["title"] for each in schema["properties"].values()]
    promises.check("titles for people", holds="Jobs in flight" in titles, seen=titles)
    advanced = schema["definitions"]["AdvancedOptions"]["properties"]
    promises.check("faults is a select", holds="rough" in advanced["faults"]["enum"])
    promises.check("provider is a select", holds="qiniu" in schema["properties"]["provider"]["enum"])
    in_flight = schema["properties"]["in_flight"]["anyOf"][0]
    promises.check("ranges", holds=in_flight["minimum"] == 1, seen=in_flight)
    promises.check("no key in it", holds=KEY not in str(house.api.deployment("rest")))


WAYS = {
    each.__name__: each
    for each in (
        *(campaign_serve, serve_two, to_deployment, from_source, reelbatch_deploy, prefect_deploy),
        *(temporary_out, shadow, overrides, form),
    )
}


def known(house: House, name: str) -> bool:
    """Tell whether there is a deployment of that name."""
    try:
        return bool(house.api.deployment(name))
    except RuntimeError:
        return False


def main() -> None:
    """Every way, in one house."""
    promises = Promises()
    with open_house() as house:
        house.worker()
        house.start("reelbatch", "serve", PREFECT_WORKER_QUERY_SECONDS="2")
        for name in sys.argv[1:] or WAYS:
            print(f"--- {name}: {WAYS[name].__doc__}", flush=True)
            WAYS[name](house, promises)
    promises.leave()


if __name__ == "__main__":
    main()
