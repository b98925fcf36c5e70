"""What a deployment's run adds: the occurrence of its tick, the deployment's own choices, a root that outlives it."""

from __future__ import annotations

import tempfile
import uuid
from contextlib import nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext

from flows.deployed_run import ROOT, chosen_here, occurrence_of_tick, refuse_temporary, refuse_uncapped, root_here
from pipelines.core.errors import SetupError
from pipelines.core.remote_folder import folder_named
from pipelines.run.options import AdvancedOptions, RunOptions
from tests.servers import HERE, prefect_at

TICK = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)


@pytest.fixture
def in_a_run():
    """A flow run, as the scheduler made it or a person."""

    def begun(*, by_schedule, moment=TICK):
        run = FlowRun(flow_id=uuid.uuid4(), auto_scheduled=by_schedule, expected_start_time=moment, run_count=2)
        return FlowRunContext.model_construct(flow_run=run)

    return begun


@pytest.fixture
def deployed(prefect_api, monkeypatch):
    """The choices in a run of a deployment with these parameters, which was given those; or in a subflow of it."""

    async def choose(own, given, *, below=False):
        with prefect_at(prefect_api):
            async with get_client() as client:
                flow_id = await client.create_flow_from_name(f"deployed-{uuid.uuid4()}")
                made = await client.create_deployment(flow_id, "here", parameters=own)
            parent = None if below else made
            run = FlowRun(flow_id=flow_id, deployment_id=parent, parameters=given)
            monkeypatch.setattr("prefect.runtime.deployment.id", str(made), raising=False)  # as Prefect finds it
            with FlowRunContext.model_construct(flow_run=run, client=None):
                flat = {"rehearse": given.get("rehearse", True), "budget": given.get("budget")}
                return await chosen_here(RunOptions.of(AdvancedOptions(**given.get("advanced", {})), **flat))

    return choose


def test_a_tick_is_an_occurrence_and_retry_keeps_it(in_a_run):
    """The start that was expected first counts, however often the run has begun; its day is that of the time zone."""
    with in_a_run(by_schedule=True):
        assert occurrence_of_tick({"timezone": "Europe/Berlin"}).variables["date"] == "2026-11-21"
        assert occurrence_of_tick(None).key == "2026-11-20T23-30-00Z"


def test_what_is_no_tick_has_no_occurrence(in_a_run):
    """Neither a run by hand nor `occurrences: once`; one that was named counts in any run, and outside of one."""
    named = {"occurrence": "2026-11-21"}
    with in_a_run(by_schedule=False):
        assert occurrence_of_tick({}) is None
        assert occurrence_of_tick(named).key == "2026-11-21"
    with in_a_run(by_schedule=True):
        assert occurrence_of_tick({"occurrences": "once"}) is None
        assert occurrence_of_tick(named).key == "2026-11-21"
    assert occurrence_of_tick(AdvancedOptions()) is None
    assert occurrence_of_tick(AdvancedOptions(**named)).key == "2026-11-21"


async def test_what_a_run_does_not_name_is_the_deployments(deployed):
    """A run that sets one advanced choice keeps the others of its deployment."""
    own = {"advanced": {"poll_every": 3.0, "timezone": "Europe/Berlin"}}
    chosen = await deployed(own, {"advanced": {"occurrence": "2026-11-21"}})
    assert (chosen.poll_every, chosen.timezone, chosen.occurrence) == (3.0, "Europe/Berlin", "2026-11-21")


async def test_a_subflow_has_its_callers_choices(deployed):
    """What is called inside a deployment's flow takes no parameters of that deployment."""
    chosen = await deployed({"advanced": {"poll_every": 3.0}}, {"advanced": {"timezone": "Asia/Tokyo"}}, below=True)
    assert (chosen.poll_every, chosen.timezone) == (None, "Asia/Tokyo")


@pytest.mark.parametrize(
    ("own", "given", "in_file", "refused"),
    [
        ({"rehearse": True}, {"rehearse": False}, None, True),
        ({"budget": 25}, {"rehearse": False}, None, True),  # its budget was taken away
        ({"rehearse": True, "budget": 25}, {"rehearse": False}, None, True),
        ({"rehearse": True}, {"rehearse": False, "budget": "5"}, None, False),
        ({"rehearse": True}, {"rehearse": False}, Decimal(5), False),
        ({"rehearse": True}, {"rehearse": True}, None, False),
        ({}, {"rehearse": False}, None, False),  # deployed with --yes
        ({"rehearse": False, "budget": None}, {"rehearse": False}, None, False),
    ],
)
async def test_a_run_pays_without_a_cap_only_where_its_deployment_does(deployed, own, given, in_file, refused):
    """Whoever deployed a rehearsal, or a cap, has not agreed to any amount; a cap of the run or the batch file is one."""
    batch = SimpleNamespace(budget=SimpleNamespace(max=in_file))
    chosen = await deployed(own, given)
    with pytest.raises(SetupError, match=r"without a cap.*Nothing was sent.*`budget`") if refused else nullcontext():
        refuse_uncapped(batch, chosen)


