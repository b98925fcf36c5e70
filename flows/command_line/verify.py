"""`reelbatch verify`: every file against its sha256."""

from __future__ import annotations

import typer

from flows.command_line.arguments import AsJson, OutputFolder, ProfileFiles
from flows.command_line.talk import print_json, say, show_error

NAME = "verify"


def command(folder: OutputFolder, profile: ProfileFiles = None, as_json: AsJson = False) -> None:
    """Check every file against its size and sha256; what is missing or damaged is fetched again while its link lives."""
    import asyncio

    from pipelines.actions.verify import verify_folder
    from pipelines.core.text.counts import counted
    from pipelines.run.exit_code import ALL_DONE, UNFINISHED
    from pipelines.run.options import RunOptions

    found = asyncio.run(verify_folder(folder, RunOptions(profiles=tuple(profile or ()))))
    if as_json:
        print_json(found.as_dict())
    else:
        for clip in found.bad:
            aside = f" It lies in {clip.set_aside} now." if clip.set_aside else ""
            if clip.whole_again:
                say(f"{clip.path}: {clip.what}; fetched again.{aside}")
            else:
                show_error(f"{clip.path}: {clip.what}; not fetched: {clip.why.rstrip('.')}.{aside}")
        whole = found.files - len(found.lost)
        say(f"{counted(found.files, 'file')}: {whole:,} whole, {len(found.lost):,} missing or damaged.")
    raise typer.Exit(UNFINISHED if found.lost else ALL_DONE)
