"""`reelbatch doctor`: is this machine ready?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.command_line.arguments import AsJson, InsecureCallbacks, LedgerAt, ProfileFiles
from flows.command_line.talk import print_json, show_warnings

NAME = "doctor"


def command(
    out: Annotated[Path, typer.Option("--out", help="Where outputs would go.")] = Path("outputs"),
    profile: ProfileFiles = None,
    live: Annotated[bool, typer.Option("--live", help="Also ask the providers whether they answer. Free.")] = False,
    callback_url: Annotated[
        str | None, typer.Option("--callback-url", help="Also call this address, and see whether the call arrives.")
    ] = None,
    callback_listen: Annotated[
        str, typer.Option("--callback-listen", help="HOST:PORT to which its proxy or tunnel leads.")
    ] = "127.0.0.1:8900",
    ledger: LedgerAt = None,
    insecure_callbacks: InsecureCallbacks = False,
    as_json: AsJson = False,
) -> None:
    """Check the environment: pins, Prefect's server, ports, disk, keys, clock. Exit code 2 if a run would fail."""
    import asyncio
    import os
    from dataclasses import asdict

    from flows.command_line.prefect_server import SERVER_PORTS
    from flows.command_line.tables import finding_table
    from pipelines.providers.profile.load import find_profiles
    from pipelines.run.doctor import Health, examine

    known = find_profiles(profile or ())
    show_warnings(known.notes)
    found = asyncio.run(examine(out, list(known.profiles.values()), os.environ, live=live, ports=SERVER_PORTS))
    if callback_url is not None:
        from pipelines.callbacks.service import place_to_serve
        from pipelines.callbacks.way_in import prove_way_in
        from pipelines.ledger.storage.place import BY_ENVIRONMENT
        from pipelines.run.doctor import DoctorFinding

        place = place_to_serve(ledger, os.environ) if ledger or os.environ.get(BY_ENVIRONMENT) else None
        way = prove_way_in(callback_url, callback_listen, place, os.environ, insecure=insecure_callbacks)
        arrived, words = asyncio.run(way)
        found.append(DoctorFinding("callbacks", Health.OK if arrived else Health.BAD, words))
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        finding_table(found)
    if any(finding.health is Health.BAD for finding in found):
        raise typer.Exit(2)
