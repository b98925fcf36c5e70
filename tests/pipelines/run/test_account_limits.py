from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.providers.profile.load import profile_named
from pipelines.run.account_limits import in_flight_limit, paying_together, submit_limit
from pipelines.run.accounts import Account
from pipelines.run.provider_session import Pace

KEY = "sk-a-secret-key"


def _account(name="acedata", base_url="https://api.acedata.cloud", key=KEY, **more):
    return Account(profile_named(name), base_url, key, **{"trusted": False} | more)


def test_the_name_tells_the_account_and_not_its_key():
    """The provider, and a fingerprint by which two keys, or two addresses, of one provider differ."""
    one, again = _account(), _account()
    others = [_account(key="sk-another"), _account(base_url="https://gateway.example")]
    names = [in_flight_limit([each], Pace()).name for each in (one, again, *others)]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert all(name.startswith("reelbatch-acedata-") and name.endswith("-in-flight") for name in names)
    assert not any(KEY in name for name in names)


def test_services_that_are_paid_together_share_what_is_in_flight_and_not_the_rate():
    """Ace's services count together; each takes submissions at its own rate."""
    group = [_account("acedata"), _account("acedata-veo")]
    assert [len(each) for each in paying_together([*group, _account("qiniu")])] == [2, 1]
    assert [len(each) for each in paying_together([group[0], replace(group[1], key="another")])] == [1, 1]
    assert in_flight_limit(group, Pace()).name == in_flight_limit(group[::-1], Pace()).name
    assert submit_limit(group[0], Pace()).name != submit_limit(group[1], Pace()).name


@pytest.mark.parametrize(("pace", "most"), [({}, 5), ({"in_flight": 12}, 12), ({"in_flight": 1}, 5)])
def test_so_many_at_once_as_the_run_or_the_profile_says(pace, most):
    """The vendor's number, or that of a run that asks for more; one that asks for less keeps to that by itself."""
    assert in_flight_limit([_account()], Pace(**pace)).most == most


@pytest.mark.parametrize(
    ("pace", "most", "per_second"),
    [
        ({}, 5, 0.5),
        ({"per_minute": 90.0}, 10, 1.5),
        ({"per_minute": 600.0}, 40, 10.0),
        ({"per_minute": 2.5}, 5, 0.5),
        ({"vendor_limits": False, "per_minute": 0.5}, 1, 0.5 / 60),
        ({"vendor_limits": False}, 1, 0.0),
        ({"vendor_limits": False, "per_minute": 60.0}, 10, 1.0),
    ],
)
def test_the_decay_of_a_limit_of_submissions_is_its_rate(pace, most, per_second):
    """So many a second, and in a row ten, or four seconds' worth, and never more than ten seconds' worth; a server of one's own has none, unless the run says so."""
    limit = submit_limit(_account(), Pace(**pace))
    assert (limit.most, limit.per_second) == (most, pytest.approx(per_second))
