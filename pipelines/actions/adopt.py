"""Taking back the last-resort line of a payment that could not be written down: its job is brought home like any other."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.actions.persons_word import say_of_jobs, who
from pipelines.actions.resolve import Settled
from pipelines.core.errors import SettlementRefused
from pipelines.core.job import RemoteJob
from pipelines.core.outcome import Adopted
from pipelines.core.remote_folder import folder_named
from pipelines.ledger import views
from pipelines.ledger.ledger import LedgerReader, ledger_in
from pipelines.ledger.storage.place import PLACE_NOTE
from pipelines.outputs.storage.object_store import brought_down

_TEXTS = ("job", "provider_job_id", "ledger", "provider", "account", "mode", "contract", "status_url", "result_url")


@dataclass(frozen=True, slots=True)
class LastResort:
    """A payment that could not be written down."""

    job_id: str
    remote: RemoteJob
    ledger: Path | None = None  # None: an earlier version did not say


def read_line(line: str) -> LastResort:
    """Read a last-resort line, or the JSON at its end.

    Raises:
        SettlementRefused: it is none.
    """
    start = line.find("{", max(line.find("Keep this line:"), 0))
    try:
        known: dict[str, Any] = json.JSONDecoder().raw_decode(line[start:])[0] if start >= 0 else {}
    except ValueError:
        known = {}
    said = {name: known[name] for name in _TEXTS if isinstance(known.get(name), str)}
    if not said.get("job") or not said.get("provider_job_id"):
        raise SettlementRefused(
            'This is no line of a payment that could not be recorded. It ends in {"job": ..., "provider_job_id": ...}; '
            "give it whole, in single quotes, or - to read it from standard input."
        )
    places = {name: said.get(name) for name in ("status_url", "result_url", "contract")}
    remote = RemoteJob(said["provider_job_id"], said.get("mode", ""), **places)
    return LastResort(said["job"], remote, folder_named(said["ledger"]) if "ledger" in said else None)


async def adopt_line(line: str, folder: Path | None = None) -> Settled:
    """Write a payment into its ledger that could not be written down when it was made.

    Args:
        line: what the run said, whole or from the brace on.
        folder: the output folder, for a line that does not name its ledger, or if it has moved.

    Raises:
        SettlementRefused: the line is none, or its job stands where it cannot have come from.
        LedgerError: there is no such ledger.
        LedgerOwned: the run that owns the ledger does not answer.
    """
    kept = read_line(line)
    if folder is None and kept.ledger is None:
        raise SettlementRefused(
            "The line does not say where its ledger is. Add --dir with the output folder of the run."
        )
    place = ledger_in(folder) if folder is not None else ledger_in(brought_down(kept.ledger or Path(), PLACE_NOTE))
    state = LedgerReader(place).read(views.states).get(kept.job_id)
    if state is not None and state.provider_job_id == kept.remote.id:
        words = f"{kept.job_id} is known as {kept.remote.id} already: it is {state.status.label}. Nothing was changed."
        return Settled(place.folder, kept.job_id, state.status, words)
    said = await say_of_jobs(place, [(kept.job_id, Adopted(kept.remote, who()))])
    words = f"{kept.job_id} is {kept.remote.id}. `reelbatch collect` or the next run brings it home."
    return Settled(place.folder, kept.job_id, said[kept.job_id], words)
