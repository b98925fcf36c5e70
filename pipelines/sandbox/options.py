"""The options of a sandbox, and how they are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipelines.sandbox.faults.scripts import rules_named
from pipelines.sandbox.orders.latency import Latency


class SandboxOptions(BaseModel):
    """How a sandbox behaves. Every field is also an option of `reelbatch sandbox` and of the module itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    port: int = Field(default=0, ge=0, le=65535, description="port on loopback; 0 takes a free one")
    bill: Path | None = Field(default=None, description="file of the bill; without one it is kept in memory only")
    speed: float = Field(
        default=1.0,
        gt=0,
        description="divides the vendors' usual waiting times, and the pauses of callbacks that nobody takes",
    )
    latency: str | None = Field(
        default=None,
        description="waiting time in seconds instead of the usual ones: 1, uniform:2-5, or lognormal:120,0.3"
        " (median, sigma); speed does not apply to it",
    )
    faults: str = Field(default="none", description="name of a fault script, or a YAML or JSON file of rules")
    seed: int = Field(default=0, description="makes every draw repeatable")
    in_flight_cap: int | None = Field(
        default=None, ge=1, description="unfinished jobs that one key may have with a vendor, over all its services"
    )
    submit_rate: float | None = Field(
        default=None, gt=0, description="orders a second that one key may place with a vendor"
    )
    submit_window: float | None = Field(
        default=None, gt=0, description="seconds over which orders are counted, 60 for a rate a minute; usually one"
    )
    status_rate: float | None = Field(
        default=None, gt=0, description="status queries a second that one key may make of a vendor"
    )
    link_lifetime: float | None = Field(default=None, gt=0, description="seconds a file can be had, for all contracts")
    poll_after_ms: int | None = Field(
        default=None,
        ge=1,
        description="what OpenAI's answers say of when to ask again; usually a share of the job's time",
    )
    webhook_url: str | None = Field(default=None, description="address on this machine that OpenAI's webhooks go to")
    webhook_secret: str | None = Field(default=None, description="what they are signed with, such as whsec_...")
    profile: tuple[Path, ...] = Field(
        default=(), description="profile of a server of your own, served as it describes it; may be given again"
    )
    renders: Literal["full", "light"] = Field(
        default="full", description="light clips are valid but blank, and cost next to nothing: for measuring clients"
    )
    ace_accepts: Literal["task_id", "success", "nested"] = Field(
        default="task_id",
        description="form of Ace's immediate answer: {task_id}, {success, task_id}, or {success, data: {task_id}}",
    )
    ace_shapes: Literal["spec", "fixture"] = Field(
        default="spec",
        description="where Ace's specification and the tests of its own tools show other results: which of the two",
    )

    @field_validator("latency")
    @classmethod
    def _latency_can_be_read(cls, spec: str | None) -> str | None:
        if spec is not None:
            Latency.parse(spec)
        return spec

    @field_validator("faults")
    @classmethod
    def _faults_can_be_read(cls, name: str) -> str:
        rules_named(name)
        return name

    def arguments(self) -> list[str]:
        """These options as arguments of the command."""
        given = self.model_dump(mode="json", exclude_defaults=True).items()
        each = ((name, part) for name, value in given for part in (value if isinstance(value, list) else [value]))
        return [part for name, value in each for part in (f"--{name.replace('_', '-')}", str(value))]


def first_problem(error: ValidationError) -> str:
    """What is wrong with the first option that cannot be so, in one line that names it as it is typed."""
    first = error.errors()[0]
    name = str(first["loc"][0]).replace("_", "-")
    return f"--{name}: {first['msg'].removeprefix('Value error, ').removesuffix('.')}."
