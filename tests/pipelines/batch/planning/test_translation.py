from __future__ import annotations

import json
from decimal import Decimal

import pytest

from pipelines.batch.columns.vendor_words import Word, vendor_words
from pipelines.batch.planning.translation import PicturesUnclear, with_pictures
from pipelines.core.errors import BatchError
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.profile.model import Profile
from tests.pipelines.batch.conftest import YARD

PROFILES = shipped_profiles()
ONE, TWO = "https://a.example/1.png", "https://a.example/2.png"

#: Has its own word for each thing that our columns say.
MILL = {
    "name": "mill",
    "title": "The mill",
    "contract": "openai",
    "base_url": "https://mill.example/v1",
    "default_model": "grain",
    "prompt_most": 400,
    "callback_field": "bell",
    "not_offered": {"speed": "Give seconds."},
    "fixed": {"quiet": True},
    "modes": [
        {
            "name": "flour",
            "models": ["grain", "seed"],
            "model_field": "sort",
            "prompt_field": "order",
            "seconds": {"allowed": [4, 8], "default": 4, "field": "length"},
            "size": {"allowed": ["640x360", "360x640"], "default": "640x360", "field": "frameSize"},
            "orientation": {"values": {"landscape": "w", "portrait": "h"}, "default": "landscape", "field": "Turn"},
            "images": {"most": 3, "style": "each", "fields": ["begin", "middle", "end"]},
            "parameters": {"mood": {"field": "feeling"}},
        },
        {
            "name": "bread",
            "models": ["grain", "seed"],
            "model_field": "sort",
            "prompt_field": "order",
            "seconds": {"allowed": [20], "default": 20, "field": "length"},
            "images": {"most": 9, "field": "pile"},
            "remix": {"field": "crumbs", "only_prompt": False},
        },
    ],
}


@pytest.fixture
def mill(read, profiles):
    """Reads a text for the mill."""
    profiles["mill"] = Profile.model_validate(MILL)
    return lambda text, kind="csv", provider="mill": read(text, kind, provider, profiles=profiles)


@pytest.fixture
def refused_by_the_mill(problems, profiles):
    """The problems of a text for the mill."""
    profiles["mill"] = Profile.model_validate(MILL)
    return lambda text, kind="csv": problems(text, kind, "mill", profiles=profiles)


def said(batch):
    return [str(warning) for warning in batch.warnings]


@pytest.mark.parametrize(
    ("header", "cell", "field", "value"),
    [
        ("length", "8", "seconds", 8),
        ("Length", "8s", "seconds", 8),
        ("frameSize", "360x640", "size", "360x640"),
        ("frame_size", "360x640", "size", "360x640"),
        ("turn", "portrait", "orientation", "portrait"),
        ("turn", "H", "orientation", "portrait"),
        ("turn", "9:16", "orientation", "portrait"),
        ("sort", "seed", "model", "seed"),
        ("begin", ONE, "image_urls", (ONE,)),
        ("pile", f"{ONE} {TWO}", "image_urls", (ONE, TWO)),
        ("feeling", "calm", "extra", {"mood": "calm"}),
    ],
)
def test_a_name_of_the_providers_own_is_understood(mill, header, cell, field, value):
    """Kept as a column of the user's own it would buy another clip, without a word."""
    batch = mill(f"prompt,{header}\na,{cell}\n")
    (job,) = batch.jobs

    if field == "extra":
        assert job.order.extra == {"feeling": "calm"}
        return
    assert getattr(job.order, field) == value
    assert job.own == {header: cell}
    ours = "image_url" if field == "image_urls" else field
    assert said(batch) == [f'spring.csv, row 1 (line 2), column "{header}": is read as {ours}.']


