"""With which account each provider is spoken to: its address and key from the environment, else from where they are kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.batch import Batch
from pipelines.core.errors import KeyMissing, SetupError
from pipelines.core.events import ClipsOutOfReach
from pipelines.core.job import Job
from pipelines.net.addresses import Origin, base_refusal, is_own
from pipelines.net.proxies import ProxyRules
from pipelines.providers.profile.load import profile_named
from pipelines.providers.profile.model import Profile
from pipelines.run.options import TRUSTED_BY_ENVIRONMENT, RunOptions

REHEARSAL_KEY = "rehearsal"
_NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Account:
    """Address and key of one provider for one run."""

    profile: Profile
    base_url: str
    key: str = field(repr=False)
    trusted: bool  # the operator set the address, or chose a profile of a server of their own
    elsewhere: bool = False  # the operator set the address: what the vendor says of its own service does not hold
    name: str | None = None  # a fixed one, where address and key say nothing


def accounts_of(batch: Batch, options: RunOptions, kept: Mapping[str, str] = _NONE) -> list[Account]:
    """An account for each provider that a job of the batch goes to, or may turn to.

    Args:
        batch: whose jobs.
        options: of the run.
        kept: keys and addresses that count where the environment has no key, by the names they would have there.

    Raises:
        KeyMissing: a provider has none; the message names them all.
        SetupError: an address is none, a key cannot be one, or the proxy on the way is none.
    """
    accounts, missing = [], []
    for profile in profiles_of(batch).values():
        account = _account(profile, options, kept)
        if account is None:
            missing.append(profile)
        else:
            accounts.append(account)
    if missing:
        names = "; ".join(f"{p.name}: set {' or '.join(p.key_names)}" for p in missing)
        raise KeyMissing(f"No API key for {names}. Nothing was sent. Try it without a key by --rehearse.")
    return accounts


def profiles_of(batch: Batch) -> dict[str, Profile]:
    """The profile of each provider that an enabled job of the batch goes to, or may turn to."""
    names = {job.order.provider for job in batch.jobs if job.enabled}
    names.update(choice.order.provider for job in batch.jobs if job.enabled for choice in job.fallbacks)
    return {name: profile_named(name, batch.profiles) for name in sorted(names)}


def addresses_of(batch: Batch, kept: Mapping[str, str] = _NONE) -> dict[str, str]:
    """Where each provider is that a batch may know, as far as that is set; none of it needs a key."""
    found = {}
    for profile in batch.profiles.values():
        own_key = profile.key_from(os.environ) is not None or profile.base_url_set_by(os.environ)
        base_url, _ = profile.base_url_from(os.environ if own_key else kept)
        if base_refusal(base_url) is None:
            found[profile.name] = base_url
    return found


def accounts_to_collect(
    waiting: Sequence[Job],
    accounts: Iterable[Account],
    profiles: Mapping[str, Profile],
    options: RunOptions,
    kept: Mapping[str, str] = _NONE,
) -> tuple[list[Account], list[ClipsOutOfReach]]:
    """Further accounts: of providers that no job of the batch goes to any more, where paid jobs still wait.

    Args:
        waiting: every job that a provider has.
        accounts: those that the run has already.
        profiles: by name.
        options: of the run.
        kept: keys and addresses that count where the environment has no key.

    Returns:
        The accounts, and the jobs that cannot be brought home in this run with what to do about it.

    Raises:
        SetupError: an address is none, or a key cannot be one.
    """
    named = {account.profile.name for account in accounts}
    found, out_of_reach = [], []
    for name in sorted({job.order.provider for job in waiting} - named):
        profile = profiles.get(name)
        account = _account(profile, options, kept) if profile else None
        if account is not None:
            found.append(account)
            continue
        ids = tuple(job.id for job in waiting if job.order.provider == name)
        remedy = f"set {' or '.join(profile.key_names)}" if profile else "add its profile again"
        out_of_reach.append(ClipsOutOfReach(name, ids, remedy))
    return found, out_of_reach


def _account(profile: Profile, options: RunOptions, kept: Mapping[str, str]) -> Account | None:
    """Address and key of one provider, or None where its key is missing."""
    places: Mapping[str, str] = os.environ
    key = profile.auth.key_for(REHEARSAL_KEY) if options.rehearse else profile.key_from(os.environ)
    if key is None and (key := profile.key_from(kept)) is not None:
        # The address that goes with the key; one in the environment was set for this machine, and wins.
        places = os.environ if profile.base_url_set_by(os.environ) else kept
    base_url, was_set = profile.base_url_from(places)
    if key is None and profile.needs_key:
        return None
    if reason := key_refusal(key or ""):
        whose = next((name for name in profile.key_names if places.get(name, "").strip()), profile.key_names[0])
        raise SetupError(f"{whose} holds no key: {reason}. Set it again, and run the same command again.")
    if profile.auth.wants_pair and key and not all(key.partition(":")):
        parts = "USER:PASSWORD" if profile.auth.by == "basic" else "ACCESS:SECRET"
        raise SetupError(f"{profile.key_names[0]} has to hold two parts, {parts}. Set it again.")
    if reason := base_refusal(base_url):
        whose = profile.base_url_set_by(places) or f"base_url of {profile.name}"
        raise SetupError(f"{whose} is no address to send to: {reason}.")
    if not options.rehearse:
        ProxyRules.of(os.environ).proxy_of(base_url)
    return Account(profile, base_url, key or "", trusted=was_set or is_own(base_url), elsewhere=was_set)


def trusted_hosts(options: RunOptions) -> tuple[str, ...]:
    """The hosts that files may come from though they are private, as options and environment name them.

    Raises:
        SetupError: one that the environment names is none.
    """
    names = [name.strip() for name in os.environ.get(TRUSTED_BY_ENVIRONMENT, "").split(",") if name.strip()]
    try:
        for name in names:
            Origin.trusted(name)
    except ValueError:
        raise SetupError(f"{TRUSTED_BY_ENVIRONMENT} has something in it that is neither HOST nor HOST:PORT.") from None
    return (*options.trust_hosts, *names)


def key_refusal(key: str) -> str | None:
    """Say why a key cannot be sent, or None. It is not repeated, nor is a part of it."""
    if any(character.isspace() for character in key):
        return "it has a space or a line break in it, as if two had been pasted"
    if not (key.isascii() and key.isprintable()):
        return "it has characters in it that no key has, as if copied from a formatted page"
    return None
