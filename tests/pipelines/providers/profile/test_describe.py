from __future__ import annotations

from datetime import date

import pytest

from pipelines.providers.profile import describe as words
from pipelines.providers.profile.model import Limits, Mode, Price, Profile
from pipelines.providers.profile.order_parts import Images, Orientation, Parameter, Remix, Seconds, Size

MODE = Mode(name="clip", models=("m",))
PRICE = {"as_of": date(2026, 11, 1), "source": "somewhere", "model": "m"}


def profile(*modes, **more):
    usual = {"name": "fox", "title": "Fox", "contract": "openai", "base_url": "https://fox.example/v1"}
    return Profile(**usual | {"default_model": "m", "prompt_most": 2500, "modes": modes or (MODE,)} | more)


def mode(**more):
    return MODE.model_copy(update=more)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (None, "decided by the provider"),
        (Seconds(allowed=(4, 8, 12), default=4), "4 (default), 8, 12 s"),
        (Seconds(allowed=(5, 9), default=5, only={9: ("p", "q")}), "5 (default), 9 s; 9 s by p and q only"),
        (Seconds(least=3, most=15, default=5), "3 to 15 s, default 5"),
        (Seconds(least=3, most=5, allowed=(10, 12), default=5), "3 to 5, 10, 12 s, default 5"),
    ],
)
def test_lengths(rule, said):
    """Each length once, which one is meant by silence, and which needs another model."""
    assert words.lengths(mode(seconds=rule)) == said


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (None, "decided by the provider"),
        (Size(allowed=("a", "b"), default="b"), "a, b (default)"),
        (Size(allowed=("1x1",), default="1x1", any_pixels=True), "1x1 (default), or any WIDTHxHEIGHT"),
        (
            Size(allowed=("1x1",), default="1x1", any_pixels=True, least_side=64, within="1920x1080"),
            "1x1 (default), or any WIDTHxHEIGHT from 64 pixels up to 1920x1080",
        ),
        (Size(allowed=("a", "b"), default="a", only={"b": ("p",)}), "a (default), b; b by p only"),
        (Size(allowed=("a", "b"), default="a", doubtful={"b": ("p",)}), "a (default), b; b surely by p only"),
    ],
)
def test_sizes(rule, said):
    """Each size, and where the vendor's documents disagree."""
    assert words.sizes(mode(size=rule)) == said


def test_shapes():
    """A parameter of its own, or a consequence of the size, or nothing that one can choose."""
    own = Orientation(values={"landscape": "16:9", "portrait": "9:16"}, default="portrait")
    assert words.shapes(mode(orientation=own)) == "landscape, portrait (default)"
    assert words.shapes(mode(size=Size(allowed=("a",), default="a"))) == "by the size"
    assert words.shapes(MODE) == "decided by the provider"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({}, "none"),
        ({"most": 1}, "up to 1, by address"),
        ({"least": 1, "most": 1, "forms": ("file",)}, "exactly 1, a local file"),
        ({"least": 1, "most": 2, "forms": ("url", "data_url", "base64")}, "1 to 2, by address or a local file"),
        ({"most": 9, "ignored_beyond": 1}, "up to 9, by address; only the first is looked at"),
        ({"most": 9, "ignored_beyond": 3}, "up to 9, by address; only the first 3 are looked at"),
        ({"most": 2, "roles": ("first", "last")}, "up to 2, by address; as first, last"),
        ({"most": 2, "assumed": True}, "up to 2, by address; how many is a limit of ours"),
        (
            {"most": 1, "forms": ("url", "data_url"), "doubtful": ("data_url",)},
            "up to 1, by address or a local file; a local file is doubtful",
        ),
        ({"most": 1, "must_match_size": True}, "up to 1, by address; pixels equal to the size"),
    ],
)
def test_images(rule, said):
    """How many, how they may be given, and what is asked of them."""
    assert words.images(Images(**rule)) == said


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({}, "text"),
        ({"type": "integer"}, "whole number"),
        ({"type": "json"}, "JSON"),
        ({"most": 200}, "text; at most 200 characters"),
        ({"type": "number", "least": 0, "most": 1}, "number; 0 to 1"),
        ({"type": "integer", "least": -1}, "whole number; at least -1"),
        ({"allowed": ("std", "pro"), "only": {"pro": ("p",)}}, "std, pro; pro by p only"),
        ({"type": "boolean", "models": ("p",), "required": True}, "yes or no; of p only; required"),
        ({"type": "integer", "default": 1, "multiplies_price": True}, "whole number; default 1; multiplies the price"),
        ({"field": "negativePrompt"}, "text; sent as negativePrompt"),
        ({"type": "integer", "least": 0, "most": 4294967295}, "whole number; 0 to 4294967295"),
        ({"type": "list", "least": 1, "most": 3}, "list; 1 to 3 items"),
        ({"type": "json", "shape": "objects", "keys": ("a", "b")}, "a JSON list of objects; with a and b"),
        ({"needs": {"mode": ("pro",), "cut": ()}}, "text; needs mode pro; needs cut"),
        ({"excludes": {"mode": ("4k",), "cut": ()}}, "text; not with mode 4k; not with cut"),
    ],
)
def test_parameters(rule, said):
    """What a further column takes."""
    assert words.parameter(Parameter(**rule)) == said


