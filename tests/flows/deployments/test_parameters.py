from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from flows.deployments.parameters import deployment_parameters, form
from pipelines.core.errors import SetupError
from pipelines.run.options import RunOptions


def test_only_what_was_chosen_is_written_down():
    """A deployment names its batch and what differs from the defaults, flat, the rest under `advanced`; a plain budget."""
    options = RunOptions(budget=Decimal("2.5"), only=("a", "b"), timezone="Europe/Berlin", fallback=("openai",))
    assert deployment_parameters("/batches/spring.csv", options) == {
        "batch": "/batches/spring.csv",
        "budget": 2.5,
        "only": ["a", "b"],
        "advanced": {"timezone": "Europe/Berlin", "fallback": ["openai"]},
    }


def test_the_password_of_a_ledger_is_never_a_parameter():
    """Prefect shows them; where the database is may be said there, and the rest stands in the environment."""
    with pytest.raises(SetupError, match=r"--ledger postgresql://db/reels, and set REELBATCH_LEDGER") as caught:
        deployment_parameters("/a.csv", RunOptions(ledger="postgresql://ann:s3cret@db/reels"))
    assert "s3cret" not in str(caught.value)
    bare = deployment_parameters("/a.csv", RunOptions(ledger="postgresql://db/reels"))
    assert bare["advanced"]["ledger"] == "postgresql://db/reels"


def test_paths_are_absolute(tmp_path, monkeypatch):
    """A worker runs elsewhere, so what is relative here is written down as it is meant here."""
    monkeypatch.chdir(tmp_path)
    options = RunOptions(out=Path("clips"), profiles=(Path("own.yaml"),))
    written = deployment_parameters("/b.csv", options)
    assert written["out"] == str(tmp_path / "clips")
    assert written["advanced"] == {"profiles": [str(tmp_path / "own.yaml")]}


def test_the_form_offers_providers_of_ones_own():
    """The choices are those of the batch's profiles, and none at all; a fault file of one's own can be chosen as well."""
    schema = form(["qiniu", "mine"], RunOptions(faults="my.yaml"))
    assert schema["properties"]["provider"]["enum"] == ["mine", "qiniu", None]
    faults = schema["definitions"]["AdvancedOptions"]["properties"]["faults"]["enum"]
    assert faults[0], faults[-1] == ("none", "my.yaml")


def test_the_form_is_for_people():
    """Titles, ranges, descriptions, rehearse and budget among the first five."""
    properties = form(["qiniu"], RunOptions())["properties"]
    first = sorted(properties, key=lambda name: properties[name]["position"])[:5]
    assert first == ["batch", "rehearse", "budget", "provider", "out"]
    assert [properties[name]["title"] for name in first] == ["Batch", "Rehearse", "Budget", "Provider", "Output folder"]
    assert properties["in_flight"]["anyOf"][0] == {"type": "integer", "minimum": 1, "maximum": 10_000}
    assert all(each["description"] for each in properties.values())


def test_a_bucket_is_named_by_its_address():
    """The working folder of this machine is none of a worker's."""
    assert deployment_parameters("/b.csv", RunOptions(out="s3://studio/clips"))["out"] == "s3://studio/clips"
