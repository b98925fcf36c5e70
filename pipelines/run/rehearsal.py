"""A rehearsal: every provider is played by a sandbox, which learns the user's own from their profiles.

Nothing of a run that is paid for imports this module.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import get_args

from pydantic import ValidationError
from yaml import YAMLError

from pipelines.core.errors import SetupError
from pipelines.ledger.ledger import SANDBOX_BILL
from pipelines.outputs.storage.whole_file import whole_file
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.profile.model import Profile, SandboxDialect
from pipelines.run.accounts import REHEARSAL_KEY, Account
from pipelines.run.options import RunOptions
from pipelines.sandbox.faults.scripts import rules_named
from pipelines.sandbox.options import SandboxOptions
from pipelines.sandbox.process import running_sandbox

#: What two profiles may differ in and still be played alike: who pays, how much, how fast, and what is said of them.
_NOT_SPOKEN = frozenset(
    {
        "name",
        "title",
        "key_env",
        "base_url",
        "base_url_env",
        "needs_key",
        "prices",
        "timing",
        "limits",
        "bills_failures",
        "failure_bills",
        "answer_within_s",
        "on_server_error",
        "from_documents",
        "retired_on",
        "retired_models",
        "sandbox",
        "notes",
        "wants_https",
        "not_offered",
        "trust_hosts",
    }
)


def dialect_of(profile: Profile) -> str | None:
    """The sandbox's dialect that plays a provider; None where it must learn the provider from its profile.

    A shipped profile whose name is that of no dialect is learnt too.
    """
    if profile.sandbox is not None:
        return profile.sandbox
    spoken = [name for name in Profile.model_fields if name not in _NOT_SPOKEN]
    alike = (
        shipped
        for shipped in shipped_profiles().values()
        if all(getattr(profile, name) == getattr(shipped, name) for name in spoken)
    )
    found = next((one.sandbox or one.name for one in alike), None)
    return found if found in get_args(SandboxDialect) else None


def write_own_profiles(profiles: Iterable[Profile], folder: Path) -> tuple[Path, ...]:
    """Write down those that the sandbox must learn, whole, whatever they build upon; their files.

    Raises:
        SetupError: a file cannot be written.
    """
    written = []
    for profile in profiles:
        if dialect_of(profile) is None:
            path = folder / "sandbox-profiles" / f"{profile.name}.yaml"
            try:
                with whole_file(path) as temporary:
                    text = json.dumps(profile.model_dump(mode="json"), ensure_ascii=False, indent=1)
                    temporary.write_text(text, "utf-8")
            except OSError as error:
                raise SetupError(f"{path} cannot be written ({error.strerror}).") from None
            written.append(path)
    return tuple(written)


async def rehearsed(
    stack: AsyncExitStack, accounts: Iterable[Account], folder: Path, options: RunOptions
) -> list[Account]:
    """The same accounts, pointed at a sandbox of this run. Its bill outlives it, so that a rehearsal resumes too.

    Raises:
        SetupError: the sandbox would not take an option, or did not start.
    """
    own = write_own_profiles((account.profile for account in accounts), folder)
    sandbox = await stack.enter_async_context(running_sandbox(sandbox_options(folder, options, own)))
    addresses = {a.profile.name: sandbox.base_url(dialect_of(a.profile) or a.profile.name) for a in accounts}
    return [
        replace(
            a,
            base_url=addresses[a.profile.name],
            key=a.profile.auth.key_for(REHEARSAL_KEY),
            trusted=True,
            name="rehearsal",
        )
        for a in accounts
    ]


def sandbox_options(folder: Path, options: RunOptions, own_profiles: tuple[Path, ...] = ()) -> SandboxOptions:
    """What the sandbox of a rehearsal is told, the profiles of servers that it must learn to play among it.

    Raises:
        SetupError: it would not take an option; the message names it.
    """
    try:
        rules_named(options.faults)
    except (ValueError, OSError, YAMLError) as error:
        raise SetupError(f"--faults {options.faults}: {error}") from None
    try:
        return SandboxOptions(
            bill=folder / SANDBOX_BILL,
            speed=options.speed,
            latency=options.latency,
            faults=options.faults,
            profile=own_profiles,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise SetupError(f"--{first['loc'][0]} {first['input']}: {first['msg']}.") from None
