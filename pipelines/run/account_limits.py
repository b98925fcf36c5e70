"""The limits of an account that its runs share: whose they are, what they are called, and how they are created."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pipelines.batch import Batch
from pipelines.net.addresses import Origin
from pipelines.pacing.shared_rate import block_of
from pipelines.providers.client import account_of
from pipelines.run.accounts import Account, accounts_of
from pipelines.run.options import RunOptions
from pipelines.run.provider_session import Pace


@dataclass(frozen=True, slots=True)
class AccountLimit:
    """A limit as it is created: so many jobs at once; or, with a decay, submissions a second, so many in a row."""

    name: str
    most: int
    per_second: float = 0.0


def paying_together(accounts: Iterable[Account]) -> list[list[Account]]:
    """Group what one account pays for: providers that share their limits at one address with one key."""
    groups: dict[object, list[Account]] = defaultdict(list)
    for account in accounts:
        shared = account.profile.limits.shared
        groups[(shared, Origin.of(account.base_url), account.key) if shared else account.profile.name].append(account)
    return list(groups.values())


def pace_of(batch: Batch, options: RunOptions, account: Account) -> Pace:
    """Choose how fast: the command line wins over the batch file, which wins over the profile."""
    limits = batch.limits
    per_minute = options.per_minute or limits.per_minute
    return Pace(
        in_flight=options.in_flight or limits.in_flight,
        per_minute=float(per_minute) if per_minute else None,
        poll_every_s=options.poll_every or (float(limits.poll_every) if limits.poll_every else None),
        time_scale=options.speed if options.rehearse else 1.0,
        patience_s=options.wait_for_provider,
        vendor_links=options.rehearse or not account.elsewhere,
        vendor_limits=options.rehearse or not account.trusted,
    )


def in_flight_limit(group: list[Account], pace: Pace) -> AccountLimit:
    """The limit of what one account has at its provider at once.

    A run that is told to have less keeps to that by itself: the account's limit outlives it, and is not made for it.
    """
    most = max(pace.in_flight or 0, min(account.profile.limits.in_flight for account in group))
    return AccountLimit(_name(group[0], group[0].profile.limits.shared, "in-flight"), most)


def submit_limit(account: Account, pace: Pace) -> AccountLimit:
    """The limit of submissions to one provider. A provider without one has a decay of zero, and none is created."""
    limits, of_vendor = account.profile.limits, replace(pace, per_minute=None)
    paces = [each for each in (pace, of_vendor) if each.limits_submissions]
    per_second = max((each.submissions_per_second(limits) for each in paces), default=0.0)
    return AccountLimit(_name(account, None, "submit"), block_of(per_second), per_second)


def limits_of(batch: Batch, options: RunOptions) -> tuple[AccountLimit, ...]:
    """Every limit that the runs of a batch share with others of the same accounts.

    Raises:
        SetupError: a key is missing or none, or an address is none.
    """
    found = []
    for group in paying_together(accounts_of(batch, options)):
        paces = [pace_of(batch, options, account) for account in group]
        found.append(in_flight_limit(group, paces[0]))
        each = (submit_limit(account, pace) for account, pace in zip(group, paces, strict=True))
        found += [limit for limit in each if limit.per_second]
    return tuple(found)


def _name(account: Account, shared: str | None, what: str) -> str:
    """`reelbatch-acedata-1f3a9c-in-flight`: the provider, and a fingerprint of address and key that gives neither away."""
    fingerprint = account_of(account.base_url, account.key)[8:14]
    return f"reelbatch-{shared or account.profile.name}-{fingerprint}-{what}"
