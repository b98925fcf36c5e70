"""One row of the manifest: what was ordered, what it cost, and what came. The columns are a contract."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from pipelines.core.status import Billed, JobStatus
from pipelines.core.text.times import iso_text


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
    own: dict[str, str] = Field(default_factory=dict)  # the user's own columns: they follow after the others

    @property
    def is_uncertain(self) -> bool:
        """Whether nobody knows if it is charged: it is in doubt, or has ended and the provider does not say."""
        return self.status is JobStatus.IN_DOUBT or (self.status.meaning.failed and self.billed is Billed.UNKNOWN)


#: The columns of the manifest, without the user's own.
COLUMNS = tuple(name for name in ManifestRow.model_fields if name != "own")


def own_names(own_columns: Sequence[str]) -> dict[str, str]:
    """The manifest's name for each of the user's columns: itself, or `own_...` where the manifest has that name.

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


def exact_values(row: ManifestRow, own: Mapping[str, str]) -> dict[str, Any]:
    """A row for JSON: nothing is altered. Costs are text, so that 0.10 stays 0.10; times are UTC and end in Z.

    Args:
        row: the row.
        own: the user's columns, and the names that they have in the manifest.
    """
    values: dict[str, Any] = {name: _json_value(getattr(row, name)) for name in COLUMNS}
    values.update((name, row.own.get(column)) for column, name in own.items())
    return values


def flat_values(row: ManifestRow, own: Mapping[str, str]) -> dict[str, Any]:
    """A row for tables: scalars only. Flags and tags are joined by "; ", params is JSON text; times and costs stay."""
    values: dict[str, Any] = {name: getattr(row, name) for name in COLUMNS}
    values["status"], values["billed"] = row.status.value, row.billed.value
    values["params"] = json.dumps(row.params, ensure_ascii=False, default=str)
    values["flags"], values["tags"] = "; ".join(row.flags), "; ".join(row.tags)
    values.update((name, row.own.get(column)) for column, name in own.items())
    return values


def _json_value(value: Any) -> Any:
    match value:
        case datetime():
            return iso_text(value)
        case Decimal():
            return plain(value)
        case tuple():
            return list(value)
        case _:
            return value


def plain(amount: Decimal) -> str:
    """An amount without exponent, with two decimals or as many as matter: 0.40, not 0.4 or 4E-1; and 0.045."""
    exponent = amount.normalize().as_tuple().exponent
    return f"{amount:.{max(2, -exponent)}f}" if isinstance(exponent, int) else f"{amount:f}"
