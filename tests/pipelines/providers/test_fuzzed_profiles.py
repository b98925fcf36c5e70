"""Profiles that are wrong in some way or other: always a sentence, never a crash."""

from __future__ import annotations

import json
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.core.text.strict_yaml import YamlRefused, parse_yaml
from pipelines.providers.profile import describe as words
from pipelines.providers.profile.extends import ProfileDraft, ProfileLayers
from pipelines.providers.profile.load import shipped_profiles

EXAMPLES = max(80, int(os.environ.get("REELBATCH_FUZZ", "0")) // 10)
#: What is drawn is the same in every run, and differs under `make fuzz` only.
fuzz = settings(
    max_examples=EXAMPLES,
    derandomize="REELBATCH_FUZZ" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TEXTS = [json.dumps(profile.model_dump(mode="json")) for profile in shipped_profiles().values()]
ODD = ["", "x", "1280x720", "/a/{id}", "{", "a[].b", "*", "https://x", "2026-13-01", 0, -1, 3.5, 10**17, None, True]
WRITTEN = st.characters(categories=["L", "N", "P", "S"])
VALUES = st.recursive(
    st.sampled_from(ODD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(WRITTEN, max_size=5), inner, max_size=3),
)


@st.composite
def spoilt(draw):
    """A shipped profile in which one to three values are something else, or are gone, or are new."""
    document = json.loads(draw(st.sampled_from(TEXTS)))
    for _ in range(draw(st.integers(1, 3))):
        around = document
        while True:
            keys = list(around) if isinstance(around, dict) else list(range(len(around)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(around[key], dict | list) and around[key] and draw(st.booleans()):
                around = around[key]
                continue
            if draw(st.integers(0, 4)):
                around[key] = draw(VALUES)
            else:
                del around[key]
            break
    return document


@fuzz
@given(spoilt())
def test_no_profile_breaks_the_reader(document):
    """It is a profile that can be shown, or has problems, each on one line at its place in the file."""
    try:
        read = parse_yaml(json.dumps(document, ensure_ascii=False))
    except YamlRefused:  # in words, as the next law says: a key may be `<<`
        return
    layers = ProfileLayers([ProfileDraft("fox.yaml", None, 0, read)])
    for profile, _ in layers.profiles().values():
        assert words.cheapest(profile)
        for mode in profile.modes:
            said = [words.lengths(mode), words.sizes(mode), words.shapes(mode), words.images(mode.images)]
            assert all([*said, *(words.parameter(rule) for rule in mode.parameters.values())])
    for problem in layers.problems:
        assert problem.where.startswith("fox.yaml, ")
        assert len(str(problem)) < 1_000
        assert str(problem).isprintable()


@fuzz
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_no_text_breaks_the_parser(text):
    """Any text is plain data, or is refused in words."""
    try:
        found = parse_yaml(text).value
    except YamlRefused as refused:
        found = str(refused)
    assert isinstance(found, dict | list | str | int | float | bool | None)
