"""Settings of a YAML batch for the run as a whole: limits, budget, output, delivery."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pipelines.batch.findings import Report
from pipelines.core.text.excerpt import quoted
from pipelines.core.text.suggestion import did_you_mean


class _Setting(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class LimitSettings(_Setting):
    """The pace that this batch may go at. None: as the provider's profile says."""

    in_flight: int | None = Field(None, ge=1, le=100_000)
    per_minute: float | None = Field(None, gt=0, le=1_000_000)
    poll_every: Annotated[
        float | None,
        BeforeValidator(lambda value: value.strip().removesuffix("s").strip() if isinstance(value, str) else value),
    ] = Field(None, ge=0.05, le=86_400)  # seconds


class BudgetSetting(_Setting):
    """The most that this batch may cost. None: no cap of its own."""

    max: Decimal | None = Field(None, ge=0)
    currency: str | None = Field(None, pattern="^[A-Z]{3}$")  # None: that of the prices
    per_day: Decimal | None = Field(None, ge=0)  # over all campaigns, by UTC
    per_month: Decimal | None = Field(None, ge=0)


class Output(_Setting):
    """The place of the videos. `dir` is relative to the batch file."""

    dir: str | None = Field(None, pattern=r"^[^\x00-\x1f]+$")
    filename: str | None = Field(None, min_length=1)  # a template, for rows without a name of their own


class Settings(_Setting):
    """All settings of one batch file; a CSV or JSONL file has none."""

    name: str | None = Field(None, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f/\\]+$")
    provider: str | None = None
    fallback: Annotated[
        tuple[str, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
    ] = ()  # of rows that name none, in order
    limits: LimitSettings = LimitSettings()
    budget: BudgetSetting = BudgetSetting()
    output: Output = Output()
    delivery: Literal["poll", "callback"] = "poll"


#: Of settings that have parts: the one that is meant most often, what its values look like, and an example.
_PARTS = {
    "budget": ("max", r"[0-9]{1,9}(\.[0-9]{1,6})?", "12"),
    "limits": ("in_flight", "[0-9]{1,6}", "4"),
    "output": ("dir", r"[\w./-]{1,80}", "videos"),
}


def parse_settings(values: Mapping[str, Any], file: str, report: Report) -> Settings:
    """Settings from the text of a YAML file. Problems go to the report; what is wrong counts as not given."""
    try:
        return Settings.model_validate(dict(values))
    except ValidationError as error:
        nested: dict[str, type[_Setting]] = {"limits": LimitSettings, "budget": BudgetSetting, "output": Output}
        wrong = {detail["loc"][0] for detail in error.errors(include_url=False)}
        for detail in error.errors(include_url=False):
            path = [str(part) for part in detail["loc"]]
            where = f'{file}, "{".".join(path)}"'
            if detail["type"] == "extra_forbidden":
                report.problem(
                    where,
                    "is not a known setting.",
                    did_you_mean(path[-1], list(nested.get(path[0], Settings).model_fields)),
                )
            elif detail["type"] == "model_type":
                given = str(detail["input"])
                part, form, otherwise = _PARTS[path[-1]]  # with the value that was given, where that can be meant
                fix = f"Write {path[-1]}: {{{part}: {given if re.fullmatch(form, given) else otherwise}}}."
                report.problem(where, f"{quoted(given, 40)} does not say of what.", fix)
            else:
                report.problem(where, f"{quoted(str(detail['input']), 40)} does not fit: {detail['msg']}.")
        return Settings.model_validate({key: value for key, value in values.items() if key not in wrong})