def test_a_remix():
    """Whether there is one, and what it may say anew."""
    assert [words.remix_words(mode(remix=rule)) for rule in (None, Remix(), Remix(field="id", only_prompt=False))] == [
        "no",
        "yes, only the prompt is new",
        "yes",
    ]


def test_prompts():
    """How long, counted how, and whether one may go without."""
    fox = profile(mode(prompt_most=80, prompt_optional=True), prompt_counted_in="bytes")
    assert words.prompt(fox) == "at most 2,500 bytes"
    assert words.prompt(fox, fox.modes[0]) == "at most 80 bytes, may be left out"


def test_prices():
    """What a price is for; the lowest, a second's before a clip's, with a mark where it is assumed."""
    clip = Price(**PRICE, amount="0.05", per="clip")
    second = Price(**PRICE | {"model": "*"}, amount="0.10", per="second", seconds=8, mode="clip", assumed=True)
    assert (words.price_words(clip), words.price_is_for(clip)) == ("0.05 USD a clip", "m")
    assert words.price_is_for(second) == "any model, 8 s, mode clip"
    assert [words.cheapest(profile(prices=prices)) for prices in ((), (clip,), (clip, second))] == [
        "unknown",
        "0.05 USD/clip",
        "0.10 USD/s*",
    ]


def test_limits_and_capabilities():
    """What one account may ask for, and what can be asked beside making clips."""
    one = profile(limits=Limits(in_flight=1, submit_per_minute=2, status_per_second=1))
    assert words.limits(one) == "1 job at once, 2 submissions a minute, 1 status query a second"
    assert words.capabilities(one) == "nothing further"
    assert words.capabilities(profile(supports=("list",), callback_field="hook")) == "list, callback"


@pytest.mark.parametrize(
    ("environment", "more", "said"),
    [
        ({}, {}, "no key set"),
        ({}, {"needs_key": False}, "needs no key"),
        ({"FOX_API_KEY": "k"}, {}, "key set"),
        ({"FOX_API_KEY": "k"}, {"retired_on": date(2026, 9, 24)}, "retired"),
        ({"FOX_BASE_URL": "http://here"}, {"retired_on": date(2026, 9, 24)}, "no key set"),
    ],
)
def test_the_state(environment, more, said):
    """Whether orders can be placed now."""
    assert words.state(profile(**more), environment) == said


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([None], "its own"),
        ([Seconds(allowed=(8, 4), default=4)], "4, 8 s"),
        ([Seconds(allowed=(4, 8, 12, 16), default=4)], "4 to 16 s"),
        ([Seconds(allowed=(20,), default=20), Seconds(least=3, most=5, default=5)], "3 to 20 s"),
    ],
)
def test_the_span_of_lengths(rules, said):
    """A few lengths are listed; of many, the shortest and the longest."""
    modes = [mode(name=f"m{number}", seconds=rule) for number, rule in enumerate(rules)]
    assert words.span(profile(*modes)) == said


@pytest.mark.parametrize(
    ("names", "said"), [([], ""), (["a"], "a"), (["a", "b", "c"], "a +2"), (["abcdefgh", "b"], "abcde… +1")]
)
def test_the_first_of_many(names, said):
    """A long name is cut, and the rest is counted."""
    assert words.first_and_count(names, 6) == said
