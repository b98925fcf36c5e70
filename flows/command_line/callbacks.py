"""`reelbatch callbacks`: the receiver of callbacks as a process of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.command_line.arguments import InsecureCallbacks, ProfileFiles
from flows.command_line.talk import say, show_warnings

NAME = "callbacks"


def command(
    listen: Annotated[
        str, typer.Option("--listen", help="HOST:PORT to listen on, behind a proxy or tunnel that speaks https.")
    ] = "127.0.0.1:8900",
    public_url: Annotated[
        str | None,
        typer.Option("--public-url", help="Under which it is reached from outside; runs get it as --callback-url."),
    ] = None,
    ledger: Annotated[
        str | None,
        typer.Option(
            "--ledger", help="An output folder, a ledger's path, or postgresql://host/database for all there."
        ),
    ] = None,
    health_listen: Annotated[
        str | None, typer.Option("--health-listen", help="HOST:PORT of /healthz and /metrics. Default: none.")
    ] = None,
    rotate_key: Annotated[
        bool, typer.Option("--rotate-key", help="Make a new key, keep the one before it, and leave.")
    ] = False,
    profile: ProfileFiles = None,
    insecure_callbacks: InsecureCallbacks = False,
) -> None:
    """Receive callbacks of providers for every run that shares the ledger. Ctrl-C or SIGTERM ends it in order."""
    import asyncio
    import os

    from pipelines.callbacks.service import ServiceOptions, place_to_serve, rotate, serve_callbacks
    from pipelines.providers.profile.load import find_profiles

    known = find_profiles(profile or ())
    show_warnings(known.notes)
    place = place_to_serve(ledger, os.environ)
    if rotate_key:
        rotate(place, os.environ)
        say("There is a new key. The one before it stays good; a receiver that is running must be started again.")
        return
    options = ServiceOptions(
        listen=listen, public_url=public_url, health_listen=health_listen, insecure=insecure_callbacks
    )
    answers = {name: each.callback_answer for name, each in known.profiles.items() if each.callback_answer}
    asyncio.run(serve_callbacks(place, options, os.environ, answers, say))
