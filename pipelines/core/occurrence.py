"""An occurrence of a campaign that comes again and again: one tick of its schedule, with a folder and orders of its own.

Two rules of time: its *day*, which templates name as `{{ date }}`, is the day in the time zone of the campaign
(`advanced.timezone`, UTC where none is set), so that a tick at 00:30 in Berlin belongs to the day that begins there. Its
*key*, which names folder and ledger, is the moment in UTC: no clock change makes two ticks one, and another time zone
leaves the folders of old ticks where they are.

Its *words*, by which its run is named, carry the offset in every zone but UTC: copied, they are read back as the same moment
by whoever does not know the zone. What templates insert has none: it is part of prompts that were paid for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipelines.core.errors import SetupError


@dataclass(frozen=True, slots=True)
class Occurrence:
    """When a campaign is due: a moment, or a whole day."""

    date: date  # in the time zone of the schedule
    at: datetime | None = None  # aware, in that zone; None: the whole day

    @property
    def key(self) -> str:
        """Its name as a folder and in a ledger: `2026-11-21`, or `2026-11-21T02-00-00Z` (always in UTC)."""
        return self.date.isoformat() if self.at is None else self.at.astimezone(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")

    @property
    def words(self) -> str:
        """As people read and copy it, in the time zone of the schedule: `2026-11-21 02:00+01:00`; of UTC `2026-11-21 02:00`."""
        if self.at is None or str(self.at.tzinfo) == "UTC":
            return self.clock
        return self.at.isoformat(" ", "seconds" if self.at.second else "minutes")

    @property
    def clock(self) -> str:
        """What a clock and a calendar on the wall show there: `2026-11-21 02:00`. When clocks are put back it comes twice."""
        if self.at is None:
            return self.date.isoformat()
        return self.at.replace(tzinfo=None).isoformat(" ", "seconds" if self.at.second else "minutes")

    @property
    def variables(self) -> dict[str, str]:
        """What templates may name: `{{ date }}` and `{{ occurrence }}`."""
        return {"date": self.date.isoformat(), "occurrence": self.clock}


def occurrence_at(moment: datetime, timezone: str = "UTC") -> Occurrence:
    """The occurrence of a schedule's tick.

    Args:
        moment: aware.
        timezone: of the schedule, such as `Europe/Berlin`; its day is the day of the occurrence.

    Raises:
        SetupError: there is no such time zone.
    """
    local = moment.astimezone(_zone(timezone)).replace(microsecond=0)
    return Occurrence(local.date(), local)


def occurrence_named(text: str, timezone: str = "UTC") -> Occurrence:
    """Read an occurrence as a person or a schedule names it: `2026-11-21`, `2026-11-21T02:00`, its words, or its folder's name.

    Args:
        text: a day, or a moment; one without an offset is a moment of the time zone.
        timezone: of the schedule. Where none but UTC is named, the day of a moment with an offset is that of the offset, so
            that the words of a tick give its day to whoever does not know its zone.

    Raises:
        SetupError: it is neither, or there is no such time zone.
    """
    zone, plain = _zone(timezone), text.strip()
    try:
        if len(plain) == len("2026-11-21"):
            return Occurrence(date.fromisoformat(plain))
        if plain.endswith("Z") and plain.count("-") == 4:  # noqa: PLR2004 - a folder's name: 2026-11-21T02-00-00Z
            return occurrence_at(datetime.strptime(plain, "%Y-%m-%dT%H-%M-%SZ").replace(tzinfo=UTC), timezone)
        moment = datetime.fromisoformat(plain)
        found = occurrence_at(moment if moment.tzinfo else moment.replace(tzinfo=zone), timezone)
    except (ValueError, OverflowError):
        raise SetupError(
            f"{text!r} is no occurrence. Write a day or a moment: 2026-11-21, 2026-11-21T02:00, 2026-11-21 02:00+01:00."
        ) from None
    if moment.tzinfo is None or timezone != "UTC":
        return found
    return Occurrence(moment.date(), moment.replace(microsecond=0))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SetupError(f"There is no time zone {name!r}. Write one such as Europe/Berlin or UTC.") from None
