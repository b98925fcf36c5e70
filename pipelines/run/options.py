"""What a person may choose for one run, from the command line, a deployment or the Prefect form."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from pipelines.core.errors import SetupError
from pipelines.core.occurrence import Occurrence, occurrence_named
from pipelines.core.remote_folder import folder_named
from pipelines.providers.profile.scalars import TrustedHost
from pipelines.providers.responses.json_values import is_link

#: The environment variable that names further hosts to trust, with commas between them.
TRUSTED_BY_ENVIRONMENT = "REELBATCH_TRUST_HOSTS"
#: The fault scripts of the sandbox, as the form of Prefect offers them; an own file of rules may be named as well.
_FLAGS = {"trust-hosts": "trust-host"}
_OF_A_REHEARSAL = ("faults", "speed", "latency")
FAULTS = ("none", "rough", "storm", "expired-links", "ambiguous", "rate-limited", "moderated", "fickle")


def _address(text: str) -> str:
    if not is_link(text):
        raise PydanticCustomError("address", "Not an http or https address")
    return text


def _folder(place: Any) -> Any:
    return None if place is None else folder_named(place)


class AdvancedOptions(BaseModel):
    """The choices of a run that few need. What is left empty comes from the batch file, then from the provider's profile."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    poll_every: float | None = Field(
        None, gt=0, description="Seconds between status queries of a job. Default: learned."
    )
    wait_for_provider: float = Field(600.0, ge=0, description="Seconds to wait for a provider that cannot be reached.")
    fallback: tuple[str, ...] = Field((), description="Providers to turn to when a row is surely refused, in order.")
    occurrences: Literal["each", "once"] = Field(
        "each",
        description="each: every tick of a schedule is made anew, in a folder of its own. once: what is made stays made.",
    )
    occurrence: str | None = Field(
        None,
        description="The occurrence to make or go on with, as its run is named, such as 2026-11-21 02:00+01:00. Default: that "
        "of the tick.",
    )
    timezone: str = Field("UTC", description="The time zone whose day {{ date }} is, such as Europe/Berlin.")
    ledger: str | None = Field(
        None,
        repr=False,  # it may have a password in it
        description="Where the ledger is: a path, or postgresql://host/database, which machines may share. Default: what "
        "the folder remembers, else REELBATCH_LEDGER, else ledger.sqlite3 in the output folder.",
    )
    callback_url: Annotated[str, AfterValidator(_address)] | None = Field(
        None,
        description="Where providers reach the receiver of callbacks, such as https://hooks.example.com; each order adds a "
        "token of its own. Polling goes on, more slowly.",
    )
    callback_listen: str | None = Field(
        None, description="HOST:PORT on which the run itself receives callbacks, such as 127.0.0.1:8900."
    )
    insecure_callbacks: bool = Field(
        False,  # noqa: FBT003 - pydantic has defaults first
        description="Listen for callbacks where others can reach it, and have them called, without TLS.",
    )
    again: bool = Field(
        False,  # noqa: FBT003 - pydantic has defaults first
        description="Buy also what was bought before, by whatever run and into whatever folder.",
    )
    budget_per_day: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="The most that all campaigns together may spend in a day (UTC), in the currency of the prices. "
        "Default: the lower of budget.per_day of the batch file and REELBATCH_BUDGET_PER_DAY.",
    )
    budget_per_month: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="The same for a month: REELBATCH_BUDGET_PER_MONTH."
    )
    trust_hosts: tuple[TrustedHost, ...] = Field(
        (),
        description="HOST or HOST:PORT that files may come from, though it is private or the port is an odd one. "
        f"{TRUSTED_BY_ENVIRONMENT} adds to these.",
    )
    profiles: tuple[Path, ...] = Field((), description="Further profiles of providers, as YAML files.")
    faults: str = Field(
        "none", description="Rehearsal only: a fault script of the sandbox.", json_schema_extra={"enum": [*FAULTS]}
    )
    speed: float = Field(60.0, gt=0, description="Rehearsal only: how much faster than life the sandbox works.")
    latency: str | None = Field(None, description="Rehearsal only: how long a job takes, such as 1 or uniform:2-5.")


class RunOptions(AdvancedOptions):
    """Every choice of one run."""

    rehearse: bool = Field(False, description="Send everything to the embedded sandbox; nothing is paid.")  # noqa: FBT003 - pydantic has defaults first
    budget: Decimal | None = Field(None, gt=0, description="The most that may be spent, in the currency of the prices.")
    provider: str | None = Field(None, description="Provider for rows that name none.")
    out: Annotated[Path | None, BeforeValidator(_folder)] = Field(
        None,
        description="Output folder, or the address of one in a bucket, of which this is the working folder. Default: "
        "outputs/<name of the batch> beside the batch.",
    )
    in_flight: int | None = Field(None, ge=1, le=10_000, description="Jobs at each provider at once.")
    per_minute: float | None = Field(None, gt=0, description="Submissions a minute to each provider.")
    limit: int | None = Field(None, ge=1, description="Only the first so many jobs that are not done.")
    only: tuple[str, ...] = Field((), description="Only the jobs with these ids.")
    root: Path | None = None  # where folders lie that have no place of their own: of a deployment
    needs_cap: bool = False  # its deployment is a rehearsal or has a cap: to pay without one nobody has agreed

    @classmethod
    def of(cls, advanced: AdvancedOptions, **flat: Any) -> RunOptions:
        """Put together what Prefect's form asks for in two places."""
        return cls.model_validate({**advanced.model_dump(), **flat})

    @property
    def tick(self) -> Occurrence | None:
        """The occurrence that the run is for.

        Raises:
            SetupError: it cannot be read.
        """
        return None if self.occurrence is None else occurrence_named(self.occurrence, self.timezone)

    def advanced(self) -> AdvancedOptions:
        """The part of it that few need."""
        return AdvancedOptions.model_validate(self.model_dump(include=set(AdvancedOptions.model_fields)))


def chosen_options(given: Mapping[str, Any]) -> RunOptions:
    """Read the choices of a run, as the command line names them.

    Args:
        given: by name; None is not given, and what is no choice of a run is left out.

    Raises:
        SetupError: one makes no sense, or is a rehearsal's while this is to be a run that costs money.
    """
    chosen = {name: given[name] for name in RunOptions.model_fields if given.get(name) is not None}
    if not chosen.get("rehearse") and (odd := [f"--{name}" for name in _OF_A_REHEARSAL if name in chosen]):
        names = ", ".join(odd)
        raise SetupError(
            f"Only a rehearsal has {names}, and this run would be paid for. Add --rehearse, or leave out {names}."
        )
    try:
        return RunOptions.model_validate(chosen)
    except ValidationError as error:
        first = error.errors()[0]
        name, value = str(first["loc"][0]).replace("_", "-"), first["input"]
        shown = "" if name == "callback-url" else f" {value}"  # it has a token in it
        said = "Write a number such as 2.50" if first["type"] == "decimal_parsing" else first["msg"]
        raise SetupError(f"--{_FLAGS.get(name, name)}{shown}: {said}.") from None
