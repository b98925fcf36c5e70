"""Why a run is stopped before its end, though nothing is wrong with it."""

from __future__ import annotations

from enum import StrEnum


class StopReason(StrEnum):
    """Who stops a run, in words that complete "The run was ..."."""

    INTERRUPTED = "interrupted"  # a signal at the terminal
    ASKED = "cancelled by `reelbatch cancel`"
    CANCELLED = "cancelled in Prefect"
    SUSPENDED = "suspended in Prefect"
    TERMINATED = "stopped by a signal to its process"  # of whoever runs deployments

    @property
    def end(self) -> str:
        """The name of the state in which such a run ends."""
        return {StopReason.SUSPENDED: "Suspended", StopReason.TERMINATED: "Crashed"}.get(self, "Cancelled")

    @property
    def sentence(self) -> str:
        """What is said of it at the end, and how the campaign goes on."""
        further = "To go on, resume it, or run" if self is StopReason.SUSPENDED else "To go on, run"
        return f"The run was {self}. {further} the same again: nothing is paid twice."
