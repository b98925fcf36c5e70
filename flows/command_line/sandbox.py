"""`reelbatch sandbox`: the simulator of every contract, for any client."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.command_line.arguments import ProfileFiles
from flows.command_line.talk import say, show_warnings

NAME = "sandbox"


def command(
    port: Annotated[int, typer.Option("--port", help="Port on 127.0.0.1; 0 takes a free one.")] = 8790,
    speed: Annotated[float, typer.Option("--speed", help="How much faster than life.")] = 1.0,
    latency: Annotated[
        str | None, typer.Option("--latency", help="Time a job takes: 1, uniform:2-5 or lognormal:120,0.3 (seconds).")
    ] = None,
    faults: Annotated[str, typer.Option("--faults", help="A fault script by name, or a YAML file of rules.")] = "none",
    bill: Annotated[
        Path | None, typer.Option("--bill", help="Where the bill is kept; it is read again on restart.")
    ] = None,
    profile: ProfileFiles = None,
    seed: Annotated[int, typer.Option("--seed", help="Makes every draw repeatable.")] = 0,
) -> None:
    """Serve the simulator of every provider's contract on this machine. Any non-empty key will do; nothing is paid."""
    from pydantic import ValidationError

    from pipelines.errors import SetupError
    from pipelines.providers.profile_files import find_profiles
    from pipelines.providers.sandbox.dialects import DIALECTS
    from pipelines.providers.sandbox.options import SandboxOptions
    from pipelines.providers.sandbox.server import SandboxAddress, serve

    known = find_profiles(profile or ())
    show_warnings(known.notes)
    own = tuple(known.files.values())
    try:
        options = SandboxOptions(
            port=port, speed=speed, latency=latency, faults=faults, bill=bill, seed=seed, profile=own
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise SetupError(f"--{first['loc'][0]}: {first['msg']}.") from None

    def ready(address: SandboxAddress) -> None:
        say(f"The sandbox listens on {address.url}. Point any client at it; any key will do:")
        for name in dict.fromkeys(("openai", "qiniu", "acedata", *known.files)):
            played = known.profiles[name]
            say(f"  {played.base_url_names[0]}={address.base_url(name)}  {played.key_names[0]}=sandbox")
        others = ", ".join(d.name for d in DIALECTS if d.name not in ("either", "openai", "qiniu", *known.files))
        say(f"  The contract of openai as others speak it: {address.url}/NAME/v1, where NAME is {others}.")
        say(f"Its bill: {address.url}/_sandbox/bill. Ctrl-C ends it.")

    try:
        serve(options, ready)
    except OSError as error:
        raise SetupError(f"The sandbox cannot listen on port {port} or keep its bill ({error.strerror}).") from None
    except ValueError as error:
        raise SetupError(str(error)) from None
