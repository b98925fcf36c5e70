"""Whether this machine is ready to run campaigns: pins, Prefect's server, ports, disk, keys, clock, SQLite."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipelines.core.errors import ProxyUnusable, TransportError
from pipelines.ledger.storage.sqlite import journal_mode
from pipelines.net.addresses import Origin, without_userinfo
from pipelines.net.http import Http
from pipelines.net.proxies import ProxyRules, proxies_in_words
from pipelines.providers.profile.model import Profile
from pipelines.run.accounts import key_refusal

_LEAST_FREE_BYTES = 2 << 30
_BUILT = datetime(2026, 11, 1, tzinfo=UTC)
_MOST_SKEW_S = 60.0
#: Below the first, from the second on, Prefect 3.8.8's server or scheduler does not work (measured).
_PINS = {"prefect": ((3, 8, 8), (4,)), "fastapi": ((0, 139), (0, 151)), "sqlalchemy": ((2, 0), (2, 1))}


class Health(StrEnum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"  #: worth knowing, and nothing to do unless you want to
    BAD = "bad"  #: a run would fail


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """One check."""

    name: str
    health: Health
    words: str


async def examine(
    folder: Path, profiles: list[Profile], environment: Mapping[str, str], *, live: bool, ports: range
) -> list[DoctorFinding]:
    """Every check, none of which costs money.

    Args:
        folder: where outputs would go.
        profiles: whose keys and addresses are looked at.
        environment: where keys and addresses are set.
        live: also ask the providers whose key is set whether they answer, and what time it is there.
        ports: where Prefect's own server of a run looks for a free one.
    """
    found = [
        check_python(),
        *check_pins(),
        await check_prefect_server(environment),
        check_ports(environment, ports),
        *check_disk(folder),
        *check_names(Path.cwd()),
        check_sqlite(),
        check_clock(),
        *check_proxies(environment),
    ]
    found += [check_key(profile, environment) for profile in profiles]
    if live:
        found += [await check_live(profile, environment) for profile in profiles if profile.key_from(environment)]
    return found


def check_python() -> DoctorFinding:
    """Say which Python it is; make has looked at its version."""
    return DoctorFinding("Python", Health.OK, sys.version.split()[0])


def check_pins() -> Iterator[DoctorFinding]:
    """Compare the installed packages with the versions that Prefect works with."""
    for name, (least, below) in _PINS.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            yield DoctorFinding(name, Health.BAD, "not installed; install with constraints.txt")
            continue
        numbers = tuple(int(part) for part in found.split(".")[:3] if part.isdigit())
        fits = least <= numbers < below
        wish = f"needs at least {'.'.join(map(str, least))} and below {'.'.join(map(str, below))}"
        yield DoctorFinding(name, Health.OK if fits else Health.BAD, found if fits else f"{found}; {wish}")


async def check_prefect_server(environment: Mapping[str, str]) -> DoctorFinding:
    """Prefect's server imports with the packages that are installed; a mismatch shows only there."""
    name = "Prefect server"
    if url := environment.get("PREFECT_API_URL"):
        return await check_prefect_ui(name, url)
    command = (sys.executable, "-c", "import prefect.server.api.server")
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, talk = await process.communicate()
    if process.returncode == 0:
        return DoctorFinding(name, Health.OK, "none is set; each run brings its own (its UI: `prefect server start`)")
    last = talk.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no reason given"]
    return DoctorFinding(name, Health.BAD, f"does not import: {last[0]}")


async def check_prefect_ui(name: str, url: str) -> DoctorFinding:
    """Ask a server of the operator's own where its UI looks for it: with another port, by default still at 4200."""
    origin, shown = Origin.of(url), without_userinfo(url)
    address = url.rstrip("/").removesuffix("/api")
    try:
        async with Http() as http:
            answer = await http.ask("GET", f"{address}/ui-settings", headers={}, deadline_s=5)
        asked = json.loads(answer.body).get("api_url") or ""
    except TransportError:
        words = f"nobody answers at {shown}; start it with `prefect server start`, or unset PREFECT_API_URL"
        return DoctorFinding(name, Health.BAD, words)
    except (ValueError, AttributeError):  # no UI, or not one that can be asked
        return DoctorFinding(name, Health.OK, f"yours at {shown}; every run goes there")
    if asked.startswith("http") and Origin.of(asked).port != origin.port:
        words = f"yours at {shown}, but its UI asks {without_userinfo(asked)}: start it with PREFECT_UI_API_URL={shown}"
        return DoctorFinding(name, Health.NOTE, words)
    return DoctorFinding(name, Health.OK, f"yours at {shown}; every run goes there")


