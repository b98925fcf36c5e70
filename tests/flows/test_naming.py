"""The names under which Prefect shows a run."""

from __future__ import annotations

import uuid

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext

from flows.naming import is_made_up, run_name


@pytest.fixture
def named(monkeypatch):
    """The name that a flow run of these parameters gets."""

    def name(given, parameters):
        run = FlowRun(flow_id=uuid.uuid4(), name=given, parameters=parameters)
        with FlowRunContext.model_construct(flow_run=run, parameters=parameters):
            return run_name()

    return name


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"batch": "batches/spring.csv"}, "spring"),
        ({"batch": "spring.csv", "rehearse": True}, "spring (rehearsal)"),
        ({"batch": "spring.csv", "advanced": {"occurrence": "2026-11-21"}}, "spring 2026-11-21"),
        (
            {"batch": "s3://studio/spring.yaml", "advanced": {"occurrence": "2026-11-21T02:00"}, "rehearse": True},
            "spring 2026-11-21 02:00 (rehearsal)",
        ),
    ],
)
def test_a_run_is_named_by_campaign_and_occurrence(named, parameters, name):
    """A rehearsal says that it is one."""
    assert named("brave-otter", parameters) == name


@pytest.mark.parametrize(
    "advanced", [{"occurrence": "x y/../z"}, {"timezone": "Nowhere/Land", "occurrence": "2026-11-21"}]
)
def test_a_name_never_fails(named, advanced):
    """What cannot be read is said by the run itself, which an error in its name would end as Crashed without a reason."""
    assert named("brave-otter", {"batch": "spring.csv", "advanced": advanced, "rehearse": True}) == "spring (rehearsal)"
    assert named("brave-otter", {"batch": "https://[spring.csv"}) == "campaign"


def test_the_text_of_a_batch_is_no_name(named):
    """A prompt is not shown in the list of runs."""
    assert named("brave-otter", {"batch": "id,prompt\n1,a secret boat\n"}).startswith("batch-")


def test_a_name_that_a_person_typed_stays(named):
    """Whatever the batch is called."""
    assert named("Monday's run", {"batch": "spring.csv"}) == "Monday's run"


def test_names_that_prefect_makes_up_are_known():
    """They are of two of its words; a person's own two words are not."""
    from prefect.utilities.names import generate_slug  # noqa: PLC0415 - as Prefect makes them

    assert all(is_made_up(generate_slug(2)) for _ in range(50))
    assert all(map(is_made_up, ["epsilon929-eriador", "chi4-ursae-majoris", "tau31-babel-rift"]))  # in its UI's form
    assert not is_made_up("spring-launch")
    assert not is_made_up("beta-test")
    assert not is_made_up("brave")
