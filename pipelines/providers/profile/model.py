"""A provider as a data file: paths, parameters, limits, prices, words. What differs between providers is data, not code.

The shipped profiles are the YAML files beside this module; docs/providers.md explains each field.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field, StrictBool

from pipelines.core.job import Order
from pipelines.core.outcome import RefusalKind
from pipelines.providers.profile.exchange import Answers, Auth, Charged
from pipelines.providers.profile.scalars import Address, Day, Length, TrustedHost, Variable, Wait
from pipelines.providers.profile.terms import Limits, Price, ProfilePart, Timing

ContractName = Literal["openai", "acedata", "veo", "fal", "described"]
MODERATED = "moderation_blocked"  #: the code of a job that moderation has ended, wherever its provider says so
Capability = Literal["list", "delete", "variants"]
PathName = Literal["submit", "status", "result", "content", "list", "delete"]


class _Data(BaseModel):
    model_config = ProfilePart.model_config


class Seconds(_Data):
    """How a mode takes the length of a clip: one of `allowed`, or any whole number from `least` to `most`."""

    allowed: tuple[Length, ...] = ()  # the lengths, in seconds
    least: Length | None = None  # together with `most`: any length between the two
    most: Length | None = None  # see `least`
    default: Length  # of a row that says none; it is sent too
    only: dict[int, tuple[str, ...]] = {}  # a length that only these models make
    field: str = "seconds"  # the name in the request
    type: Literal["string", "integer"] = "string"  # the JSON type in the request
    suffix: str = ""  # after the number of a string, such as the s of "8s"
    unit: Literal["second", "millisecond", "frame"] = "second"  # what the number counts
    fps: int | None = Field(None, ge=1, le=240)  # for `unit: frame`: frames a second
    more_frames: int = Field(0, ge=0, le=240)  # for `unit: frame`: frames beside those, such as the 1 of 81

    def takes(self, seconds: int) -> bool:
        """Tell whether the mode makes clips of this length, by any of its models."""
        return seconds in self.allowed or (
            self.least is not None and self.most is not None and self.least <= seconds <= self.most
        )

    def wording(self, model: str | None = None) -> tuple[str, ...]:
        """The lengths as a message names them, for one model or for all."""
        fitting = [str(n) for n in self.allowed if model is None or model in self.only.get(n, (model,))]
        return (*fitting, f"{self.least} to {self.most}") if self.least is not None else tuple(fitting)


class Size(_Data):
    """How a mode takes the picture size."""

    allowed: tuple[str, ...]  # such as 1280x720, or words such as small
    default: str  # of a row that says none; it is sent too
    only: dict[str, tuple[str, ...]] = {}  # a size that only these models make
    doubtful: dict[str, tuple[str, ...]] = {}  # as `only`, where the vendor's documents disagree: warn, don't refuse
    any_pixels: StrictBool = False  # besides `allowed` any WIDTHxHEIGHT is made
    least_side: int = Field(1, ge=1)  # of `any_pixels`: the fewest pixels along the shorter side
    within: str | None = Field(
        None, pattern=r"^[1-9]\d{0,5}x[1-9]\d{0,5}$"
    )  # of `any_pixels`: the largest, either way up
    field: str = "size"  # the name in the request
    width_field: str | None = None  # with `height_field`: the size goes out as two numbers, and not in `field`
    height_field: str | None = None  # see `width_field`
    ratio_field: str | None = None  # the size goes out as its ratio, such as 16:9, and not in `field`
    resolution_field: str | None = None  # the same as its shorter side, such as 720p; with `ratio_field` or alone

    @property
    def is_divided(self) -> bool:
        """Whether it goes out in several fields, or as less than it says."""
        return any((self.width_field, self.height_field, self.ratio_field, self.resolution_field))

    def makes(self, width: int, height: int) -> bool:
        """Tell whether `any_pixels` goes as far as this picture."""
        sides = sorted((width, height))
        most = sorted(map(int, self.within.split("x"))) if self.within else sides
        return self.any_pixels and sides[0] >= self.least_side and sides[0] <= most[0] and sides[1] <= most[1]


class Orientation(_Data):
    """How a mode takes the shape of the picture, where that is a parameter of its own."""

    values: dict[str, str]  # our word (landscape, portrait, square, or a ratio such as 21:9) -> the provider's
    default: str  # one of our words
    field: str = "orientation"  # the name in the request


#: In which form a reference image is sent. `file` is a part of a multipart form.
ImageForm = Literal["url", "data_url", "base64", "file"]


class Images(_Data):
    """How a mode takes reference images."""

    least: int = Field(0, ge=0)  # how many a row must give
    most: int = Field(0, ge=0)  # how many it may give; 0: none
    assumed: StrictBool = False  # `most` is a limit of ours: the vendor names none
    forms: tuple[ImageForm, ...] = ("url",)  # what the provider takes; a local file is sent in the last that fits
    doubtful: tuple[
        ImageForm, ...
    ] = ()  # those of `forms` of which the vendor's documents disagree: warn, don't refuse
    field: str = "image_urls"  # the name in the request
    style: Literal["list", "url", "object", "object_text", "each", "frames"] = "list"
    #: list: a list; url: the bare value; object: {"image_url": value}; object_text: the same as JSON text;
    #: each: every image under a field of its own, from `fields`; frames: a list of {item_field: value, "type": role}
    fields: tuple[str, ...] = ()  # for style `each`: the first image goes to the first field, and so on
    item_field: str = "image"  # for style `frames`, or with `type_field`: the name of the image itself
    type_field: str | None = None  # each image goes out as {item_field: data, type_field: its media type}
    roles: tuple[str, ...] = ()  # what the images are, one word each, the last for all that follow; empty: not said
    file_field: str | None = None  # where an uploaded file goes, if not into `field`
    ignored_beyond: int | None = Field(None, ge=1)  # the provider silently drops images beyond this many
    must_match_size: StrictBool = False  # the pixels of the image must equal `size`

    @property
    def sent_as(self) -> ImageForm | None:
        """The form of a local file; None: the provider opens addresses only."""
        return next((form for form in reversed(self.forms) if form != "url"), None)


class Parameter(_Data):
    """One further parameter of a provider, given as a column of its name."""

    field: str | None = None  # the name in the request, where it is another
    type: Literal["string", "integer", "number", "boolean", "list", "json"] = "string"  # list: of strings
    allowed: tuple[str | int | float, ...] = ()  # empty: any
    least: float | None = None  # of a number; of a list, the items
    most: float | None = None  # of a number; of a string, the characters; of a list, the items
    shape: Literal["object", "list", "objects"] | None = None  # of json; objects: a list of objects; None: any
    keys: tuple[str, ...] = ()  # of json: what its object, or each object in its list, must have
    only: dict[str, tuple[str, ...]] = {}  # a value that only these models take
    models: tuple[str, ...] = ()  # the models that take it at all; empty: every one of the mode
    required: StrictBool = False  # a row must give it
    needs: dict[str, tuple[str, ...]] = {}  # other parameters that go with it, and what they must say; empty: anything
    excludes: dict[str, tuple[str, ...]] = {}  # others that do not go with it, and saying what; empty: anything
    default: Any = None  # sent where a row says nothing; None: nothing is sent
    multiplies_price: StrictBool = False  # it is the number of clips that one order makes

    def default_for(self, model: str) -> Any:
        """The value that is sent where a row says nothing; None: there is no default, or the model takes none."""
        return self.default if not self.models or model in self.models else None


class Remix(_Data):
    """How a mode makes a clip after another one, which must be finished and of the same account."""

    path: str | None = None  # with {id}; None: the path of any submission
    field: str | None = None  # the field that takes the other clip's id; None: it stands in the path
    fixed: dict[str, Any] = {}  # sent with a remix instead of the mode's own `fixed`
    only_prompt: StrictBool = True  # nothing else may be sent: model, length and size are those of the other clip


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
SandboxDialect = Literal["acedata", "litellm", "new-api", "openai", "qiniu", "sglang", "vllm-omni"]


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
    encoding: Literal["json", "multipart", "auto"] = "json"  # auto: multipart only with a file to upload
    fixed: dict[str, Any] = {}  # sent with every request of every mode
    prices: tuple[Price, ...] = ()  # the first row that fits an order is its price; none: unknown
    timing: Timing = Timing()  # what waiting is usually like
    limits: Limits = Limits()  # what one account may ask for
    service: str = Field("sora", pattern="^[A-Za-z0-9._~-]+$")  # acedata contract: the first path segment
    auth: Auth = Auth()  # how the key is shown
    headers: dict[str, str] = {}  # sent with every request
    idempotency_header: str | None = Field(None, pattern=r"^[A-Za-z0-9-]+$")  # takes a name for each attempt
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
    callback_field: str | None = None  # the field of a submission that takes an address to call
    callback_answer: str = ""  # the text with which it wants its calls acknowledged
    answer_within_s: Wait = 60.0  # how long the answer to a submission may take
    on_server_error: Literal["in_doubt", "rejected"] = "in_doubt"  # what an HTTP 5xx with a code means for a payment
    wants_https: StrictBool = False  # it says that it opens https addresses of pictures only: warn of others
    not_offered: dict[str, str] = {}  # fields of its requests that are none of ours, and what to do instead: warn
    bills_failures: Charged = "unknown"  # whether a job that fails is charged
    failure_bills: dict[RefusalKind, Charged] = {}  # the same by what the failure is about, such as moderation
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

    def clips_of(self, order: Order) -> int:
        """The number of clips that one order makes, and is charged for."""
        rules = next((mode.parameters for mode in self.modes if mode.name == order.mode), {})
        counted = {rule.field or name: rule for name, rule in rules.items() if rule.multiplies_price}
        return math.prod(
            int(order.extra.get(name, rule.default_for(order.model) or 1)) for name, rule in counted.items()
        )

    def billed_for(self, code: str | None) -> Charged:
        """Whether a job that failed with this code is charged: as for its kind of failure, else as for any."""
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
