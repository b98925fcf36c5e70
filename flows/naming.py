"""The names under which Prefect shows a run: of the flow run, its tags, and its last state."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Any

import prefect.runtime
from coolname.data import config
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Failed

from flows.deployed_run import occurrence_of_tick, with_zone
from pipelines.batch.batch import plain_name
from pipelines.core.errors import AttentionNeeded
from pipelines.run.batch_file import batch_name
from pipelines.run.run import Run
from tasks.report import if_prefect_answers

#: Between `Failed` and the name of the end. Where the second came while the first was still looked at, and the database
#: was locked in that moment, Prefect told nobody of it within a minute (seen on SQLite: two of seven).
_APART_S = 1.0

#: The words that Prefect makes up names of; a name of others was typed by a person.
_PARTS: Any = config
_MADE_UP = frozenset(word for part in _PARTS.values() for word in part.get("words", ()))

#: What its UI writes into the form of a run: a Greek letter, mostly with a number, and one or two words, such as
#: `epsilon929-eriador`. Without a number (one of nine) it could be a person's `beta-test`, and stays.
_LETTERS = "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|omicron|pi|rho|sigma|tau|upsilon|phi|chi|psi|omega"
_IN_THE_FORM = re.compile(rf"({_LETTERS})\d+(-[a-z]+)+")


def run_name() -> str:
    """`<campaign> <occurrence>`; a rehearsal says that it is one, and a name that a person typed stays."""
    name = prefect.runtime.flow_run.name or ""
    if name and not is_made_up(name):
        return name
    given, parts = prefect.runtime.flow_run.parameters, ["campaign"]
    with suppress(Exception):  # it would end the run as Crashed without a word; the run itself says what cannot be read
        parts = [plain_name(batch_name(str(given["batch"])))]
        tick = occurrence_of_tick(with_zone(given.get("advanced")))
        parts.append("" if tick is None else tick.words)
    return " ".join(filter(None, [*parts, "(rehearsal)" if given.get("rehearse") else ""]))


def is_made_up(name: str) -> bool:
    """Tell whether Prefect made up the name of a flow run: two of its words, such as `brave-otter`, or as its form does."""
    if _IN_THE_FORM.fullmatch(name):
        return True
    words = name.split("-")
    return len(words) == 2 and all(word in _MADE_UP for word in words)  # noqa: PLR2004 - as Prefect makes them


async def tag_run(run: Run) -> None:
    """Give the flow run the tags that it is found by: the campaign, its providers, and whether it is rehearsed."""
    tags = {run.batch.name, *run.sessions, *(["rehearsal"] if run.options.rehearse else [])}
    async with if_prefect_answers("its tags"), get_client() as client:
        tags |= set(prefect.runtime.flow_run.tags)
        await client.update_flow_run(prefect.runtime.flow_run.id, tags=sorted(tags))


async def name_the_end(flow: Any, flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001 - as Prefect calls it
    """Give a run that a person must look at the name of its end: Budget Reached, In Doubt, Rows Failed."""
    error = await state.aresult(raise_on_failure=False)
    if isinstance(error, AttentionNeeded) and error.result is not None:
        if flow_run.deployment_id is not None:
            await asyncio.sleep(_APART_S)
        named: State[Any] = Failed(name=error.result.end, message=str(error), data=state.data)
        async with get_client() as client:
            await client.set_flow_run_state(flow_run.id, named, force=True)
