from __future__ import annotations

import pytest

from pipelines.batch.columns.names import CANONICAL, canonical_name, meanings_of, near_miss


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("Prompt", "prompt"),
        ("video-prompt", "prompt"),
        (" Image URL ", "image_url"),
        ("duration", "seconds"),
        ("Aspect Ratio", "orientation"),
        ("fileName", "filename"),
        ("count", "takes"),
        ("sku", "id"),
        ("utm_source", None),
    ],
)
def test_headers_are_known_whatever_their_case_blanks_and_dashes(written, meaning):
    """People write the same header in many ways."""
    assert canonical_name(written) == meaning


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("secconds", "seconds"),
        ("second", "seconds"),
        ("lenght", None),
        ("length", "seconds"),
        ("promt", "prompt"),
        ("modle", "model"),
        ("szie", "size"),
        ("orientaton", "orientation"),
        ("imageurl", "image_url"),
        ("charachter_url", "character_url"),
        ("resolution", "size"),
        ("enable", "enabled"),
        ("site", None),
        ("side", None),
        ("mode", None),
        ("locale", None),
        ("owner", None),
        ("scene_no", None),
        ("title", None),
        ("prompt_2", None),
    ],
)
def test_v21_near_misses_are_told_from_words_of_their_own(written, meant):
    """A slip of the pen is recognised, and an honest column of the user's own is left alone."""
    assert near_miss(written) == meant


def test_v21_a_misspelt_column_is_refused_with_a_suggestion(problems):
    """A misspelt `secconds` must not buy the default length."""
    (problem,) = problems("prompt,secconds\na,12\n")

    assert 'the column "secconds" looks like "seconds"' in problem


def test_no_canonical_name_is_a_near_miss_of_another():
    """Our own names never refuse each other."""
    assert all(canonical_name(name) == name for name in CANONICAL)


def test_an_alias_beside_its_canonical_name_is_refused_unless_it_is_a_common_word(read, problems):
    """`seconds` and `duration` contradict; `description` beside `prompt` is the user's own."""
    assert "mean the same" in problems("prompt,seconds,duration\na,4,8\n")[0]
    assert "mean the same" in problems("text,scene\na,b\n")[0]
    batch = read("prompt,description,id,sku\na,b,c,d\n")
    assert batch.jobs[0].own == {"description": "b", "sku": "d"}
    assert batch.warnings == ()


def test_an_alias_that_was_understood_is_said(read):
    """`n` could be a running number, so the reader hears that it multiplies."""
    batch = read("prompt,n\na,3\n")

    assert len(batch.jobs) == 3
    assert [str(w) for w in batch.warnings] == ['spring.csv, line 1: the column "n" is read as takes.']


@pytest.mark.parametrize(
    ("names", "parameters", "meanings"),
    [
        (["Prompt", "mood"], set(), ["prompt", None]),
        (["text", "Duration"], set(), ["prompt", "seconds"]),
        (["text", "prompt"], set(), [None, "prompt"]),
        (["duration", "seconds"], set(), ["seconds", "seconds"]),
        (["duration", "count"], {"duration", "count"}, [None, None]),
        (["seconds"], {"seconds"}, ["seconds"]),
    ],
)
def test_an_alias_gives_way_to_what_is_surer(names, parameters, meanings):
    """A parameter of that name comes before it, and before a weak one any other column of the same meaning."""
    assert meanings_of(names, frozenset(parameters)) == dict(zip(names, meanings, strict=True))
