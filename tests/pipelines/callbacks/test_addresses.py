from __future__ import annotations

import stat
import uuid

import pytest

from pipelines.callbacks.addresses import CallbackKeys, check_public_url, keys_for
from pipelines.core.errors import SetupError
from pipelines.ledger.storage.callback_keys import KEYS_NAME, ledger_called, register_campaign, stored_keys
from pipelines.ledger.storage.place import FileLedger, place_named

OLD, NEW, OTHER = ("k" * 32, "n" * 32, "o" * 32)


def target(keys, subject, ledger="0123456789abcdef"):
    return keys.url("https://h", ledger, subject).removeprefix("https://h")


def test_c18_two_keys_live_at_a_time():
    """What the newest key makes and what the one before it has made opens; what a third has made does not."""
    attempt = str(uuid.uuid4())
    made = target(CallbackKeys.of((OLD,)), attempt)
    rotated = CallbackKeys.of((NEW, OLD))
    assert rotated.opens(made).attempt_id == attempt
    assert rotated.opens("/hooks" + target(rotated, attempt)).attempt_id == attempt
    assert CallbackKeys.of((OTHER, NEW)).opens(made) is None
    assert rotated.opens(target(rotated, "openai", "signed")).attempt_id is None


def test_c05_a_token_opens_its_own_address_only():
    """One character, another attempt, another ledger, a query or a longer path: nothing of it opens."""
    keys, attempt = CallbackKeys.of((OLD,)), str(uuid.uuid4())
    good = target(keys, attempt)
    token = good.rpartition("/")[2]
    for wrong in (
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        target(keys, str(uuid.uuid4())).rpartition("/")[0] + "/" + token,
        target(keys, attempt, "fedcba9876543210").rpartition("/")[0] + "/" + token,
        f"{good}?",
        f"{good}/",
        f"{good}\n",
        good.replace("/cb/v1/", "/cb/v2/"),
        "",
    ):
        assert keys.opens(wrong) is None
    assert OLD not in repr(keys)


def test_keys_are_kept_with_the_ledger_or_given(tmp_path):
    """Beside a file, for its owner's eyes, made once; the environment wins; short ones, and three, are refused."""
    place = FileLedger(tmp_path / "ledger.sqlite3", tmp_path)
    assert stored_keys(place) == stored_keys(place)
    assert stat.S_IMODE((tmp_path / KEYS_NAME).stat().st_mode) == 0o600
    [first] = stored_keys(place)
    second, before = stored_keys(place, rotate=True)
    assert (before, second != first) == (first, True)
    assert stored_keys(place, rotate=True)[1] == second
    assert keys_for(place, {"REELBATCH_CALLBACK_KEYS": f"{NEW}, {OLD}"}) == CallbackKeys.of((NEW, OLD))
    for wrong in ("short", f"{NEW},{OLD},{OTHER}"):
        with pytest.raises(SetupError, match="one or two keys"):
            keys_for(place, {"REELBATCH_CALLBACK_KEYS": wrong})
    with pytest.raises(SetupError, match="name its --ledger"):
        keys_for(None, {})


def test_keys_of_a_database_are_those_of_all_its_campaigns(own_database, tmp_path):
    """A receiver that knows no campaign has the same keys as each, and finds each by the name of its ledger."""
    spring, receiver = (place_named(own_database, tmp_path, name) for name in ("spring", "callbacks"))
    assert stored_keys(spring) == stored_keys(receiver)
    assert len(stored_keys(spring, rotate=True)) == 2
    assert stored_keys(receiver) == stored_keys(spring)
    assert ledger_called(receiver, "0123456789abcdef") is None
    register_campaign(spring, "0123456789abcdef")
    register_campaign(spring, "0123456789abcdef")
    assert ledger_called(receiver, "0123456789abcdef") == spring


@pytest.mark.parametrize("url", ["ftp://h", "h/x", "https://", "https://[h", "https://h/?a=1", "https://h/#a"])
def test_an_address_that_is_none_is_refused_without_repeating_it(url):
    """It may have a secret in it."""
    with pytest.raises(SetupError, match="--callback-url") as raised:
        check_public_url(url)
    assert url not in str(raised.value).replace("https://host", "")
