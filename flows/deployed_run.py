"""What a run of a deployment adds to what was asked for: its occurrence, and a folder that outlives it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import prefect.runtime
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext

from pipelines.batch import Batch
from pipelines.core.errors import SetupError
from pipelines.core.occurrence import Occurrence, occurrence_at, occurrence_named
from pipelines.core.remote_folder import bucket_address, folder_named
from pipelines.ledger.storage.place import PLACE_NOTE, as_shown, has_password
from pipelines.net.addresses import without_userinfo
from pipelines.outputs.storage.object_store import brought_down
from pipelines.run.options import AdvancedOptions, RunOptions
from pipelines.run.output_folder import output_folder
from pipelines.run.run import handed_over

ROOT = "reelbatch_root"  #: the Prefect Variable with the folder, or bucket, below which deployments put their outputs


async def chosen_here(asked: RunOptions) -> RunOptions:
    """Complete the choices of a run by what is known where it runs.

    The command line has chosen already. A deployment's run is for the occurrence of its schedule's tick, and puts what has
    no place of its own below the Prefect Variable `reelbatch_root`.

    Raises:
        SetupError: an option of the deployment makes no sense, or has a password in it.
    """
    context = handed_over()
    if context is not None and context.options is not None:
        return context.options
    if is_deployed():
        asked = await _merged(asked)
    _refuse_passwords(asked)
    if prefect.runtime.deployment.id is None:
        return asked
    tick = occurrence_of_tick(asked)
    root = await root_variable()
    return asked.model_copy(
        update={
            "occurrence": None if tick is None else tick.key,
            "root": Path.cwd() / folder_named(root) if root else None,
        }
    )


def _refuse_passwords(options: RunOptions) -> None:
    """Refuse a password among the parameters, which Prefect keeps and shows in clear.

    Raises:
        SetupError: there is one.
    """
    url = options.callback_url
    in_callbacks = url is not None and "@" in urlsplit(url).netloc
    if not in_callbacks and (options.ledger is None or not has_password(options.ledger)):
        return
    name, shown = (
        ("callback_url", without_userinfo(url or "")) if in_callbacks else ("ledger", as_shown(options.ledger or ""))
    )
    instead = (
        "An address that providers call needs none: each order adds a token of its own."
        if in_callbacks
        else "Set REELBATCH_LEDGER to the whole address in the environment where the runs work (of a work pool: its job variable "
        "`env`, which may take it from a Secret block), and leave this empty or write it without the password."
    )
    raise SetupError(
        f"advanced.{name} has a password in it ({shown} is the rest), and Prefect stores parameters in clear in its database. "
        f"Nothing was sent. {instead} Change the password: it stands there now."
    )


async def root_here(folder: str | None) -> Path:
    """The folder that was named, below the Variable `reelbatch_root` if it is relative; else that; else the working one."""
    return Path.cwd() / folder_named(await root_variable()) / folder_named(folder or "")


async def folder_here(folder: str) -> Path:
    """The output folder that was named, as `root_here` finds it; of one in a bucket the working folder."""
    return await asyncio.to_thread(brought_down, await root_here(folder), PLACE_NOTE)


async def root_variable() -> str:
    """What the Variable says, or nothing. `Variable.aget` would leave its connection open."""
    async with get_client() as client:
        found = await client.read_variable_by_name(ROOT)
    return "" if found is None else str(found.value)


def is_deployed() -> bool:
    """Tell whether this very flow run is a deployment's; a subflow's parameters are its caller's, not the deployment's.

    `prefect.runtime` would ask the server, and hold up the event loop.
    """
    run = FlowRunContext.get()
    return bool(run and run.flow_run and run.flow_run.deployment_id)


async def _merged(asked: RunOptions) -> RunOptions:
    """Take what `advanced` does not name from the deployment: Prefect replaces a parameter as a whole."""
    async with get_client() as client:
        deployment = await client.read_deployment(prefect.runtime.deployment.id)
    own, run = deployment.parameters.get("advanced") or {}, FlowRunContext.get()
    given = (run.flow_run.parameters.get("advanced") or {}) if run and run.flow_run else {}
    advanced = dict(AdvancedOptions.model_validate({**own, **given}))
    return asked.model_copy(update={**advanced, "needs_cap": not _is_uncapped(deployment.parameters)})


def _is_uncapped(own: Mapping[str, Any]) -> bool:
    """Tell whether whoever made a deployment has agreed to pay without a cap: it is for money, and names none."""
    return not own.get("rehearse") and own.get("budget") is None


def refuse_uncapped(batch: Batch, options: RunOptions) -> None:
    """Refuse a run for money without a cap where its deployment is a rehearsal, or has one.

    Raises:
        SetupError: one parameter of the run has taken that away.
    """
    if options.rehearse or not options.needs_cap or options.budget is not None or batch.budget.max is not None:
        return
    raise SetupError(
        "This run would spend money without a cap, and its deployment is a rehearsal or has a cap. Nothing was sent. Name "
        "the most that the run may spend among its parameters, such as `budget`: 25, or rehearse it. A deployment that pays "
        "without a cap is made with `reelbatch deploy --yes`."
    )


def with_zone(chosen: Any) -> Any:
    """Complete the advanced choices of a run by what its deployment reads an occurrence with. Asks Prefect only where it must."""
    run = FlowRunContext.get()
    if run is None or run.flow_run is None or run.flow_run.deployment_id is None:
        return chosen
    given = run.flow_run.parameters.get("advanced") or {}
    if not given.get("occurrence") or "timezone" in given:
        return chosen
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment(run.flow_run.deployment_id)
    return {**(deployment.parameters.get("advanced") or {}), **given}


def occurrence_of_tick(chosen: Any) -> Occurrence | None:
    """Find the occurrence of a flow run: the one that was named, or that of the schedule's tick.

    Args:
        chosen: the advanced choices, as a model or as Prefect keeps them.

    Raises:
        SetupError: it cannot be read.
    """
    advanced = chosen if isinstance(chosen, AdvancedOptions) else AdvancedOptions.model_validate(chosen or {})
    if advanced.occurrence is not None:
        named = occurrence_named(advanced.occurrence, advanced.timezone)
        if named.at is None or not is_deployed():
            return named
        return occurrence_at(
            named.at, advanced.timezone
        )  # the zone of a deployment is known, whatever offset was written
    run = FlowRunContext.get()
    if advanced.occurrences == "once" or run is None or run.flow_run is None or not run.flow_run.auto_scheduled:
        return None
    # The start that was expected first: Retry, Resume and a late start leave it as the scheduler wrote it.
    moment = run.flow_run.expected_start_time
    return None if moment is None else occurrence_at(moment, advanced.timezone)


def refuse_temporary(batch: Batch, options: RunOptions) -> None:
    """Refuse a run for money whose clips and ledger would go with a folder that Prefect deletes.

    Raises:
        SetupError: its output folder is temporary.
    """
    folder = output_folder(batch, options)
    in_bucket = bucket_address(folder) is not None  # its working folder may go
    if options.rehearse or in_bucket or not any(map(_is_prefects_own, folder.parents)):
        return
    raise SetupError(
        f"The output folder {folder} is temporary: Prefect deletes it after the run, with clips and ledger. Nothing was "
        f"sent. Set the Prefect Variable {ROOT} to a folder that stays (`prefect variable set {ROOT} /srv/reelbatch`), "
        "or give `out` an absolute path."
    )


def _is_prefects_own(folder: Path) -> bool:
    """Tell whether a worker made the folder for one run (`tmp...prefect`), or a runner keeps pulled code in it."""
    temporary = Path(tempfile.gettempdir()).resolve()
    if temporary not in folder.resolve().parents:
        return False
    return (folder.name.startswith("tmp") and folder.name.endswith("prefect")) or folder.name == "runner_storage"