def check_ports(environment: Mapping[str, str], ports: range) -> DoctorFinding:
    """Look for a port for Prefect's server, where a run brings its own."""
    if environment.get("PREFECT_API_URL"):
        return DoctorFinding("ports", Health.OK, "not needed, a Prefect server is set")
    free = next((port for port in ports if _is_free(port)), None)
    if free is None:
        return DoctorFinding(
            "ports", Health.BAD, f"no port from {ports[0]} to {ports[-1]} is free for Prefect's server"
        )
    return DoctorFinding("ports", Health.OK, f"{free} is free for Prefect's server")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def check_disk(folder: Path) -> Iterator[DoctorFinding]:
    """Look at the space, and at the right to write, where outputs would go."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    words = f"{free / 2**30:.1f} GiB free in {existing}"
    yield DoctorFinding("disk", Health.OK if free >= _LEAST_FREE_BYTES else Health.BAD, words)
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        yield DoctorFinding("folder", Health.BAD, f"{existing} cannot be written ({error.strerror})")
    else:
        yield DoctorFinding("folder", Health.OK, f"{existing} can be written")


def check_names(here: Path) -> Iterator[DoctorFinding]:
    """Look for packages that a worker which runs here would take for ours."""
    house = Path(__file__).resolve().parents[2]
    for name in ("flows", "tasks", "pipelines"):
        for found in (here / name / "__init__.py", here / f"{name}.py"):
            if found.is_file() and found.resolve().parent != house / name:
                yield DoctorFinding(
                    f"name {name}",
                    Health.NOTE,
                    f"{found} shadows {house / name} for runs of a deployment that work in this folder (`working_dir`; "
                    "`reelbatch deploy` sets none): let them work elsewhere, or rename it",
                )


def check_sqlite() -> DoctorFinding:
    """Say how safely the ledger is kept with this SQLite."""
    return DoctorFinding(
        "SQLite", Health.OK, f"{sqlite3.sqlite_version}, journal mode {journal_mode()}, synced in full"
    )


def check_clock() -> DoctorFinding:
    """Look whether the clock is plainly wrong."""
    now = datetime.now(UTC)
    if now < _BUILT:
        return DoctorFinding(
            "clock", Health.BAD, f"says {now:%Y-%m-%d %H:%M} UTC, which is in the past; link expiry needs it right"
        )
    return DoctorFinding("clock", Health.OK, f"{now:%Y-%m-%d %H:%M:%S} UTC (compared with the providers' by --live)")


def check_proxies(environment: Mapping[str, str]) -> Iterator[DoctorFinding]:
    """Say through which proxies providers are reached; passwords in their addresses are left out."""
    rules = ProxyRules.of(environment)
    try:
        rules.check()
        for words in proxies_in_words(rules):
            yield DoctorFinding("proxy", Health.OK, words)
    except ProxyUnusable as error:
        yield DoctorFinding("proxy", Health.BAD, str(error))


def check_key(profile: Profile, environment: Mapping[str, str]) -> DoctorFinding:
    """Look whether a provider's key is set and can be sent; it is not shown."""
    name = f"key of {profile.name}"
    base_url, own = profile.base_url_from(environment)
    where = f", address {without_userinfo(base_url)}" if own else ""
    key = profile.key_from(environment)
    if reason := key_refusal(key or ""):
        return DoctorFinding(name, Health.BAD, f"set{where}, but {reason}")
    if key:
        return DoctorFinding(name, Health.OK, f"set{where}")
    return DoctorFinding(
        name, Health.NOTE, f"not set ({' or '.join(profile.key_names)}){where}; a rehearsal needs none"
    )


async def check_live(profile: Profile, environment: Mapping[str, str]) -> DoctorFinding:
    """Whether anybody answers at the address. No key is sent."""
    name = f"{profile.name} live"
    base_url, _ = profile.base_url_from(environment)
    shown = without_userinfo(base_url)
    try:
        Origin.of(base_url)
        async with Http() as http:
            answer = await http.ask("GET", shown, headers={}, deadline_s=10)
    except ValueError:  # it quotes the address
        return DoctorFinding(name, Health.BAD, f"{shown} is no address")
    except (ProxyUnusable, TransportError) as error:
        return DoctorFinding(name, Health.BAD, f"{shown} does not answer: {error}")
    skew = clock_skew_s(answer.headers.get("date"))
    if skew > _MOST_SKEW_S:
        return DoctorFinding(name, Health.BAD, f"answers, but its clock and this one differ by {skew:.0f} s")
    return DoctorFinding(name, Health.OK, f"{shown} answers")


def clock_skew_s(date: str | None) -> float:
    """Count the seconds between this clock and an HTTP `Date` header; 0 where there is none to compare with."""
    try:
        there = parsedate_to_datetime(date or "")
    except (ValueError, TypeError):
        return 0.0
    return abs((datetime.now(UTC) - there).total_seconds())