#: Its fields are nested, its lengths in milliseconds or in frames, and its sizes two numbers.
LOOM = {
    "name": "loom",
    "title": "The loom",
    "contract": "described",
    "base_url": "https://loom.example/v1",
    "default_model": "silk",
    "prompt_most": 400,
    "id_path": "id",
    "status_path": "state",
    "words": {"done": "succeeded"},
    "results": ["url"],
    "paths": {"submit": "/jobs", "status": "/jobs/{id}"},
    "modes": [
        {
            "name": "cloth",
            "models": ["silk"],
            "prompt_field": "spec.text.prompt",
            "seconds": {
                "allowed": [4, 8],
                "default": 4,
                "field": "spec.output.length_ms",
                "type": "integer",
                "unit": "millisecond",
            },
            "size": {
                "allowed": ["640x360", "360x640"],
                "default": "640x360",
                "width_field": "spec.frame.w",
                "height_field": "spec.frame.h",
            },
            "images": {"most": 1, "style": "url", "field": "spec.start.picture"},
            "parameters": {"mood": {"field": "spec.feeling"}},
        }
    ],
}


@pytest.fixture
def loom(read, profiles):
    """Reads a text for the loom."""
    profiles["loom"] = Profile.model_validate(LOOM)
    return lambda text: read(text, "csv", "loom", profiles=profiles)


def test_the_last_name_of_a_nested_place_is_understood(loom):
    """In its unit; and what cannot be read is no silent default either."""
    batch = loom(f"prompt,length_ms,picture,feeling,w\na,8000,{ONE},calm,360\n")
    (job,) = batch.jobs
    assert (job.order.seconds, job.order.image_urls, job.order.extra) == (8, (ONE,), {"spec.feeling": "calm"})
    assert [words.partition("column ")[2] for words in said(batch)] == [
        '"w" is taken as your own; did you mean size, such as 1920x1080?',
        '"length_ms": is read as 8 seconds.',
        '"picture": is read as image_url.',
    ]


@pytest.mark.parametrize("cell", ["8", "4500", "8s", "-8000"])
def test_a_length_that_is_not_in_the_providers_unit_is_refused(loom, cell):
    """It is not clear what is meant, and a length decides the price."""
    with pytest.raises(BatchError, match=r"is no whole number of seconds there\. Write 4000 for 4 s"):
        loom(f"prompt,length_ms\na,{cell}\n")


def test_what_a_length_is_called_decides_the_price(read):
    """Four seconds instead of the eight that are bought by default."""
    (job,) = read("prompt,model,durationSeconds\na,veo-3.0-generate-preview,4\n").jobs
    assert (job.order.seconds, job.cost_estimated) == (4, Decimal("1.60"))


@pytest.mark.parametrize(
    ("columns", "cells", "pictures"),
    [
        ("begin,middle", [ONE, TWO], (ONE, TWO)),
        ("middle,begin", [TWO, ONE], (ONE, TWO)),
        ("image_url,middle", [ONE, TWO], (ONE, TWO)),
        ("image_url,begin,middle", [ONE, ONE, TWO], (ONE, TWO)),
    ],
)
def test_several_pictures_are_taken_in_the_order_of_their_fields(mill, columns, cells, pictures):
    """Not in that of the columns; our own column stands before them."""
    (job,) = mill(f"prompt,{columns}\na,{','.join(cells)}\n").jobs
    assert job.order.image_urls == pictures


@pytest.mark.parametrize(
    ("columns", "cells", "words"),
    [
        ("length,seconds", "4,8", 'column "length": says "4", and seconds "8". Keep one of the two, as "seconds".'),
        ("middle", TWO, 'column "middle": is picture 2, and there is no picture 1. Give all pictures in a column'),
        ("image_url,begin", f"{ONE},{TWO}", 'column "begin": names another picture than the column beside it.'),
        ("begin", f"{ONE} {TWO}", 'column "begin": takes one picture, and 2 are given.'),
        ("pile,image_url", f"{ONE},{TWO}", 'column "pile": names other pictures than the columns beside it.'),
        ("pile", '"[{""image"": ""x""}]"', 'column "pile": holds more than addresses.'),
        ("bell", "https://me.example", 'column "bell": is not read from a row. Give one address for the whole run'),
        ("crumbs", "x", 'column "crumbs": is how mill names the clip of a remix'),
        ("length", "long", 'column "length": "long" is not a whole number of seconds.'),
        ("length", "5", 'column "length": mill flour does not make clips of 5 s.'),
        (
            "pile,size",
            f"{ONE},640x360",
            'column "pile": mill flour has no pile. Give its pictures in a column "image_url".',
        ),
    ],
)
def test_what_is_not_clear_is_refused_once(refused_by_the_mill, columns, cells, words):
    """With the column as the user wrote it, and what to write instead."""
    (problem,) = refused_by_the_mill(f"prompt,{columns}\na,{cells}\n")
    assert words in problem


