from __future__ import annotations

import pytest

NAMES = ["acedata", "openai", "qiniu"]


def test_all_of_them(cli):
    """`providers` shows each provider with what it takes and costs, for people and for machines."""
    for_people, for_machines = cli("providers"), cli("providers", "--json")
    assert (for_people.code, for_machines.code) == (0, 0)
    assert all(name in for_people.out for name in NAMES)
    assert sorted(profile["name"] for profile in for_machines.json) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_one_in_full(cli, name):
    """`providers NAME` shows its address, key, modes, prices with their date and source, and limits."""
    ended = cli("providers", name)
    assert ended.code == 0
    for word in (name, "address", f"{name.upper()}_API_KEY", "mode", "price", "as of", "limits"):
        assert word in ended.out
    assert [profile["name"] for profile in cli("providers", name, "--json").json] == [name]


def test_an_unknown_one(cli):
    """A provider that is not there is exit code 2, with those that are."""
    ended = cli("providers", "nobody")
    assert (ended.code, ended.out) == (2, "")
    assert all(name in ended.err for name in NAMES)
