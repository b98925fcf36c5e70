"""`reelbatch providers`: what each provider can do and what it costs."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.command_line.arguments import AsJson
from flows.command_line.talk import print_json

NAME = "providers"


def command(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One provider in full.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the providers: what they take, what they cost, and whether they are retired."""
    from flows.command_line.tables import profile_card, provider_table  # noqa: PLC0415
    from pipelines.providers.profile import profile_named, shipped_profiles  # noqa: PLC0415

    if as_json:
        chosen = [profile_named(name)] if name else list(shipped_profiles().values())
        print_json([profile.model_dump(mode="json") for profile in chosen])
    elif name:
        profile_card(profile_named(name))
    else:
        provider_table(list(shipped_profiles().values()))