def test_the_same_twice_is_no_contradiction(mill):
    """Nothing is said of it."""
    batch = mill("prompt,length,seconds\na,8,8\n")
    assert (batch.jobs[0].order.seconds, said(batch)) == (8, [])


def test_a_field_that_modes_use_differently_is_refused(problems, profiles):
    """Nobody can tell which of them is meant."""
    flour, bread = MILL["modes"]
    unclear = {**MILL, "modes": [flour, {**bread, "images": {"most": 1, "style": "url", "field": "end"}}]}
    profiles["mill"] = Profile.model_validate(unclear)
    (problem,) = problems(f"prompt,end\na,{ONE}\n", provider="mill", profiles=profiles)
    assert 'column "end": has several meanings at mill.' in problem


def test_what_a_template_names_may_be_meant_as_words(mill):
    """So it is not read as ours, but not in silence either."""
    batch = mill("prompt,length,bell,speed\na {{ length }} {{ bell }} {{ speed }} clip,8,ring,fast\n")

    assert (batch.jobs[0].order.seconds, batch.jobs[0].order.prompt) == (4, "a 8 ring fast clip")
    where = 'spring.csv, row 1 (line 2), column "length": '
    fix = 'Give a column "seconds" if it is meant so.'
    assert said(batch) == [f"{where}is not read as seconds, since a template names it. {fix}"]


def test_the_providers_word_for_the_prompt_is_left_alone(mill):
    """Many a table has a column of that name."""
    batch = mill("prompt,order\na,4711\n")
    assert (batch.jobs[0].order.prompt, batch.jobs[0].own, said(batch)) == ("a", {"order": "4711"}, [])


def test_a_documented_field_that_is_not_offered_is_warned_of(mill):
    """With what to do instead; the same goes for what every order says."""
    batch = mill("prompt,speed,quiet\na,fast,no\n")
    assert said(batch) == [
        'spring.csv, row 1 (line 2), column "speed": has no effect: reelbatch does not offer it. Give seconds.',
        'spring.csv, row 1 (line 2), column "quiet": has no effect: every order says quiet: true.',
    ]


def test_the_words_of_one_provider_are_free_for_rows_of_another(mill):
    """Only what looks like a slip of the pen is warned of there; in a batch without the mill it would be refused."""
    text = f"prompt,provider,pile,bell,speed,turn\na,yard,{ONE},b,c,d\n"
    batch = mill(text, provider=None)

    (job,) = batch.jobs
    assert (job.order.image_urls, job.order.orientation, job.own["pile"]) == ((), "portrait", ONE)
    assert said(batch) == []
    both = mill("prompt,provider,length\na,yard,8\nb,mill,8\n", provider=None)
    assert [job.order.seconds for job in both.jobs] == [6, 8]
    assert said(both)[0] == (
        'spring.csv, row 1 (line 2), column "length": has no effect: yard does not take it. It is kept as a column of your own.'
    )


def test_defaults_presets_and_lists_are_understood_too(mill):
    """As any column; a list of paths may have blanks in them."""
    text = f"version: 1\ndefaults: {{length: 8}}\njobs:\n  - prompt: a\n    pile: ['{ONE}', '{TWO}']\n    length: 20\n  - b\n"
    first, second = mill(text, "yaml").jobs
    assert (first.order.image_urls, first.order.seconds) == ((ONE, TWO), 20)
    assert (second.order.image_urls, second.order.seconds) == ((), 8)


