"""What tests and operators ask the sandbox itself: its bill, its counts, its faults."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.sandbox.faults.scripts import Faults, rules_in
from pipelines.sandbox.http.wire import Answer, Visit
from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.orders.life import stage_of
from pipelines.sandbox.orders.state import Desk
from pipelines.sandbox.vendors.refusals import RefusalError


@dataclass(frozen=True, slots=True)
class Admin:
    """The handlers below `/_sandbox`."""

    desk: Desk

    async def bill(self, visit: Visit) -> Answer:
        """`GET /_sandbox/bill`: every line, with its state now and whether it is charged."""
        return Answer.of([billed(purchase, visit.now) for purchase in self.desk.bill.purchases.values()])

    async def requests(self, visit: Visit) -> Answer:  # noqa: ARG002  # handlers look alike
        """`GET /_sandbox/requests`: what came by since the start."""
        return Answer.of(self.desk.tally.document())

    async def faults(self, visit: Visit) -> Answer:
        """`GET` shows the rules and how often each struck; `POST` replaces them by a list or `{"script": name}`."""
        if visit.method == "POST":
            try:
                rules = rules_in(visit.body)
                self.desk.faults = Faults(rules, self.desk.options.seed, self.desk.contracts)
            except ValueError as error:
                raise RefusalError(400, str(error)) from None
        faults = self.desk.faults
        rows = [
            {**rule.model_dump(mode="json", exclude_defaults=True), "applied": faults.applied[place]}
            for place, rule in enumerate(faults.rules.rules)
        ]
        return Answer.of({"rules": rows})

    async def nothing_here(self, visit: Visit) -> Answer:
        """Any address that no contract has."""
        raise RefusalError(404, f"There is no API at {visit.method} {visit.path}.")


def billed(purchase: Purchase, now: float | None = None) -> dict[str, Any]:
    """A bill line as JSON, with `state` and `charged`: vendors charge on success only [A14]."""
    now = time.time() if now is None else now
    at = datetime.fromtimestamp(purchase.created, UTC).isoformat(timespec="milliseconds")
    done = now >= purchase.finished
    return {
        "at": at,
        **asdict(purchase),
        "state": stage_of(purchase, now).value,
        "charged": done and purchase.has_file,
    }
