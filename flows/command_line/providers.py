"""`reelbatch providers`: what each provider can do and what it costs."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.command_line.arguments import AsJson, ProfileFiles
from flows.command_line.talk import print_json, show_warnings

NAME = "providers"


def command(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One provider in full.")] = None,
    profile: ProfileFiles = None,
    as_json: AsJson = False,
) -> None:
    """Show the providers: what they take, what they cost, and whether they are retired."""
    import os

    from flows.command_line.profile_card import profile_card, provider_table
    from pipelines.providers.profile.load import find_profiles, profile_named

    known = find_profiles(profile or ())
    show_warnings(known.notes)
    chosen = [profile_named(name, known.profiles)] if name else list(known.profiles.values())
    if as_json:
        print_json([each.model_dump(mode="json") for each in chosen])
    elif name:
        profile_card(chosen[0], known.files.get(name), os.environ)
    else:
        provider_table(chosen, os.environ)
