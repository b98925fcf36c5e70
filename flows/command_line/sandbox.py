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
    renders: Annotated[
        str, typer.Option("--renders", help="Clips: full, or light (blank, and made in no time).")
    ] = "full",
    in_flight_cap: Annotated[
        int | None,
        typer.Option("--in-flight-cap", help="Limits: unfinished jobs of one key, over all services of a vendor."),
    ] = None,
    submit_rate: Annotated[
        float | None, typer.Option("--submit-rate", help="Limits: orders a second of one key with a vendor.")
    ] = None,
    submit_window: Annotated[
        float | None, typer.Option("--submit-window", help="Limits: seconds over which orders are counted. Default: 1.")
    ] = None,
    status_rate: Annotated[
        float | None, typer.Option("--status-rate", help="Limits: status queries a second of one key with a vendor.")
    ] = None,
    link_lifetime: Annotated[
        float | None, typer.Option("--link-lifetime", help="Limits: seconds that a finished file can be had.")
    ] = None,
    ace_accepts: Annotated[
        str, typer.Option("--ace-accepts", help="Ace: its answer to an order, as task_id, success or nested.")
    ] = "task_id",
    ace_shapes: Annotated[
        str, typer.Option("--ace-shapes", help="Ace: results as in its specification (spec) or its tests (fixture).")
    ] = "spec",
    poll_after_ms: Annotated[
        int | None, typer.Option("--poll-after-ms", help="OpenAI: milliseconds until it wants to be asked again.")
    ] = None,
    webhook_url: Annotated[
        str | None, typer.Option("--webhook-url", help="OpenAI: where its webhooks go, on this machine.")
    ] = None,
    webhook_secret: Annotated[
        str | None, typer.Option("--webhook-secret", help="OpenAI: what they are signed with, such as whsec_....")
    ] = None,
) -> None:
    """Serve the simulator of every provider's contract on this machine. Any non-empty key will do; nothing is paid."""
    from pydantic import ValidationError

    from pipelines.core.errors import SetupError
    from pipelines.providers.profile.load import find_profiles
    from pipelines.sandbox.http.server import serve
    from pipelines.sandbox.options import SandboxOptions, first_problem
    from pipelines.sandbox.process import SandboxAddress
    from pipelines.sandbox.vendors.hosted.vendors import HOSTED_NAMES
    from pipelines.sandbox.vendors.openai.dialects import DIALECTS

    known = find_profiles(profile or ())
    show_warnings(known.notes)
    given = {
        "port": port,
        "speed": speed,
        "latency": latency,
        "faults": faults,
        "bill": bill,
        "seed": seed,
        "renders": renders,
        "in_flight_cap": in_flight_cap,
        "submit_rate": submit_rate,
        "submit_window": submit_window,
        "status_rate": status_rate,
        "link_lifetime": link_lifetime,
        "ace_accepts": ace_accepts,
        "ace_shapes": ace_shapes,
        "poll_after_ms": poll_after_ms,
        "webhook_url": webhook_url,
        "webhook_secret": webhook_secret,
        "profile": tuple(known.files.values()),
    }
    try:
        options = SandboxOptions.model_validate(given)
    except ValidationError as error:
        raise SetupError(first_problem(error)) from None

    def ready(address: SandboxAddress) -> None:
        say(f"The sandbox listens on {address.url}. Point any client at it; any key will do:")
        for name in dict.fromkeys(("openai", "qiniu", "acedata", *known.files)):
            played = known.profiles[name]
            say(f"  {played.base_url_names[0]}={address.base_url(name)}  {played.key_names[0]}=sandbox")
        others = ", ".join(d.name for d in DIALECTS if d.name not in ("either", "openai", "qiniu", *known.files))
        say(f"  The contract of openai as others speak it: {address.url}/NAME/v1, where NAME is {others}.")
        hosted = ", ".join(name for name in HOSTED_NAMES if name not in known.files)
        say(f"  Vendors with a contract of their own: {address.url}/VENDOR/v1, where VENDOR is {hosted}.")
        say(f"Its bill: {address.url}/_sandbox/bill. Ctrl-C ends it.")

    try:
        serve(options, ready)
    except OSError as error:
        raise SetupError(f"The sandbox cannot listen on port {port} or keep its bill ({error.strerror}).") from None
    except ValueError as error:
        raise SetupError(str(error)) from None
