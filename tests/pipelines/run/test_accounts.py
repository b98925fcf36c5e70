from __future__ import annotations

import os

import pytest

from pipelines.batch import read_batch
from pipelines.core.errors import KeyMissing, SetupError
from pipelines.providers.profile.load import known_profiles, shipped_profiles
from pipelines.run.accounts import accounts_of
from pipelines.run.options import RunOptions


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch):
    """No test learns from the keys and addresses of whoever runs it."""
    for profile in shipped_profiles().values():
        for name in (*profile.key_names, *profile.base_url_names):
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def account_at(tmp_path):
    """The account of a batch that goes to one provider."""

    def account(provider, **options):
        path = tmp_path / "batch.csv"
        path.write_text("prompt\na cat\n", "utf-8")
        [found] = accounts_of(read_batch(path, provider=provider), RunOptions(**options))
        return found

    return account


@pytest.mark.parametrize(
    ("provider", "base_url"), [("vllm-omni", "http://localhost:8000/v1"), ("sglang", "http://localhost:30000/v1")]
)
def test_a_server_of_ones_own_is_trusted_and_needs_no_key(account_at, provider, base_url):
    """Who chose the profile chose its address: files may come from it though it is private, and no key is asked for."""
    account = account_at(provider)
    assert (account.base_url, account.key, account.trusted) == (base_url, "", True)


def test_a_gateway_of_ones_own_is_trusted_and_needs_its_key(account_at, monkeypatch):
    """A gateway has accounts of its own."""
    with pytest.raises(KeyMissing, match="LITELLM_API_KEY"):
        account_at("litellm")
    monkeypatch.setenv("LITELLM_API_KEY", "k")
    assert (account_at("litellm").key, account_at("litellm").trusted) == ("k", True)


def test_a_vendors_address_is_trusted_only_if_the_operator_set_it(account_at, monkeypatch):
    """What a vendor's links lead to is not trusted because the profile names the vendor."""
    monkeypatch.setenv("QINIU_API_KEY", "k")
    assert account_at("qiniu").trusted is False
    monkeypatch.setenv("QINIU_BASE_URL", "https://gateway.example/v1")
    assert (account_at("qiniu").base_url, account_at("qiniu").trusted) == ("https://gateway.example/v1", True)


def test_sister_services_share_the_key_and_may_have_their_own(account_at, monkeypatch):
    """The service's own variable wins over that of the vendor, and that over the vendor's own name for it."""
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", "vendor")
    assert account_at("acedata-veo").key == "vendor"
    monkeypatch.setenv("ACEDATA_API_KEY", "all")
    monkeypatch.setenv("ACEDATA_VEO_API_KEY", "veo")
    assert (account_at("acedata-veo").key, account_at("acedata-kling").key) == ("veo", "all")


@pytest.mark.parametrize(
    "address",
    [
        "localhost",
        "http://a b/v1",
        "http://[::1",
        "http://user:secret@x/v1",
        "http://x/v1?api-version=secret",
        "http://x/v1#secret",
        "http://x:99999/v1",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(account_at, monkeypatch, address):
    """The message names the variable, and never what somebody may have pasted into it."""
    monkeypatch.setenv("QINIU_API_KEY", "k")
    monkeypatch.setenv("QINIU_BASE_URL", address)
    with pytest.raises(SetupError, match="QINIU_BASE_URL") as refused:
        account_at("qiniu")
    assert address not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_the_variable_that_is_to_blame_is_named(account_at, monkeypatch):
    """Where several may hold an address, the message names the one that does."""
    monkeypatch.setenv("ACEDATA_API_KEY", "k")
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", "http://x/v1?a=b")
    with pytest.raises(SetupError, match=r"^ACEDATACLOUD_API_BASE_URL is no address") as refused:
        account_at("acedata-veo")
    assert "ACEDATA_VEO_BASE_URL" not in str(refused.value)


@pytest.mark.parametrize(
    "key",
    ["sk-old\nsk-CANARY", "sk-old sk-CANARY", "\ufeffsk-CANARY", "sk-CANARY\x7f", "sk-CANARYé", "sk-\u2013CANARY"],
)
def test_k04_what_cannot_be_sent_as_a_key_is_refused_without_repeating_it(account_at, monkeypatch, key):
    """Two keys in one variable, or one with a typographer's dash, would only be found out at the first byte of an order."""
    monkeypatch.setenv("ACEDATA_API_KEY", "  ")
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", key)
    with pytest.raises(SetupError, match="ACEDATACLOUD_API_TOKEN") as refused:
        account_at("acedata")
    assert "CANARY" not in str(refused.value)
    assert "sk-" not in str(refused.value)


def test_the_ends_of_a_key_do_not_count(account_at, monkeypatch):
    """A file that a key was read from may end with a line break."""
    monkeypatch.setenv("QINIU_API_KEY", " sk-0~!\r\n")
    assert account_at("qiniu").key == "sk-0~!"


def test_a_rehearsal_needs_no_key(account_at):
    """Nothing is sent to a vendor, so nothing is asked for."""
    assert account_at("openai", rehearse=True).key not in os.environ.values()


def test_a_key_that_is_kept_elsewhere_counts_where_the_environment_has_none(tmp_path, monkeypatch):
    """The environment comes first, as a whole; a kept key comes with its own address, unless the environment sets one."""
    path = tmp_path / "batch.csv"
    path.write_text("prompt\na cat\n", "utf-8")
    batch = read_batch(path, provider="acedata")
    kept = {"ACEDATA_API_KEY": "kept", "ACEDATA_BASE_URL": "https://kept.example"}

    def found():
        [account] = accounts_of(batch, RunOptions(), kept)
        return account.key, account.base_url

    assert found() == ("kept", "https://kept.example")
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", "https://set.example")
    assert found() == ("kept", "https://set.example")
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", "own")
    assert found() == ("own", "https://set.example")


@pytest.mark.parametrize("key", ["access", ":secret", "access:"])
def test_a_key_of_two_parts_has_both(tmp_path, monkeypatch, key):
    """Where a token is signed with the second half of a key, one half alone is refused before anything is sent."""
    (tmp_path / "reelbatch.providers").mkdir()
    own = "name: own\nextends: openai\ntitle: Own\nbase_url: http://localhost:8000/v1\nauth: {by: jwt}\n"
    (tmp_path / "reelbatch.providers" / "own.yaml").write_text(own)
    path = tmp_path / "batch.csv"
    path.write_text("prompt,provider\na cat,own\n")
    batch = read_batch(path, profiles=known_profiles(beside=path))
    monkeypatch.setenv("OWN_API_KEY", key)
    with pytest.raises(SetupError, match="two parts, ACCESS:SECRET"):
        accounts_of(batch, RunOptions())
    monkeypatch.setenv("OWN_API_KEY", "access:secret")
    assert accounts_of(batch, RunOptions())[0].key == "access:secret"
