"""The root of the command line: every command, and what happens to an error on its way to the person."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from flows.command_line import (
    adopt,
    archive,
    callbacks,
    cancel,
    collect,
    demo,
    deploy,
    doctor,
    inbox,
    init,
    ls,
    plan,
    providers,
    redo,
    resolve,
    retry,
    run,
    sandbox,
    serve,
    status,
    verify,
)
from flows.command_line.talk import debug_wanted, errors_as_json, print_json, show_error

app = typer.Typer(
    name="reelbatch",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Turn a batch file of prompts into a folder of verified, catalogued videos. Nothing is ever paid for twice.",
    epilog="Exit codes: 0 all done, or all that was asked for; 1 some rows failed; 2 bad input or set-up, nothing was "
    "bought; 3 stopped by the budget or an empty balance; 4 something is parked, in doubt or unfinished; "
    "130 interrupted.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"reelbatch {version('reelbatch')}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    del show_version
    debug_wanted.set(debug)


for module in (
    *(demo, init, plan, run, collect, cancel, status, ls),
    *(resolve, retry, redo, verify, archive, adopt),
    *(deploy, serve, inbox, callbacks, sandbox, providers, doctor),
):
    app.command(module.NAME)(module.command)


def main() -> None:
    """Run the command line and leave with its exit code. No traceback without --debug."""
    from pipelines.core.errors import ReelbatchError
    from pipelines.net.proxies import shield

    shield(os.environ)
    try:
        app(prog_name="reelbatch")
    except ReelbatchError as error:
        if debug_wanted.get():
            raise
        if "--json" in sys.argv:
            print_json({"errors": errors_as_json(error)})
        show_error(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(0)
    except KeyboardInterrupt:
        show_error("Interrupted.")
        sys.exit(130)
    except Exception as error:
        if debug_wanted.get():
            raise
        from flows.command_line.prefect_api import prefect_trouble
        from pipelines.run.exit_code import UNFINISHED

        if (words := prefect_trouble(error)) is not None:
            show_error(words)
            sys.exit(UNFINISHED)
        show_error(
            f"This is a bug in reelbatch ({type(error).__name__}: {error}). Please report it; --debug shows where."
        )
        sys.exit(1)
