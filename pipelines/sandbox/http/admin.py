"""What tests and operators ask the sandbox itself: its bill, its counts, its faults."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from pipelines.sandbox.faults.scripts import Faults, rules_in
from pipelines.sandbox.http.wire import VendorAnswer, Visit
from pipelines.sandbox.orders.life import stage_of
from pipelines.sandbox.orders.state import SandboxState
from pipelines.sandbox.vendors.refusals import RefusalError


@dataclass(frozen=True, slots=True)
class Admin:
    """The handlers below `/_sandbox`."""

    state: SandboxState

    async def bill(self, visit: Visit) -> VendorAnswer:
        """`GET /_sandbox/bill`: every line, its state now, and whether it is charged: vendors do on success only [A14]."""
        lines = []
        for purchase in self.state.bill.purchases.values():
            at = datetime.fromtimestamp(purchase.created, UTC).isoformat(timespec="milliseconds")
            charged = visit.now >= purchase.finished and purchase.has_file
            state = stage_of(purchase, visit.now).value
            lines.append({"at": at, **asdict(purchase), "state": state, "charged": charged})
        return VendorAnswer.of(lines)

    async def requests(self, visit: Visit) -> VendorAnswer:  # noqa: ARG002  # handlers look alike
        """`GET /_sandbox/requests`: what came by since the start."""
        return VendorAnswer.of(self.state.counts.document())

    async def faults(self, visit: Visit) -> VendorAnswer:
        """`GET` shows the rules and how often each struck; `POST` replaces them by a list or `{"script": name}`."""
        if visit.method == "POST":
            try:
                rules = rules_in(visit.body)
                self.state.faults = Faults(rules, self.state.options.seed, self.state.contracts)
            except ValueError as error:
                raise RefusalError(400, str(error)) from None
        faults = self.state.faults
        rows = [
            {**rule.model_dump(mode="json", exclude_defaults=True), "applied": faults.applied[place]}
            for place, rule in enumerate(faults.rules.rules)
        ]
        return VendorAnswer.of({"rules": rows})

    async def nothing_here(self, visit: Visit) -> VendorAnswer:
        """Any address that no contract has."""
        raise RefusalError(404, f"There is no API at {visit.method} {visit.path}.")
