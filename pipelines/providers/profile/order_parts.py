"""The parts of an order as data: how a mode takes length, size, shape, images, further parameters and a remix."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field, StrictBool

from pipelines.providers.profile.scalars import Length
from pipelines.providers.profile.terms import ProfilePart


class _Part(BaseModel):
    model_config = ProfilePart.model_config


class Seconds(_Part):
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


class Size(_Part):
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
    between: Literal["x", "*", ":"] = "x"  # what stands there between width and height
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


class Orientation(_Part):
    """How a mode takes the shape of the picture, where that is a parameter of its own."""

    values: dict[str, str]  # our word (landscape, portrait, square, or a ratio such as 21:9) -> the provider's
    default: str  # one of our words
    field: str = "orientation"  # the name in the request


#: In which form a reference image is sent. `file` is a part of a multipart form.
ImageForm = Literal["url", "data_url", "base64", "file"]


class Images(_Part):
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
    #: each: every image under a field of its own, from `fields`; frames: a list of {item_field: value, role_field: role}
    fields: tuple[str, ...] = ()  # for style `each`: the first image goes to the first field, and so on
    item_field: str = "image"  # for style `frames`, or with `type_field` or `item_fixed`: the name of the image itself
    item_fixed: dict[str, Any] = {}  # each image goes out as {item_field: image} with these beside it
    type_field: str | None = None  # each image goes out as {item_field: data, type_field: its media type}
    roles: tuple[str, ...] = ()  # what the images are, one word each, the last for all that follow; empty: not said
    role_field: str = "type"  # for style `frames`: the name of that word
    file_field: str | None = None  # where an uploaded file goes, if not into `field`
    ignored_beyond: int | None = Field(None, ge=1)  # the provider silently drops images beyond this many
    must_match_size: StrictBool = False  # the pixels of the image must equal `size`

    @property
    def sent_as(self) -> ImageForm | None:
        """The form of a local file; None: the provider opens addresses only."""
        return next((form for form in reversed(self.forms) if form != "url"), None)


class Parameter(_Part):
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


class Remix(_Part):
    """How a mode makes a clip after another one, which must be finished and of the same account."""

    path: str | None = None  # with {id}; None: the path of any submission
    field: str | None = None  # the field that takes the other clip's id; None: it stands in the path
    fixed: dict[str, Any] = {}  # sent with a remix instead of the mode's own `fixed`
    only_prompt: StrictBool = True  # nothing else may be sent: model, length and size are those of the other clip
