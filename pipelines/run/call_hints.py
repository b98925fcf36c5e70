"""What the life of a job asks of the callbacks of its run; how they come is theirs."""

from __future__ import annotations

from typing import Protocol

from pipelines.core.job import Job, Order
from pipelines.ledger.attempts import Claim
from pipelines.ledger.outcomes import Change


class CallHints(Protocol):
    """The callbacks of a run, as a job sees them."""

    def address_for(self, claim: Claim, order: Order) -> str | None:
        """The address that a submission gives its provider to call; None where it takes none."""

    def sent(self, job: Job) -> None:
        """Expect a call about a job whose order carried an address."""

    def expects(self, job: Job) -> bool:
        """Tell whether somebody is to call about a job, so that it need not be asked about often."""

    def turned_away(self) -> int:
        """How many requests the receiver in this run has not let in."""

    def take_adopted(self) -> list[Job]:
        """The jobs that a call has brought out of doubt when nobody waited for it any more, each once."""

    async def rescued(self, job: Job) -> Change | None:
        """Wait a while for a call that ends the doubt about a job. None: nobody has called."""
