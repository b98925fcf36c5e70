"""The parameters of a deployment: those that were chosen, and the form in which Prefect asks for the rest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prefect.utilities.callables import parameter_schema

from flows.campaign import campaign
from pipelines.core.errors import SetupError
from pipelines.core.remote_folder import shown_place
from pipelines.ledger.storage.place import as_shown
from pipelines.run.options import AdvancedOptions, RunOptions


def deployment_parameters(batch: str, options: RunOptions) -> dict[str, Any]:
    """Say what a deployment runs with. Pure. What was not chosen is left out, so that later versions may choose better.

    Args:
        batch: an absolute path, or an address.
        options: as they were chosen on the command line; its paths are made absolute, and a bucket is named by its address.

    Raises:
        SetupError: the ledger is named with its user or password, which Prefect would show.
    """
    if options.ledger is not None and as_shown(options.ledger) != options.ledger:
        raise SetupError(
            f"Prefect shows the parameters of a deployment. Name the ledger without user and password: "
            f"--ledger {as_shown(options.ledger)}, and set REELBATCH_LEDGER to the whole of it where the runs work."
        )
    chosen = {**options.model_dump(exclude_defaults=True)}
    paths = {"out": options.out, "profiles": options.profiles}
    for name in paths.keys() & chosen.keys():
        value = paths[name]
        chosen[name] = [_absolute(path) for path in value] if isinstance(value, tuple) else _absolute(value)
    advanced = {name: chosen.pop(name) for name in AdvancedOptions.model_fields if name in chosen}
    if "budget" in chosen:
        chosen["budget"] = float(chosen["budget"])
    if "only" in chosen:
        chosen["only"] = list(chosen["only"])
    if "fallback" in advanced:
        advanced["fallback"] = list(advanced["fallback"])
    return {"batch": batch, **chosen, **({"advanced": advanced} if advanced else {})}


def form(providers: Iterable[str], options: RunOptions) -> dict[str, Any]:
    """The schema of the parameters, as the form of Prefect and its check of a run's parameters read it.

    Args:
        providers: every name that may be chosen, those of profiles of one's own included.
        options: of the deployment, whose choices must be possible ones.
    """
    schema = parameter_schema(campaign).model_dump(exclude_unset=True)
    schema["properties"]["provider"]["enum"] = [*sorted(providers), None]
    faults = schema["definitions"][AdvancedOptions.__name__]["properties"]["faults"]
    faults["enum"] = [*dict.fromkeys([*faults["enum"], options.faults])]
    return schema


def _absolute(path: Path | None) -> str:
    return shown_place((path or Path()).absolute())
