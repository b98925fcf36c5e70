from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from pipelines.addresses import Origin
from pipelines.errors import SetupError
from pipelines.providers.client import CONTRACTS
from pipelines.providers.profile import Profile, profile_named, shipped_profiles

NAMES = sorted(shipped_profiles())


def test_three_providers_are_shipped():
    """What the documents name is there."""
    assert NAMES == ["acedata", "openai", "qiniu"]


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_agrees_with_itself(name):
    """Defaults are allowed values, prices and limits make sense, every model of a mode has a price."""
    profile = profile_named(name)
    assert (profile.name, profile.contract in CONTRACTS) == (name, True)
    assert Origin.of(profile.base_url).scheme == "https"
    assert not profile.base_url.endswith("/")
    assert f"{name.upper()}_API_KEY" in profile.key_env
    assert f"{name.upper()}_BASE_URL" in profile.base_url_env
    for mode in profile.modes:
        assert mode.seconds.default in mode.seconds.allowed
        assert mode.size.default in mode.size.allowed
        assert profile.mode(mode.name) is mode
        assert {price.model for price in profile.prices} >= set(mode.models)
    for price in profile.prices:
        assert price.amount > 0
        assert price.as_of <= datetime.now(UTC).date()
    assert profile.limits.in_flight > 0
    assert all(seconds > 0 for seconds in profile.timing.typical.values())


def test_prices_go_from_the_special_to_the_general(order_of):
    """The first row that fits is the price, so the larger pictures of the larger model cost more."""
    profile = profile_named("openai")
    pro = {"model": "sora-2-pro"}
    assert str(profile.price_of(order_of("openai", size="1024x1792", **pro)).amount) == "0.50"
    assert str(profile.price_of(order_of("openai", **pro)).amount) == "0.30"
    assert profile.price_of(order_of("openai", model="another")) is None


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        ({}, None),
        ({"ACEDATA_API_KEY": ""}, None),
        ({"ACEDATA_API_KEY": " \n", "ACEDATACLOUD_API_TOKEN": " b\n"}, "b"),
        ({"ACEDATA_API_KEY": "a", "ACEDATACLOUD_API_TOKEN": "b"}, "a"),
    ],
)
def test_the_key_comes_from_the_first_name_that_is_set(environment, key):
    """Our name goes before the vendor's own; blanks are no key, and a line break at its end is not part of it."""
    assert profile_named("acedata").key_from(environment) == key


def test_the_operator_may_set_the_address():
    """An address from the environment is trusted, and loses its trailing slash."""
    profile = profile_named("openai")
    assert profile.base_url_from({}) == ("https://api.openai.com/v1", False)
    assert profile.base_url_from({"OPENAI_BASE_URL": " http://localhost:8000/v1/ "}) == (
        "http://localhost:8000/v1",
        True,
    )


def test_an_unknown_provider_is_said_with_those_that_exist():
    """The message lists what may be chosen."""
    with pytest.raises(SetupError, match=r"'sora'.*acedata, openai, qiniu"):
        profile_named("sora")


def test_an_unknown_mode_is_a_bug():
    """Orders are made by the planner, so a mode that does not exist is our own mistake."""
    with pytest.raises(KeyError):
        profile_named("qiniu").mode("v9")


def test_a_misspelt_field_is_refused():
    """A profile with a field that nobody reads would be silently wrong."""
    data = profile_named("qiniu").model_dump() | {"bils_failures": "no"}
    with pytest.raises(ValidationError, match="bils_failures"):
        Profile.model_validate(data)