@pytest.fixture
def root(prefect_api, tmp_path, until):
    """The folder that the Variable names, as long as the test lasts."""
    body = {"name": ROOT, "value": str(tmp_path)}
    until(lambda: httpx.post(f"{prefect_api}/variables/", json=body, **HERE).is_success)  # it may be busy
    yield tmp_path
    until(lambda: httpx.delete(f"{prefect_api}/variables/name/{ROOT}", **HERE).status_code in (204, 404))


async def test_the_root_is_a_prefect_variable(deployed, prefect_api, root, monkeypatch, until):
    """Runs of deployments put what has no place of its own below it; a run that is none is left as it was asked for."""
    assert (await deployed({}, {})).root == root
    by_name, in_bucket = f"{prefect_api}/variables/name/{ROOT}", {"value": "s3://studio/clips"}
    until(lambda: httpx.patch(by_name, json=in_bucket, **HERE).is_success)
    assert (await deployed({}, {})).root == folder_named("s3://studio/clips")
    until(lambda: httpx.patch(by_name, json={"value": str(root)}, **HERE).is_success)
    monkeypatch.setattr("prefect.runtime.deployment.id", None, raising=False)
    with prefect_at(prefect_api):
        assert await root_here("spring") == root / "spring"
        assert await root_here(None) == root
        asked = RunOptions(rehearse=True)
        assert await chosen_here(asked) is asked


@pytest.mark.parametrize("name", ["tmp1x2y3zprefect", "runner_storage"])
def test_a_run_for_money_needs_a_folder_that_stays(monkeypatch, tmp_path, name):
    """What Prefect deletes after the run is refused before any order, with what to do; a rehearsal may go there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place = tmp_path / name / "project"
    batch = SimpleNamespace(path=place / "x.csv", name="x", output=SimpleNamespace(dir=None))
    with pytest.raises(SetupError, match=rf"temporary.*Nothing was sent.*{ROOT}"):
        refuse_temporary(batch, RunOptions())
    refuse_temporary(batch, RunOptions(rehearse=True))
    refuse_temporary(batch, RunOptions(root=tmp_path / "stays"))
    refuse_temporary(batch, RunOptions(out=Path("/srv/clips")))


@pytest.mark.parametrize(
    ("advanced", "instead"),
    [
        ({"ledger": "postgresql://me:hunter2@db.example/reels"}, "REELBATCH_LEDGER"),
        ({"ledger": "postgresql://db.example/reels?password=hunter2"}, "REELBATCH_LEDGER"),
        ({"callback_url": "https://me:hunter2@hooks.example.com/x"}, "a token of its own"),
    ],
    ids=["ledger", "query", "callbacks"],
)
async def test_a_password_in_the_form_is_refused(advanced, instead):
    """Prefect keeps parameters in clear: the message says so, what to do instead, and not the password."""
    with pytest.raises(SetupError, match="stores parameters in clear") as refused:
        await chosen_here(RunOptions.of(AdvancedOptions(**advanced)))
    assert instead in str(refused.value)
    assert "Change the password" in str(refused.value)
    assert "hunter2" not in str(refused.value)


async def test_a_password_of_a_deployment_is_refused(deployed):
    """It may come from the deployment itself, which somebody has edited."""
    with pytest.raises(SetupError, match="stores parameters in clear"):
        await deployed({"advanced": {"ledger": "postgresql://me:hunter2@db.example/reels"}}, {})


@pytest.mark.parametrize("ledger", ["postgresql://me@db.example/reels?sslmode=require", "ledgers/a.sqlite3"])
async def test_a_ledger_without_a_password_may_be_named_there(ledger):
    """A user's name is no secret; the password comes from the environment."""
    assert (await chosen_here(RunOptions.of(AdvancedOptions(ledger=ledger)))).ledger == ledger


def test_a_bucket_stays_wherever_it_is_worked_on(monkeypatch, tmp_path):
    """Its working folder may lie where Prefect deletes it: what matters is in the bucket, and in the database."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place = tmp_path / "tmp1x2y3zprefect"
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    batch = SimpleNamespace(path=place / "x.csv", name="x", output=SimpleNamespace(dir=None))
    refuse_temporary(batch, RunOptions(root=folder_named("s3://studio")))
