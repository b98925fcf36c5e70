"""`python -m pipelines.sandbox`: prints one line of JSON once it listens, and serves until it is told to stop."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict

from pydantic import ValidationError

from pipelines.sandbox.http.server import serve
from pipelines.sandbox.options import SandboxOptions, first_problem
from pipelines.sandbox.process import SandboxAddress


def serve_from_arguments() -> None:
    """Read the options and serve."""
    parser = ArgumentParser(prog="python -m pipelines.sandbox", description="The vendors' contracts, simulated.")
    for name, field in SandboxOptions.model_fields.items():
        action = "append" if isinstance(field.default, tuple) else "store"
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, help=field.description, action=action)
    parser.add_argument("--until-stdin-closes", action="store_true", help="also stop when standard input ends")
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    until_stdin_closes = given.pop("until_stdin_closes")

    def announce(address: SandboxAddress) -> None:
        sys.stdout.write(json.dumps(asdict(address)) + "\n")
        sys.stdout.flush()

    try:
        serve(SandboxOptions.model_validate(given), announce, until_stdin_closes=until_stdin_closes)
    except ValidationError as error:
        parser.error(first_problem(error))
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    serve_from_arguments()
