from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.core.errors import SetupError
from pipelines.core.text.strict_yaml import parse_yaml
from pipelines.providers.profile.load import find_profiles, shipped_profiles
from pipelines.providers.profile.model import Profile
from pipelines.run.rehearsal import dialect_of, write_own_profiles
from pipelines.sandbox.http.server import SandboxAddress

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
LUMAFOX = find_profiles(beside=EXAMPLES / "lumafox.csv").profiles["lumafox"]


@pytest.mark.parametrize("profile", shipped_profiles().values(), ids=lambda profile: profile.name)
def test_every_shipped_provider_is_played_by_its_own_part(profile):
    """The sandbox has a place for each of them, and learns none from its profile."""
    family = "acedata" if profile.name.startswith("acedata") else profile.name
    assert dialect_of(profile) == family
    address = SandboxAddress("http://sandbox", 1).base_url(family)
    assert address == ("http://sandbox/acedata" if family == "acedata" else f"http://sandbox/{family}/v1")


def test_another_account_at_a_provider_is_played_by_it():
    """Who pays, how much and how fast is not what is spoken."""
    change = {"name": "studio", "key_env": ("STUDIO",), "prices": (), "limits": {"in_flight": 1}, "sandbox": None}
    for shipped in shipped_profiles().values():
        own = Profile.model_validate(shipped.model_dump() | change)
        assert dialect_of(own) == dialect_of(shipped)


def test_another_way_to_speak_is_learnt():
    """A profile that speaks like none of the shipped ones is played from its own words, unless it says who it is like."""
    assert dialect_of(LUMAFOX) is None
    assert dialect_of(LUMAFOX.model_copy(update={"sandbox": "qiniu"})) == "qiniu"


def test_what_is_learnt_is_written_down_whole(tmp_path):
    """The sandbox gets the profile without `extends`, as one file that is the same profile again; shipped ones, not at all."""
    (path,) = write_own_profiles([LUMAFOX, *shipped_profiles().values()], tmp_path)
    data = parse_yaml(path.read_text("utf-8")).value
    assert "extends" not in data
    assert Profile.model_validate(data) == LUMAFOX


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    """A file in the way is the operator's business."""
    (tmp_path / "sandbox-profiles").write_text("in the way", "utf-8")
    with pytest.raises(SetupError, match="sandbox-profiles"):
        write_own_profiles([LUMAFOX], tmp_path)
