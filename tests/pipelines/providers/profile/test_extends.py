from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.core.text.strict_yaml import parse_yaml
from pipelines.providers.profile.checks.agreement import checked_profile
from pipelines.providers.profile.extends import ProfileDraft, ProfileLayers, overlaid
from pipelines.providers.profile.load import shipped_profiles

BASE = """
name: lumafox
title: Lumafox
contract: openai
base_url: https://api.lumafox.example/v1
key_env: [FOX_KEY]
default_model: fox-1
prompt_most: 1000
callback_field: hook
sandbox: openai
errors: {too_many: slow_down, broke: funds}
limits: {in_flight: 3, submit_per_minute: 6}
retired_on: 2026-10-01
notes: [closed]
prices: [{model: fox-1, amount: "0.2", per: second, as_of: 2026-10-01, source: the price page}]
modes:
  - name: video
    models: [fox-1]
    seconds: {allowed: [4, 8], default: 4}
"""


def layers_of(**texts: str) -> ProfileLayers:
    return ProfileLayers(
        [ProfileDraft(f"{name}.yaml", None, rank, parse_yaml(text)) for rank, (name, text) in enumerate(texts.items())]
    )


def made(name: str, **texts: str):
    layers = layers_of(**texts)
    found = layers.profiles()
    assert layers.problems == []
    return found[name][0]


def said(**texts: str) -> list[str]:
    layers = layers_of(**texts)
    layers.profiles()
    return [str(problem) for problem in layers.problems]


def test_a_small_difference_is_a_small_file():
    """Mappings are joined key by key, lists and values are replaced, and the rest is the base's."""
    over = "extends: lumafox\nname: fox-two\nlimits: {in_flight: 9}\nerrors: {broke: row}\nsupports: [list]\n"
    profile = made("fox-two", base=BASE, over=over)
    assert (profile.limits.in_flight, profile.limits.submit_per_minute) == (9, 6)
    assert profile.errors == {"too_many": "slow_down", "broke": "row"}
    assert (profile.title, profile.supports, profile.prices[0].source) == ("Lumafox", ("list",), "the price page")


def test_null_forgets_what_the_base_says():
    """A field, or one key of a mapping, can be taken away."""
    over = "extends: lumafox\nname: fox-two\ncallback_field: null\nerrors: {broke: null}\nretired_on:\n"
    profile = made("fox-two", base=BASE, over=over)
    assert (profile.callback_field, profile.errors, profile.retired_on) == (None, {"too_many": "slow_down"}, None)


def test_another_name_has_a_key_of_its_own():
    """The variables that hold the base's key and address are not taken over: its key is not for somebody else."""
    profile = made("fox-two", base=BASE, over="extends: lumafox\nname: fox-two\n")
    assert (profile.key_names, profile.base_url_names, profile.sandbox) == (
        ("FOX_TWO_API_KEY",),
        ("FOX_TWO_BASE_URL",),
        None,
    )


def test_another_address_is_another_server():
    """Prices, notes and the day of retirement are those of one server; who gives another address starts anew."""
    over = "extends: lumafox\nname: fox-two\nbase_url: https://fox.example/v1\n"
    profile = made("fox-two", base=BASE, over=over)
    assert (profile.prices, profile.notes, profile.retired_on, profile.callback_field) == ((), (), None, "hook")


def test_its_own_name_means_the_one_that_it_stands_before():
    """A file may change a profile of the same name a little, and keeps its key."""
    profile = made("lumafox", over="extends: lumafox\nname: lumafox\nprompt_most: 5\n", base=BASE)
    assert (profile.prompt_most, profile.key_names) == (5, ("FOX_KEY",))


def test_a_difference_may_build_upon_a_difference():
    """Any depth, and the nearest word counts."""
    texts = {
        "c": "extends: b\nname: c\nprompt_most: 3\n",
        "b": "extends: lumafox\nname: b\nprompt_most: 2\nlimits: {in_flight: 2}\n",
        "base": BASE,
    }
    profile = made("c", **texts)
    assert (profile.prompt_most, profile.limits.in_flight, profile.limits.submit_per_minute) == (3, 2, 6)


def test_a_file_that_takes_a_shipped_name_changes_no_other_shipped_profile():
    """A gateway that is shipped stays what it is, whatever somebody writes about the profile that it builds upon."""
    own = "extends: lumafox\nname: lumafox\non_server_error: rejected\nerrors: {timeout: row}\n"
    drafts = [("base", BASE, None), ("gateway", "extends: lumafox\nname: gateway\n", None)]
    drafts += [("own", own, Path("own.yaml")), ("mine", "extends: lumafox\nname: mine\n", Path("mine.yaml"))]
    layers = ProfileLayers(
        [ProfileDraft(n, path, 9 if path is None else 1, parse_yaml(text)) for n, text, path in drafts]
    )
    found = {name: profile for name, (profile, _) in layers.profiles().items()}
    assert layers.problems == []
    assert (found["gateway"].on_server_error, found["gateway"].errors.get("timeout")) == ("in_doubt", None)
    assert (found["lumafox"].on_server_error, found["mine"].on_server_error) == ("rejected", "rejected")


