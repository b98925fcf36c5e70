"""The provider's own bill: one line per accepted order, appended before the client is answered. It is all the state."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Purchase:
    """One accepted order. Everything that is ever answered about it follows from this line and the clock."""

    seq: int
    id: str
    contract: str
    account: str  # short hash of the key
    model: str
    prompt: str
    seconds: float  # a whole number, unless frames were ordered
    size: str
    orientation: str | None
    width: int
    height: int
    sha256: str  # of what was ordered: two equal ones are the same clip bought twice
    created: float  # Unix seconds
    latency_s: float
    outcome: str  # "completed" or an error code
    price: float  # in the vendor's currency, charged only on success
    request: str | None = None  # the order as JSON, where the contract echoes it
    callback_url: str | None = None
    remixed_from: str | None = None
    service: str = ""  # which of the contract's services or protocols sold it, where there are several
    clips: int = 1  # files that it has in the end

    @property
    def finished(self) -> float:
        """When it is done, well or badly."""
        return self.created + self.latency_s

    @property
    def succeeds(self) -> bool:
        """Tell whether it ends well; a clip that moderation took away ends well by its word, and is not charged."""
        return self.outcome in ("completed", "no_videos")

    @property
    def has_file(self) -> bool:
        """Tell whether there is anything to download in the end."""
        return self.outcome == "completed"

    def nth(self, number: int) -> Purchase:
        """One of several clips as a purchase of its own, so that each has a picture of its own."""
        return self if number == 1 else replace(self, id=f"{self.id}-{number}")


@dataclass(frozen=True, slots=True)
class ParsedOrder:
    """A valid order, before it is sold."""

    contract: str
    model: str
    prompt: str
    seconds: float
    size: str
    pixels: tuple[int, int]
    fields: dict[str, Any]  # as they were sent
    orientation: str | None = None
    callback_url: str | None = None
    remixed_from: str | None = None
    echoed: bool = False  # the contract shows the order again
    service: str = ""  # as on the bill
    clips: int = 1
    price: float | None = None  # where the price list here does not know it
    usual_s: float | None = None  # seconds that it usually takes, where that is not known here

    @classmethod
    def remix(cls, source: Purchase, prompt: str, **more: Any) -> Self:
        """The order of a clip like another one but for its prompt."""
        fields = {"prompt": prompt, "remix_of": source.id}
        alike = {"contract": source.contract, "model": source.model, "seconds": source.seconds, "size": source.size}
        pixels = (source.width, source.height)
        return cls(**{**alike, "prompt": prompt, "pixels": pixels, "fields": fields, "remixed_from": source.id, **more})


class Bill:
    """The lines of the bill, in memory and, if there is a file, on disk."""

    def __init__(self, file: Path | None) -> None:
        self.purchases: dict[str, Purchase] = {}
        self.by_account: defaultdict[str, list[Purchase]] = defaultdict(list)
        self.deleted: set[str] = set()
        self._descriptor: int | None = None
        if file is not None:
            self._load(file)
            self._descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o644)

    def add(self, purchase: Purchase) -> None:
        """Writes the line, then knows it."""
        self._append("bought", purchase.created, **asdict(purchase))
        self._know(purchase)

    def delete(self, identifier: str, now: float) -> None:
        """Forgets the file of a purchase; its line stays."""
        self._append("deleted", now, id=identifier)
        self.deleted.add(identifier)

    def cancel(self, identifier: str, now: float) -> Purchase:
        """End an unfinished purchase now, without a file: it is not charged. What it is from now on."""
        self._append("cancelled", now, id=identifier, ended=now)
        return self._cancelled(identifier, now)

    def find(self, identifier: str, contract: str, account: str | None, service: str | None = "") -> Purchase | None:
        """The purchase of that id, if this service of the contract and this account (None: any) may see it."""
        found = None if identifier in self.deleted else self.purchases.get(identifier)
        if found is None or found.contract != contract or account not in (None, found.account):
            return None
        return found if service in (None, found.service) else None

    def bought(self, account: str, contract: str) -> list[Purchase]:
        """What an account has of a contract, the oldest first, without what it deleted."""
        own = self.by_account[account]
        return [purchase for purchase in own if purchase.contract == contract and purchase.id not in self.deleted]

    def close(self) -> None:
        """Closes the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _know(self, purchase: Purchase) -> None:
        self.purchases[purchase.id] = purchase
        self.by_account[purchase.account].append(purchase)

    def _cancelled(self, identifier: str, now: float) -> Purchase:
        before = self.purchases[identifier]
        after = replace(before, outcome="cancelled", latency_s=max(0.0, now - before.created))
        own = self.by_account[before.account]
        own[own.index(before)] = self.purchases[identifier] = after
        return after

    def _append(self, event: str, moment: float, **line: Any) -> None:
        if self._descriptor is not None:
            at = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
            os.write(self._descriptor, json.dumps({"event": event, "at": at, **line}).encode() + b"\n")

    def _load(self, file: Path) -> None:
        if not file.exists():
            return
        data = file.read_bytes()
        for text in data.splitlines():
            try:
                line = json.loads(text)
            except ValueError:  # torn by a crash before its order was answered
                continue
            try:
                event = line.pop("event")
                if event == "deleted":
                    self.deleted.add(line["id"])
                elif event == "cancelled":
                    self._cancelled(line["id"], line["ended"])
                else:
                    del line["at"]
                    self._know(Purchase(**line))
            except (AttributeError, KeyError, TypeError):  # somebody else's file: nothing is added to it
                raise ValueError(f"{file} is no bill of a sandbox") from None
        if data and not data.endswith(b"\n"):
            with file.open("ab") as end:  # a torn line must not swallow the next one
                end.write(b"\n")
