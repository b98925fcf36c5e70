"""One job that is waited for at its provider, and the two ends of waiting that leave it parked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable
from dataclasses import dataclass

from pipelines.core.job import RemoteJob
from pipelines.pacing.poll_schedule import look_again

_LONG_OVER_S = 3600.0  # a job of this age may have ended long ago


class DeadlinePassed(Exception):
    """The job has not ended in time. It is parked, never failed."""


class ClipMissing(Exception):
    """Its provider has ended the job well, and its clip is not where the profile looks. It is parked, never failed."""

    def __init__(self, reason: str, *, is_news: bool, is_elsewhere: bool = False) -> None:
        super().__init__(reason)
        self.is_news = is_news  # nobody heard the same of another job in this run
        self.is_elsewhere = is_elsewhere  # the answer has links, or the like, where the profile does not look


@dataclass(slots=True)
class Waiting:
    """One job that is waited for."""

    job: RemoteJob
    kind: Hashable  # jobs of one kind take about equally long
    expected_s: float
    accepted_at: float  # monotonic
    deadline_s: float
    asked: int = 0
    last_not_ready_s: float = 0.0
    faults: int = 0
    due_s: float = 0.0  # the age at which it was to be asked about last
    answered_s: float = 0.0  # the age at which the last answer came
    empty_since_s: float = 0.0  # the age since which it is said to be completed without a video; 0: it is not
    was_parked: bool = False  # an earlier run has given it its time
    looks: int = 0  # so often it was
    look_again_s: float = 0.0  # so soon it is asked about again, being so
    not_before_s: float = 0.0  # the age before which the provider asked not to be asked
    awaits_call: bool = False  # somebody is to tell when it has ended, so it is asked about late
    called: bool = False  # somebody has
    due_now: bool = False  # somebody has just now
    link: str | None = None  # where whoever called said that the clip is
    bell: asyncio.Future[None] | None = None  # while it sleeps
    left: bool = False  # a person has said that the job goes by another id
    alone: bool = False  # an answer about many did not know it, so it is asked about by itself

    def age(self) -> float:
        """Seconds since it was accepted."""
        return time.monotonic() - self.accepted_at

    def looks_again(self, age_s: float, scale: float) -> bool:
        """Note that it is said to be completed without a video, and tell whether that may pass.

        Args:
            age_s: its age, in seconds of this run.
            scale: divides our patience.
        """
        self.empty_since_s = self.empty_since_s or age_s
        self.looks += 1
        long_over = self.was_parked or self.empty_since_s * scale >= _LONG_OVER_S
        pause_s = look_again((age_s - self.empty_since_s) * scale, self.looks, long_over=long_over)
        self.look_again_s = (pause_s or 0.0) / scale
        return pause_s is not None

    def runs_again(self) -> None:
        """Forget that it was said to be completed."""
        self.empty_since_s, self.looks, self.look_again_s = 0.0, 0, 0.0