def test_a_file_that_takes_a_shipped_name_breaks_no_other_shipped_profile():
    """Nobody is told of a mistake in a file that they do not have."""
    modes = "modes: [{name: v, models: [fox-1], images: {most: 1, style: url, forms: [url, file]}}]\n"
    drafts = [
        ProfileDraft("base.yaml", None, 9, parse_yaml(BASE + "encoding: auto\n")),
        ProfileDraft("gateway.yaml", None, 9, parse_yaml("extends: lumafox\nname: gateway\n" + modes)),
        ProfileDraft("own.yaml", Path("own.yaml"), 1, parse_yaml(BASE + "encoding: json\n")),
    ]
    layers = ProfileLayers(drafts)
    assert (set(layers.profiles()), layers.problems) == ({"lumafox", "gateway"}, [])


@pytest.mark.parametrize("text", ["extends: lumafox\n", "extends: lumafox\nname:\n", "extends: lumafox\nname: null\n"])
def test_a_name_is_never_taken_over(text):
    """A file without a name would be a second provider of its base's name, under no name of its own."""
    (problem,) = said(base=BASE, own=text)
    assert problem.startswith("own.yaml, ")
    assert "name: is missing." in problem


@pytest.mark.parametrize(
    ("name", "fix"), [("lumafx", 'Did you mean "lumafox"?'), ("nobody", "Known: lumafox."), ("b", "Known: lumafox.")]
)
def test_a_base_that_is_not_there_is_said(name, fix):
    """An unknown base is one problem, with the name that was probably meant."""
    (problem,) = said(b=f"name: b\nextends: {name}\n", base=BASE)
    assert problem == f'b.yaml, line 2, extends: there is no profile "{name}" to build upon. {fix}'


def test_a_base_that_is_no_name_is_said():
    """`extends` takes one name."""
    (problem,) = said(b="name: b\nextends: [lumafox]\n", base=BASE)
    assert problem.startswith('b.yaml, line 2, extends: there is no profile ["lumafox"] to build upon.')


def test_a_circle_is_said_of_those_who_are_in_it():
    """Profiles that build upon each other are refused; one that builds upon them has nothing wrong of its own."""
    texts = {name: f"name: {name}\nextends: {base}\n" for name, base in (("a", "b"), ("b", "a"), ("c", "a"))}
    fix = "End it at a profile that extends none."
    assert said(**texts) == [
        f"a.yaml, line 2, extends: leads back to itself: a extends b extends a. {fix}",
        f"b.yaml, line 2, extends: leads back to itself: b extends a extends b. {fix}",
    ]


def test_what_is_wrong_with_a_base_is_said_of_the_base():
    """One mistake is one problem, however many build upon it; their own mistakes are said as well."""
    over = "name: b\nextends: lumafox\nlimits: {in_flight: many}\n"
    problems = said(base=BASE.replace("prompt_most: 1000", "prompt_most: much"), b=over)
    assert [problem.partition(": ")[0] for problem in problems] == [
        "base.yaml, line 8, prompt_most",
        "b.yaml, line 3, limits.in_flight",
    ]


@pytest.mark.parametrize("name", sorted(shipped_profiles()))
def test_every_shipped_profile_can_be_built_upon(name):
    """Two lines are a second account at any provider, with a key of its own."""
    base = shipped_profiles()[name]
    data = overlaid(base.model_dump(mode="json"), {"name": "my-own", "extends": name})
    profile = checked_profile(data)
    assert (profile.base_url, profile.modes, profile.prices) == (base.base_url, base.modes, base.prices)
    assert profile.key_names == ("MY_OWN_API_KEY",)


def test_a_name_means_the_nearest_draft_of_it_and_its_own_the_one_behind():
    """A shipped one builds upon shipped ones only."""

    def draft(name, path, rank):
        return ProfileDraft(f"{name}-{rank}.yaml", path, rank, parse_yaml(f"name: {name}\n"))

    near, far, shipped = draft("fox", Path("near"), 0), draft("fox", Path("far"), 1), draft("fox", None, 9)
    owl, shipped_owl = draft("owl", Path("owl"), 0), draft("elk", None, 9)
    layers = ProfileLayers([shipped, far, near, owl, shipped_owl])
    assert layers.base_of(near, "fox") is far
    assert layers.base_of(far, "fox") is shipped
    assert layers.base_of(shipped, "fox") is None
    assert layers.base_of(owl, "fox") is near
    assert layers.base_of(shipped_owl, "fox") is shipped
    assert layers.base_of(owl, ["fox"]) is layers.base_of(owl, "") is None