def test_an_alias_of_ours_gives_way_to_a_providers_word_for_something_else(read, profiles):
    """`count` is the number of takes, and here it is the length."""
    mode = YARD["modes"][0]
    data = {**YARD, "modes": [{**mode, "seconds": {**mode["seconds"], "field": "count"}}]}
    profiles["yard"] = Profile.model_validate(data)
    (job,) = read("prompt,count\na,4\n", provider="yard", profiles=profiles).jobs
    assert job.order.seconds == 4


def test_a_fallback_gets_what_was_understood(mill):
    """It is another provider, whose words do not matter."""
    (job,) = mill(f"prompt,sort,length,begin,fallback\na,grain,8,{ONE},lab:clip-1\n").jobs
    (choice,) = job.fallbacks
    assert (choice.order.seconds, choice.order.image_urls) == (8, (ONE,))


VALUES = {"seconds": "5", "size": "640x360", "orientation": "9:16", "model": "a-model", "image_url": ONE}


def planned(read, row, provider):
    """The images that a row orders, None where it is refused; and what is said of it."""
    try:
        batch = read(json.dumps(row), "jsonl", provider, profiles={provider: PROFILES[provider]})
    except BatchError as error:
        return None, [str(error)]
    return batch.jobs[0].order.image_urls, said(batch)


def modes_of(profile):
    """The modes, one of those whose requests are alike."""

    def shape(mode):
        fields = [rule and rule.field for rule in (mode.seconds, mode.size, mode.orientation)]
        return repr((mode.contract, mode.images, mode.remix, mode.model_field, [*mode.fixed], fields))

    return {shape(mode): mode for mode in profile.modes}.values()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if len(PROFILES[name].modes) > 9 else []) for name in PROFILES]
)
def test_no_word_of_a_shipped_provider_is_kept_in_silence(name, read):
    """Whatever mode the row is for: it is read as ours, or the row is refused; both name the column."""
    profile = PROFILES[name]
    for mode in modes_of(profile):
        for key, word in vendor_words(profile).items():
            assert word is not None, f"{name} uses {key} for two things"
            row = {
                "prompt": "a fox",
                "model": mode.models[0],
                word.field: VALUES.get(word.meaning, "https://a.example/"),
            }
            row |= {each: value for each, value in mode.fixed.items() if isinstance(value, str)}
            if mode.images.least and word.meaning != "image_url":
                row["image_url"] = [f"https://a.example/{number}.png" for number in range(mode.images.least)]
            images, words = planned(read, row, name)
            assert any(f'"{word.field}"' in each for each in words), (mode.name, row)
            if images is not None and word.meaning == "image_url":
                assert images == (ONE,), (mode.name, row)


@pytest.mark.parametrize(
    ("pictures", "place", "text", "found"),
    [
        ([], None, f"{ONE} {TWO}", [ONE, TWO]),
        ([ONE], None, json.dumps([ONE]), [ONE]),
        ([], 0, ONE, [ONE]),
        ([ONE], 1, TWO, [ONE, TWO]),
        ([ONE, TWO], 0, ONE, [ONE, TWO]),
    ],
)
def test_pictures_come_into_the_places_that_their_fields_have(pictures, place, text, found):
    """A field for all of them may repeat what is there."""
    assert with_pictures(pictures, Word("frame", "image_url", place), text) == found


@pytest.mark.parametrize(
    ("pictures", "place", "text", "words"),
    [
        ([], None, '{"url": "x"}', "holds more than addresses"),
        ([ONE], None, TWO, "names other pictures"),
        ([], 0, f"{ONE} {TWO}", "takes one picture, and 2 are given"),
        ([], 1, ONE, "there is no picture 1"),
        ([ONE], 0, TWO, "names another picture"),
    ],
)
def test_pictures_whose_order_nobody_can_tell_are_refused(pictures, place, text, words):
    """The order decides what a picture is used for."""
    with pytest.raises(PicturesUnclear, match=words):
        with_pictures(pictures, Word("frame", "image_url", place), text)
