"""One row of the manifest: what was ordered, what it cost, and what came. The columns are a contract."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from pipelines.core.image import shown_reference
from pipelines.core.job import Job, Order
from pipelines.core.money import BUCKETS, Bucket
from pipelines.core.status import Billed, JobStatus
from pipelines.core.text.amounts import amount_text, price_text
from pipelines.core.text.times import iso_text
from pipelines.ledger.balances import sum_of
from pipelines.ledger.callbacks import Called
from pipelines.ledger.views import JobRecord


class ManifestRow(BaseModel):
    """One take of one row of the batch. The order of the fields is the order of the columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    row: int  # of the batch file, 1 for the first
    campaign: str
    take: int = 1
    status: JobStatus
    provider: str
    model: str
    prompt: str
    prompt_sha256: str
    params: dict[str, Any] = Field(default_factory=dict)  # what was sent besides prompt and model, without secrets
    task_id: str | None = None
    trace_id: str | None = None
    attempts: int = 0
    submitted_at: AwareDatetime | None = None
    completed_at: AwareDatetime | None = None
    downloaded_at: AwareDatetime | None = None
    url_expires_at: AwareDatetime | None = None
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    has_audio: bool | None = None
    bytes: int | None = None
    sha256: str | None = None
    path: str | None = None  # relative to the output folder, with "/"
    storage_uri: str | None = None
    source_host: str | None = None
    cost_estimated: Decimal | None = None
    cost_actual: Decimal | None = None
    currency: str | None = None
    billed: Billed = Billed.UNKNOWN
    error_code: str | None = None
    error_message: str | None = None
    failed_stage: str | None = None
    flags: tuple[str, ...] = ()
    review: str | None = None
    tags: tuple[str, ...] = ()
    cost_reserved: Decimal | None = None
    cost_uncertain: Decimal | None = None
    cost_basis: Literal["list", "assumed", "rehearsed"] | None = None
    callback: Called | None = None
    own: dict[str, str] = Field(default_factory=dict)  # the user's own columns: they follow after the others

    @property
    def archived(self) -> bool:
        """Tell whether a person has taken it out of the counts."""
        return "archived" in self.flags

    @property
    def removed(self) -> bool:
        """Tell whether the batch file does not name it any more."""
        return "removed" in self.flags

    @property
    def changed(self) -> bool:
        """Its row asks for something else than was bought of it."""
        return "row_changed" in self.flags

    @property
    def replaced(self) -> bool:
        """Tell whether a new take has been made in its place, or is to be."""
        return any(flag.startswith("replaced_by:") for flag in self.flags)

    @property
    def is_uncertain(self) -> bool:
        """Tell whether nobody knows if it is charged: in doubt, or ended and the provider does not say."""
        ended = self.status.meaning.failed and self.billed is Billed.UNKNOWN
        return self.status is JobStatus.IN_DOUBT or ended or self.cost_uncertain is not None

    @property
    def cost(self) -> Decimal | None:
        """What it has cost or, as long as that is not known, what it is expected to cost."""
        return self.cost_estimated if self.cost_actual is None else self.cost_actual

    @property
    def cost_words(self) -> str:
        """What it has cost and may cost, told apart: `0.40 USD`, `uncertain 0.40 USD (assumed)`, `about 0.40 USD`."""
        costs = (self.cost_actual, self.cost_reserved, self.cost_uncertain)
        held = zip(("", "reserved ", "uncertain "), costs, strict=True)
        parts = [f"{what}{price_text(cost, self.currency)}" for what, cost in held if cost is not None]
        if not parts and self.is_uncertain:
            return "uncertain: price not known"
        if not parts and self.cost_estimated is not None and self.status.has_work:
            parts = [f"about {price_text(self.cost_estimated, self.currency)}"]
        return with_basis(", ".join(parts), self.cost_basis)


#: The columns of the manifest, without the user's own.
COLUMNS = tuple(name for name in ManifestRow.model_fields if name != "own")

TIMES = ("submitted_at", "completed_at", "downloaded_at", "url_expires_at")
COSTS = ("cost_estimated", "cost_actual", "cost_reserved", "cost_uncertain")
#: What JSON has as text, nothing altered: times in UTC that end in Z, and costs, so that 0.10 stays 0.10.
AS_TEXT: dict[str, Callable[[Any], str]] = dict.fromkeys(TIMES, iso_text) | dict.fromkeys(COSTS, amount_text)

#: The columns that a record, its job or its order have under the same name, and which of the three has it.
_FOUND_IN = [
    (name, places[0])
    for name in COLUMNS
    if (
        places := [
            place
            for place, kind in enumerate((JobRecord, Job, Order))
            if name in kind.__annotations__ or hasattr(kind, name)
        ]
    )
]
_BESIDES = [name for name in Order.model_fields if name not in ("provider", "model", "prompt", "extra")]
_OF_MEDIA = ("duration_s", "width", "height", "fps", "has_audio")
_OF_FILE = ("bytes", "sha256", "path", "source_host")


def own_names(own_columns: Sequence[str]) -> dict[str, str]:
    """Name each of the user's columns as the manifest does: as it is, or `own_...` where the manifest has that name.

    Case is ignored: Parquet readers such as DuckDB do not tell `Status` from `status`.
    """
    taken = set(COLUMNS)
    names: dict[str, str] = {}
    for column in own_columns:
        name = column
        while name.casefold() in taken:
            name = f"own_{name}"
        taken.add(name.casefold())
        names[column] = name
    return names


def with_basis(words: str, basis: str | None) -> str:
    """Words about money, and behind them that they rest on assumed prices, or that nothing was paid."""
    return f"{words} ({basis})" if words and basis not in (None, "list") else words


def manifest_row(record: JobRecord, *, rehearsed: bool = False) -> ManifestRow:
    """Make a row of what the ledger knows of a job.

    Args:
        record: of the ledger.
        rehearsed: nothing was paid.
    """
    job, order, output = record.job, record.job.order, record.output or {}
    media: dict[str, Any] = output.get("media") or {}
    # Everything that was ordered besides provider, model and prompt, as far as it was said.
    said = {name: value for name in _BESIDES if (value := getattr(order, name)) is not None}
    said["image_urls"] = [shown_reference(reference) for reference in order.image_urls]
    if order.fixed:
        said["fixed"] = order.model_dump(mode="json", include={"fixed"})["fixed"]
    # What earlier submissions hold in another currency: there is no column for it.
    elsewhere = [
        f"{bucket}:{price_text(amount, held.currency)}"
        for held in sum_of(paid for paid in record.payments if paid.currency != job.currency)
        for bucket in BUCKETS
        if (amount := held.of(bucket)[0])
    ]
    parts = (record, job, order)
    values: dict[str, Any] = {name: getattr(parts[place], name) for name, place in _FOUND_IN}
    values |= {name: media.get(name) for name in _OF_MEDIA} | {name: output.get(name) for name in _OF_FILE}
    values |= {
        "prompt_sha256": hashlib.sha256(order.prompt.encode("utf-8", "surrogatepass")).hexdigest(),
        "params": {name: value for name, value in said.items() if value not in ("", [])} | order.extra,
        "task_id": record.provider_job_id,
        "flags": (*record.flags, *(f"also:{clip['path']}" for clip in output.get("more", [])), *elsewhere),
        "cost_reserved": record.held(Bucket.RESERVED),
        "cost_uncertain": record.held(Bucket.UNCERTAIN),
        "cost_basis": ("rehearsed" if rehearsed else "assumed" if record.assumed else "list") if job.currency else None,
    }
    return ManifestRow(**values, own=job.own)
