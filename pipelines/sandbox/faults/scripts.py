"""What goes wrong on purpose, as data: rules that match requests, and what they do. Named scripts: faults.yaml."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from functools import cache
from importlib import resources
from pathlib import Path
from random import Random
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipelines.core.text.strict_yaml import YamlRefused, parse_yaml
from pipelines.sandbox.vendors.hosted.vendors import HOSTED_NAMES

Route = Literal["submit", "status", "download", "callback"]
#: What a rule may be about, besides the names of profiles that the operator added.
CONTRACTS = ("acedata", "openai", "qiniu", "litellm", "vllm-omni", "sglang", "new-api", *HOSTED_NAMES)


#: A header as HTTP can carry it (RFC 9110, 5.1 and 5.5).
HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
HeaderValue = Annotated[str, Field(pattern=r"^([!-~\xa0-\xff]([ -~\xa0-\xff]*[!-~\xa0-\xff])?)?$")]
Status = Annotated[int, Field(ge=200, le=599)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Match(_Data):
    """Which requests a rule is about. All that is given must hold."""

    route: Route
    contract: str | None = None
    nth: tuple[int, ...] = ()  # 1 is the first that matches the route and the contract
    per: Literal["route", "job"] = "route"  # what `nth` counts: all requests, or those for one job
    probability: float = Field(default=1.0, ge=0, le=1)


class Effect(_Data):
    """What happens to a request that a rule is about."""

    status: Status | None = None  # refused with this status in the vendor's envelope; nothing is stored
    code: str | None = None  # the error code in that envelope, where the usual one of the status is not meant
    message: str = "Something went wrong on purpose."
    retry_after: float | None = Field(default=None, ge=0, le=1e9)  # seconds, as a header
    retry_after_as: Literal["seconds", "date", "milliseconds"] = "seconds"  # how that header says it
    #: of any answer, such as x-should-retry; they replace those of the same name
    headers: dict[HeaderName, HeaderValue] = {}
    #: how complete the envelope is, or in whose words
    form: Literal["full", "bare", "string", "null", "x402", "detail"] = "full"
    #: the first four also of the error that a failed Ace task shows: bare is without `success`
    cut: Literal["before", "after"] | None = None  # the connection breaks before, or after, the request is worked off
    delay: float = Field(default=0.0, ge=0)  # seconds that the finished answer waits
    body: Literal["truncated", "malformed", "html", "empty"] | None = None  # what becomes of the answer's JSON
    success_status: Status | None = None  # of an answer that went through, such as 202
    word: str | None = None  # the status word in an answer about an unfinished job
    stamped: bool = False  # an unfinished Ace task already shows `finished_at`
    hiccup: Literal["string", "null"] | None = None  # an unfinished Ace task says `success: false` with such an error
    quiet: bool = False  # a finished request of Qiniu's queue only says COMPLETED: the rest is at `response_url`
    failure_status: Status | None = None  # with which `response_url` tells that a request failed, instead of 422
    instant: bool = False  # an order is finished when it is accepted; Ace's answer to it is the result
    callback: Literal["early", "twice", "never", "forged"] | None = None  # early: before the order is answered;
    #: forged: another one, about a job that does not exist, comes first. `delay` makes a callback late.
    signature: Literal["wrong_key", "stale", "rotated"] | None = None  # of a webhook; rotated: an old and a right one
    progress: Literal["absent", "stuck", "ahead"] | None = None  # of an unfinished job: none, always 0, or already 100
    outcome: Literal["generation_failed", "moderation_blocked", "no_videos", "cancelled"] | None = None
    #: what comes of an accepted order
    file: Literal["expired", "gone", "cut", "short", "html", "trickle", "whole", "redirect"] | None = None
    #: what becomes of a download; redirect: it is at another host

    @field_validator("headers")
    @classmethod
    def _the_length_is_not_a_lie(cls, headers: dict[str, str]) -> dict[str, str]:
        if framing := {"content-length", "transfer-encoding"} & {name.lower() for name in headers}:
            raise ValueError(f"{framing.pop()} says where the answer ends; `file` and `body` break it off")
        return headers


class FaultRule(_Data):
    """One cause and its effect."""

    match: Match
    do: Effect


class Rules(_Data):
    """A script: the first rule that matches a request decides."""

    rules: tuple[FaultRule, ...] = ()


NOTHING = Effect()


@cache
def shipped_scripts() -> dict[str, Rules]:
    """The scripts that come with the sandbox, by name."""
    text = resources.files("pipelines.sandbox.faults").joinpath("faults.yaml").read_text("utf-8")
    return {name: Rules.model_validate({"rules": rules}) for name, rules in parse_yaml(text).value.items()}


def rules_named(name: str) -> Rules:
    """A shipped script, or the rules in a YAML or JSON file. A ValueError lists the names, or says what is no rule."""
    if name == "none":
        return Rules()
    path = Path(name)
    try:
        if path.is_file():
            return rules_in(path.read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"{name!r} cannot be read ({error.strerror})") from None
    try:
        return shipped_scripts()[name]
    except KeyError:
        known = ", ".join(["none", *shipped_scripts()])
        raise ValueError(f"There is no fault script {name!r} and no such file. Known scripts: {known}.") from None


def rules_in(text: str | bytes) -> Rules:
    """Rules from a text in YAML or JSON (JSON is YAML), or a ValueError."""
    try:
        return rules_from(parse_yaml(text if isinstance(text, str) else text.decode("utf-8")).value)
    except YamlRefused as error:
        raise ValueError(f"this is not YAML as it is read here (line {error.line or 1}: {error})") from None


def rules_from(document: Any) -> Rules:
    """Rules from a list, or from an object with `rules` or the name of a `script`; a ValueError says what is wrong."""
    if isinstance(document, list):
        document = {"rules": document}
    if isinstance(document, dict) and set(document) == {"script"}:
        return rules_named(str(document["script"]))
    try:
        return Rules.model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


class Faults:
    """Rules at work: counts what came by, and says what happens to the next request."""

    def __init__(self, rules: Rules, seed: int, contracts: Collection[str] = CONTRACTS) -> None:
        """Take the rules; one about a contract that is not served is a ValueError."""
        for rule in rules.rules:
            if rule.match.contract not in (None, *contracts):
                raise ValueError(f"There is no contract {rule.match.contract!r}. Known: {', '.join(contracts)}.")
        self.rules = rules
        self.applied: Counter[int] = Counter()  # by the rule's place
        self._seen: Counter[tuple[int, str]] = Counter()
        self._chance = Random(f"faults {seed}")

    def effect(self, route: str, contract: str, job: str) -> Effect:
        """What the first rule that matches does; every rule counts every request that it is about."""
        found = NOTHING
        for place, rule in enumerate(self.rules.rules):
            match = rule.match
            if match.route != route or match.contract not in (None, contract):
                continue
            key = (place, job if match.per == "job" else "")
            self._seen[key] += bool(match.nth)
            is_due = not match.nth or self._seen[key] in match.nth
            if is_due and (match.probability >= 1 or self._chance.random() < match.probability) and found is NOTHING:
                self.applied[place] += 1
                found = rule.do
        return found
