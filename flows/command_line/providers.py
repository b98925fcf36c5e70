"""`reelbatch providers`: what each provider can do and what it costs, and what a profile of one's own makes of an order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.command_line.arguments import AsJson, ProfileFiles
from flows.command_line.talk import print_json, show_warnings

if TYPE_CHECKING:
    from pipelines.actions.check_profile import Rehearsed, SentRequest
    from pipelines.actions.sample_answers import Reading
    from pipelines.providers.profile.model import Profile

NAME = "providers"
_CHECK = "check"
_STEPS = ("an order", "then, until it has ended", "and once it has ended")
_CANCEL = "or, for `reelbatch cancel DIR --at-provider`"


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One provider in full; or `check`, with a FILE.")
    ] = None,
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="Of `check`: a profile, or the name of one that is known.")
    ] = None,
    answer: Annotated[
        list[str] | None,
        typer.Option(
            "--answer",
            metavar="[STAGE=][STATUS:]FILE",
            help="Of `check`: a file with the body of an answer, to be read; 422:FILE for one of HTTP 422; order=FILE, "
            "query=FILE or result=FILE where it is known what it answers. May be given again.",
        ),
    ] = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Of `check`: order a clip of each mode from the sandbox.")
    ] = False,
    as_yaml: Annotated[
        bool, typer.Option("--yaml", help="Of one provider: its profile as the YAML text that it is, to copy from.")
    ] = False,
    profile: ProfileFiles = None,
    as_json: AsJson = False,
) -> None:
    """Show the providers: what they take, what they cost, and whether they are retired. `check FILE` tries a profile.

    `check` ends with 1 where an answer contradicts the profile, or a rehearsal makes no clip.
    """
    import os

    from flows.command_line.profile_card import profile_card, provider_table
    from pipelines.core.errors import SetupError
    from pipelines.providers.profile.load import find_profiles, profile_named, profile_source

    if as_yaml and (name is None or name == _CHECK or file is not None or as_json):
        raise SetupError("Say `reelbatch providers NAME --yaml`, of one provider and without --json.")
    if name == _CHECK and file is not None:
        return _check(file, answer or [], profile or [], rehearse=rehearse, as_json=as_json)
    if file is not None or answer or rehearse or name == _CHECK:
        raise SetupError("Say `reelbatch providers check FILE`, perhaps with --answer FILE or --rehearse.")
    known = find_profiles(profile or ())
    show_warnings(known.notes)
    chosen = [profile_named(name, known.profiles)] if name else list(known.profiles.values())
    if name and as_yaml:
        typer.echo(profile_source(known, name).removesuffix("\n"))
    elif as_json:
        print_json([each.model_dump(mode="json") for each in chosen])
    elif name:
        profile_card(chosen[0], known.files.get(name), os.environ)
    else:
        provider_table(chosen, os.environ)
    return None


def _check(file: str, answers: list[str], beside: list[Path], *, rehearse: bool, as_json: bool) -> None:
    """The requests of a sample order, what sample answers say, and what a rehearsal comes to."""
    import asyncio
    import os
    import tempfile
    from dataclasses import asdict

    from pipelines.actions.check_profile import rehearse_sample, requests_of, sample_order
    from pipelines.actions.check_report import coverage
    from pipelines.actions.sample_answers import read_sample, sample_answer
    from pipelines.core.errors import SetupError
    from pipelines.net.addresses import base_refusal
    from pipelines.run.exit_code import ALL_DONE, SOME_FAILED

    profile = _profile_at(file, beside)
    samples = {text: sample_answer(text) for text in answers}
    address, _ = profile.base_url_from(os.environ)
    if reason := base_refusal(address):
        raise SetupError(f"{profile.base_url_set_by(os.environ) or 'base_url'} is no address to send to: {reason}.")

    async def sent(*, full: bool) -> dict[str, list[SentRequest]]:
        orders = {mode.name: sample_order(profile, mode, full=full) for mode in profile.modes}
        return {name: await requests_of(profile, order, base_url=address) for name, order in orders.items()}

    usual, full = asyncio.run(sent(full=False)), asyncio.run(sent(full=True))
    read = {text: read_sample(profile, profile.modes[0], sample) for text, sample in samples.items()}
    made: list[Rehearsed] = []
    if rehearse:
        with tempfile.TemporaryDirectory() as folder:
            made = asyncio.run(rehearse_sample(profile, Path(folder)))
    covered, missing = coverage(profile, [*read.values()], rehearsed=bool(made) and all(each.made for each in made))
    if as_json:
        said = {
            text: {**asdict(each), "progress": None, "fits": each.fits, "contradicts": each.contradicts}
            for text, each in read.items()
        }
        document = {
            "profile": profile.name,
            "address": address,
            "requests": {mode: [asdict(each) for each in requests] for mode, requests in usual.items()},
            "full_orders": {mode: asdict(requests[0]) for mode, requests in full.items()},
            "answers": said,
            "rehearsed": {each.mode: each.says for each in made},
            "covered": covered,
            "not_covered": missing,
        }
        print_json(document)
    else:
        own = profile.base_url_set_by(os.environ)
        why = f"set by {own}" if own else f"from the profile; {' or '.join(profile.base_url_names)} is not set"
        typer.echo(f"address: {address}, {why}\n")
        for mode, requests in usual.items():
            _show_requests(f"{profile.name}, mode {mode}", requests, full[mode][0])
        _show_findings(read, made, covered, missing)
    is_wrong = any(each.contradicts for each in read.values()) or not all(each.made for each in made)
    raise typer.Exit(SOME_FAILED if is_wrong else ALL_DONE)


def _show_requests(title: str, requests: list[SentRequest], full: SentRequest) -> None:
    """The requests of a mode, and behind the order one with every part that it may have."""
    from pipelines.actions.check_profile import request_lines

    cancels = [each for each in requests[1:] if each.method != "GET" and not each.body]  # a query has one, or is a GET
    shown = [*zip(_STEPS, [each for each in requests if each not in cancels], strict=False)]
    shown += [(_CANCEL, each) for each in cancels]
    if full != requests[0]:
        shown.insert(1, ("an order with every part that it may have, also such as exclude each other", full))
    for step, request in shown:
        typer.echo(f"{title}: {step}")
        typer.echo("\n".join(f"  {line}" for part in request_lines(request) for line in part.splitlines()) + "\n")


def _show_findings(read: dict[str, Reading], made: list[Rehearsed], covered: list[str], missing: list[str]) -> None:
    """How answers read, what a rehearsal came to, and what neither has looked at."""
    from pipelines.actions.check_report import reading_lines

    for text, reading in read.items():
        typer.echo("\n".join(reading_lines(text, reading)))
    for each in made:
        typer.echo(f"rehearsed, mode {each.mode}: {each.says}")
    if made:
        typer.echo("The rehearsal follows the profile itself; only --answer holds it against the API.")
    typer.echo(f"covered: {', '.join(covered)}")
    typer.echo("\n".join(["not covered:", *(f"  {each}" for each in missing)]) if missing else "not covered: nothing")


def _profile_at(file: str, beside: list[Path]) -> Profile:
    """The profile in a file, or the known one of that name."""
    from pipelines.core.errors import SetupError
    from pipelines.providers.profile.load import find_profiles, profile_named

    path = Path(file)
    is_name = not path.exists() and not path.suffix
    known = find_profiles(beside if is_name else [path, *beside])
    show_warnings(known.notes)
    if is_name:
        return profile_named(file, known.profiles)
    there = [name for name, place in known.files.items() if place.resolve() == path.resolve()]
    if not there:
        raise SetupError(f"{file} holds no profile that counts: another file has its name.")
    return known.profiles[there[0]]
