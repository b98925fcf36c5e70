"""A provider as a data file: paths, parameters, limits, prices, words. What differs between providers is data, not code.

The shipped profiles are the YAML files beside this module; docs/profiles.md explains each field.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field, StrictBool

from pipelines.core.job import Order
from pipelines.core.outcome import RefusalKind
from pipelines.providers.profile.exchange import Answers, Auth, Charged
from pipelines.providers.profile.order_parts import Images, Orientation, Parameter, Remix, Seconds, Size
from pipelines.providers.profile.scalars import Address, Day, TrustedHost, Variable, Wait
from pipelines.providers.profile.terms import Limits, Price, ProfilePart, Timing

ContractName = Literal["openai", "acedata", "veo", "fal", "described"]
MODERATED = "moderation_blocked"  #: the code of a job that moderation has ended, wherever its provider says so
Capability = Literal["list", "delete", "variants"]
PathName = Literal["submit", "status", "result", "content", "list", "delete", "cancel"]


class _Data(BaseModel):
    model_config = ProfilePart.model_config


class Mode(_Data):
    """One consistent set of rules of an API: what may be combined, and under which names it is sent."""

    name: str  # how messages call it
    contract: ContractName | None = None  # where one provider speaks several protocols; None: the profile's
    models: tuple[str, ...] = Field(min_length=1)  # those that follow these rules
    model_field: str | None = "model"  # None: the model is not sent (it is implied, or part of the path)
    default_model: str | None = None  # of a row that names none and fits this mode; None: the profile's
    prompt_field: str = "prompt"  # the name in the request
    prompt_style: Literal["text", "content"] = "text"  # content: prompt and images are one list of typed items
    prompt_most: int | None = Field(None, ge=1)  # None: the profile's
    prompt_optional: StrictBool = False  # a row may go without a prompt
    seconds: Seconds | None = None  # None: the provider decides the length
    size: Size | None = None  # None: the provider decides the size
    orientation: Orientation | None = None  # None: it is only a way to pick a size
    images: Images = Images()  # which reference images it takes
    character: StrictBool = False  # character_url with character_start and character_end
    fixed: dict[str, Any] = {}  # sent with every request of this mode
    headers: dict[str, str] = {}  # sent with every request about a job of this mode
    paths: dict[PathName, str] = {}  # contract described: where its own differ from the profile's
    parameters: dict[str, Parameter] = {}  # the provider's further parameters, accepted as columns
    remix: Remix | None = None  # None: it makes none
    callback_field: str | None = None  # None: the profile's
    base_url_drops: str = ""  # an ending of the base URL that this protocol goes without, such as /v1
    timing: Timing | None = None  # None: the profile's
    results: tuple[str, ...] = ()  # where a finished answer names its files; empty: the profile's
    sound: StrictBool = True  # its clips usually have sound; one without is flagged


#: Whom the sandbox plays without a profile.
SandboxDialect = Literal[
    "acedata",
    "ark",
    "dashscope",
    "fal",
    "google-veo",
    "kling",
    "litellm",
    "luma",
    "minimax",
    "new-api",
    "openai",
    "qiniu",
    "replicate",
    "runway",
    "sglang",
    "vidu",
    "vllm-omni",
]


class Profile(_Data):
    """One provider, as far as it differs from another."""

    name: str = Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)  # how batch files call it
    title: str  # who it is, for people
    contract: ContractName  # which client speaks to it
    base_url: Address  # up to where its paths begin
    key_env: tuple[Variable, ...] = ()  # empty: <NAME>_API_KEY
    base_url_env: tuple[Variable, ...] = ()  # empty: <NAME>_BASE_URL
    needs_key: StrictBool = True  # False: a server of one's own that may go without
    default_model: str  # of a row that names none
    prompt_most: int = Field(ge=1)  # how long a prompt may be
    prompt_counted_in: Literal["characters", "bytes", "utf16"] = "characters"  # what that length counts
    modes: tuple[Mode, ...] = Field(min_length=1)  # what it can do; a row goes to the first that takes all it gives
    open_models: StrictBool = (
        False  # other servers speak this contract: unknown models, lengths and WxH sizes only warn
    )
    encoding: Literal["json", "multipart", "auto", "urlencoded"] = "json"
    #: auto: multipart only with a file to upload; urlencoded: application/x-www-form-urlencoded, contract described.
    #: In both forms all is text, and what is nested goes as JSON text
    fixed: dict[str, Any] = {}  # sent with every request of every mode
    prices: tuple[Price, ...] = ()  # the first row that fits an order is its price; none: unknown
    timing: Timing = Timing()  # what waiting is usually like
    limits: Limits = Limits()  # what one account may ask for
    service: str = Field("sora", pattern="^[A-Za-z0-9._~-]+$")  # acedata contract: the first path segment
    auth: Auth = Auth()  # how the key is shown
    headers: dict[str, str] = {}  # sent with every request
    idempotency_header: str | None = Field(None, pattern=r"^[A-Za-z0-9-]+$")  # takes a name for each attempt
    attempt_field: str | None = None  # the same, as a field of the order
    paths: dict[PathName, str] = {}  # where they differ; {id}, {service}; contract described: {model}, a parameter
    answers: Answers | None = None  # contract described: where answers say what
    id_path: str | None = None  # where the answer to a submission has the id; None: the contract's usual places
    repeats_id: StrictBool = True  # False: its later answers may name a job otherwise than the answer to its submission
    status_path: str | None = None  # where a status answer has its word; None: the contract's usual places
    results: tuple[str, ...] = ()  # where a finished answer names its files, best first; "content": the content path
    trust_hosts: tuple[TrustedHost, ...] = ()  # HOST or HOST:PORT of its files, though private or on an odd port
    words: dict[
        str, Literal["running", "succeeded", "failed", "cancelled"]
    ] = {}  # its own words for how a job stands; a word that nobody knows means running
    errors: dict[str, RefusalKind] = {}  # error codes whose meaning the HTTP status does not tell
    refusals: dict[str, RefusalKind] = {}  # words of an error message that rule out a charge, also with HTTP 5xx
    supports: tuple[Capability, ...] = ()  # further requests that it answers
    list_parameters: dict[str, str] = {}  # sent with every request for a list
    cancel_method: Literal["POST", "PUT"] | None = None  # of the request at `paths.cancel`; None: POST
    callback_field: str | None = None  # the field of a submission that takes an address to call
    callback_query: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]+$")  # the same, as a part of the order's address
    callback_answer: str = ""  # the text with which it wants its calls acknowledged
    answer_within_s: Wait = 60.0  # how long the answer to a submission may take
    on_server_error: Literal["in_doubt", "rejected"] = "in_doubt"  # what an HTTP 5xx with a code means for a payment
    wants_https: StrictBool = False  # it says that it opens https addresses of pictures only: warn of others
    not_offered: dict[str, str] = {}  # fields of its requests that are none of ours, and what to do instead: warn
    bills_failures: Charged = "unknown"  # whether a job that fails is charged
    failure_bills: dict[RefusalKind, Charged] = {}  # the same by what the failure is about, such as moderation
    bills_cancelled: Charged | None = None  # whether a job that was cancelled is charged; None: unknown
    from_documents: Day | None = None  # written on that day from the vendor's documents, and not tried live
    retired_on: Day | None = None  # since when nobody answers at `base_url`
    retired_models: dict[str, Day] = {}  # the same for single models
    sandbox: SandboxDialect | None = (
        None  # whose part of the sandbox plays it in a rehearsal; None: one is made of the profile
    )
    notes: tuple[str, ...] = ()  # what a user should know; shown by `reelbatch providers NAME`

    def mode(self, name: str) -> Mode:
        """The mode of that name.

        Raises:
            KeyError: there is none; orders are made by the planner, so this is a bug.
        """
        for mode in self.modes:
            if mode.name == name:
                return mode
        raise KeyError(name)

    def contract_of(self, mode_name: str) -> ContractName:
        """The protocol that a mode's jobs speak."""
        for mode in self.modes:
            if mode.name == mode_name and mode.contract is not None:
                return mode.contract
        return self.contract

    def has_model_in_path(self, mode: Mode) -> bool:
        """Whether a mode's orders go to a path that its model is a part of."""
        submit = (self.paths | mode.paths).get("submit", "")
        return self.contract_of(mode.name) == "fal" or "{model}" in submit or "{+model}" in submit

    def dropped_by(self, mode_name: str, contract: ContractName) -> str:
        """The ending of the base URL that a mode goes without, or, where it has gone, any mode of its protocol."""
        speakers = [mode for mode in self.modes if (mode.contract or self.contract) == contract]
        speakers.sort(key=lambda mode: mode.name != mode_name)
        return next((mode.base_url_drops for mode in speakers), "")

    def timing_of(self, order: Order) -> Timing:
        """The usual waiting time of such an order, also where its mode has gone from the profile since."""
        return next((mode.timing for mode in self.modes if mode.name == order.mode), None) or self.timing

    def prompt_most_of(self, mode_name: str) -> int:
        """The greatest length of a prompt in a mode, counted as `prompt_counted_in` says."""
        return self.mode(mode_name).prompt_most or self.prompt_most

    def callback_field_of(self, mode_name: str) -> str | None:
        """The field of an order that takes an address to call, or None where the provider never calls."""
        return next((mode.callback_field for mode in self.modes if mode.name == mode_name), None) or self.callback_field

    def calls_back(self, mode_name: str) -> bool:
        """Whether orders of a mode take an address to call, in a field or in their own address."""
        return self.callback_query is not None or self.callback_field_of(mode_name) is not None

    def clips_of(self, order: Order) -> int:
        """The number of clips that one order makes, and is charged for."""
        rules = next((mode.parameters for mode in self.modes if mode.name == order.mode), {})
        counted = {rule.field or name: rule for name, rule in rules.items() if rule.multiplies_price}
        return math.prod(
            int(order.extra.get(name, rule.default_for(order.model) or 1)) for name, rule in counted.items()
        )

    def billed_for(self, code: str | None, *, is_cancelled: bool = False) -> Charged:
        """Whether a job that failed with this code is charged: as for its kind of failure, else as for any."""
        if is_cancelled:
            return self.bills_cancelled or "unknown"  # it may have been half made
        kind = self.errors.get(code or "", "moderation" if code == MODERATED else None)
        return self.failure_bills.get(kind, self.bills_failures) if kind is not None else self.bills_failures

    def price_of(self, order: Order) -> Price | None:
        """The first price row that fits, or None where the profile knows no price."""
        return next((price for price in self.prices if price.fits(order)), None)

    @property
    def key_names(self) -> tuple[str, ...]:
        """The environment variables that may hold the key, the first that is set wins."""
        return self.key_env or (self.own_key_name,)

    @property
    def own_key_name(self) -> str:
        """The environment variable for the key that goes with the name."""
        return f"{self._variable}_API_KEY"

    @property
    def key_remedy(self) -> str:
        """What to set where a key is refused: the key, or how a profile that describes its API shows it."""
        remedy = f"Set a valid {self.key_names[0]}"
        if "described" not in {self.contract, *(mode.contract for mode in self.modes)}:
            return remedy
        check = f"`reelbatch providers check {self.name}` shows the header"
        return f"{remedy} (or `auth` in its profile is not as this API wants it: {check})"

    @property
    def base_url_names(self) -> tuple[str, ...]:
        """The environment variables that may hold another address."""
        return self.base_url_env or (f"{self._variable}_BASE_URL",)

    @property
    def _variable(self) -> str:
        return self.name.upper().replace("-", "_")

    def key_from(self, environment: Mapping[str, str]) -> str | None:
        """The API key, from the first variable that is set and not empty."""
        return next((environment[name].strip() for name in self.key_names if environment.get(name, "").strip()), None)

    def base_url_from(self, environment: Mapping[str, str]) -> tuple[str, bool]:
        """The address of the API without a trailing slash, and whether the operator set it."""
        name = self.base_url_set_by(environment)
        return (environment[name].strip().rstrip("/"), True) if name is not None else (self.base_url, False)

    def base_url_set_by(self, environment: Mapping[str, str]) -> str | None:
        """The variable that holds another address, or None where the profile's own counts."""
        return next((name for name in self.base_url_names if environment.get(name, "").strip()), None)
