from __future__ import annotations

import pytest

from pipelines.batch.matching.parameters import ParameterRefused, cell_as, check_shape, parameter_value
from pipelines.providers.profile.order_parts import Parameter


@pytest.mark.parametrize(
    ("rule", "text", "value"),
    [
        ({}, "007", "007"),
        ({"allowed": ("Film", "plain")}, "film", "Film"),
        ({"type": "integer"}, "5.0", 5),
        ({"type": "integer"}, "-1", -1),
        ({"type": "number"}, "0.5", 0.5),
        ({"type": "number"}, "1e-3", 0.001),
        ({"type": "number"}, "2.0", 2),
        ({"type": "boolean"}, "Yes", True),
        ({"type": "boolean"}, "off", False),
        ({"type": "json"}, '{"a": [1, 0.5, true, null]}', {"a": [1, 0.5, True, None]}),
        ({"type": "list"}, "a, b;c|d\ne", ["a", "b", "c", "d", "e"]),
        ({"type": "list"}, '["a, b", "c"]', ["a, b", "c"]),
        ({"type": "list", "allowed": ("EN", "DE")}, "en,de", ["EN", "DE"]),
        ({"type": "list", "most": 2}, "a,b", ["a", "b"]),
        ({"type": "json", "shape": "object"}, "{}", {}),
        ({"type": "json", "shape": "list"}, "[1]", [1]),
        ({"type": "json", "shape": "objects", "keys": ("a",)}, '[{"a": 1}]', [{"a": 1}]),
    ],
)
def test_a_cell_becomes_the_value_that_the_request_takes(rule, text, value):
    """Strictly, and spelt as the provider spells it."""
    found = parameter_value(Parameter(**rule), text, "m")

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("rule", "text", "words"),
    [
        ({"type": "integer"}, "5.5", "not a whole number"),
        ({"type": "integer"}, "1_000", "not a number. Write for example 5."),
        ({"type": "number"}, "\u0665", "not a number"),
        ({"type": "number"}, "nan", "not a number"),
        ({"type": "number"}, "1e99", "not a number"),
        ({"type": "number", "least": 0, "most": 1}, "1.5", "It takes at least 0 and at most 1."),
        ({"type": "boolean"}, "maybe", "neither yes nor no"),
        ({"type": "json"}, "{a: 1}", "is not JSON"),
        ({"type": "json"}, "NaN", "is not JSON"),
        ({"type": "json"}, '{"a": 1e999}', "is not JSON"),
        ({"type": "json"}, "[" * 100_000, "is not JSON"),
        ({"type": "list"}, "[1, 2]", "not a list of texts"),
        ({"type": "list", "most": 2}, "a,b,c", "has 3 items. It takes at most 2."),
        ({"type": "list", "least": 1}, "[]", "has 0 items. It takes at least 1."),
        ({"type": "json", "shape": "object"}, "[{}]", "is not a JSON object. Write for example {"),
        ({"type": "json", "shape": "object"}, '"x"', "is not a JSON object."),
        ({"type": "json", "shape": "object", "keys": ("a",)}, '{"b": 1}', "has no a. It takes a."),
        ({"type": "json", "shape": "list"}, '{"a": 1}', "is not a JSON list."),
        ({"type": "json", "shape": "objects"}, '["x"]', "is not a JSON list of objects."),
        ({"type": "json", "shape": "objects"}, '{"a": 1}', "is not a JSON list of objects."),
        ({"type": "json", "shape": "objects", "keys": ("a", "b")}, '[{"a": 1}]', "has no b. It takes a and b."),
        ({"type": "json", "shape": "objects", "most": 1}, "[{}, {}]", "has 2 items. It takes at most 1."),
        ({"type": "integer", "least": 0, "most": 4294967295}, "99999999999", "at least 0 and at most 4294967295."),
        ({"type": "list", "allowed": ("en",)}, "en,fr", '"fr" is not allowed. Allowed: en.'),
        ({"allowed": ("a", "b")}, "c", '"c" is not allowed. Allowed: a, b.'),
        ({"most": 3}, "abcd", "has 4 characters. It takes at most 3."),
        ({"only": {"4k": ("big",)}}, "4k", '"4k" is not taken by m. Only big can.'),
    ],
)
def test_what_a_parameter_does_not_take_is_refused(rule, text, words):
    """With what it takes."""
    with pytest.raises(ParameterRefused) as caught:
        parameter_value(Parameter(**rule), text, "m")
    assert words in f"{caught.value.what} {caught.value.fix}"


@pytest.mark.parametrize(
    "header", ["negative_prompt", "Negative Prompt", "negativePrompt", "NEGATIVE-PROMPT", "negative"]
)
def test_a_parameter_has_one_name_however_it_is_spelt(plan, header):
    """And goes into the order under the name of the request; the column stays the user's own."""
    batch = plan(f"prompt,{header}\na,rain\n")

    assert batch.jobs[0].order.extra == {"negativePrompt": "rain"}
    assert batch.jobs[0].own == {header: "rain"}
    assert batch.warnings == ()


@pytest.mark.parametrize(
    ("yaml", "extra"),
    [
        ("seed: 5", {"seed": 5}),
        ("strength: 0.5", {"strength": 0.5}),
        ("loop: true", {"loop": True}),
        ("loop: no", {"loop": False}),
        ("words: [a, 'b, c']", {"words": ["a", "b, c"]}),
        ("words: a, b", {"words": ["a", "b"]}),
        ("camera: [1, 0.5]", {"camera": [1, 0.5]}),
        ("camera: [up, 'down']", {"camera": ["up", "down"]}),
        ("camera: {type: simple, config: {zoom: -5, pan: 0.5, still: false, label: '5'}}",
         {"camera": {"type": "simple", "config": {"zoom": -5, "pan": 0.5, "still": False, "label": "5"}}}),
        ("camera: '{\"type\": \"simple\"}'", {"camera": {"type": "simple"}}),
    ],
)  # fmt: skip
def test_yaml_values_work_as_well_as_text(plan, yaml, extra):
    """Numbers, truth values, lists and mappings; a word in quotes stays a word."""
    text = f"version: 1\njobs:\n  - prompt: a\n    {yaml}\n"
    assert plan(text, "yaml").jobs[0].order.extra == extra
    assert plan(f"version: 1\ndefaults:\n  {yaml}\njobs: [a]\n", "yaml").jobs[0].order.extra == extra
    preset = f"version: 1\npresets:\n  p:\n    {yaml}\njobs: [{{prompt: a, preset: p}}]\n"
    assert plan(preset, "yaml").jobs[0].order.extra == extra


def test_jsonl_values_work_as_well_as_text(plan):
    """As in YAML."""
    text = '{"prompt": "a", "seed": 5, "loop": true, "camera": {"zoom": [1, 2.50]}, "words": ["a"]}\n'
    assert plan(text, "jsonl").jobs[0].order.extra == {
        "seed": 5,
        "loop": True,
        "camera": {"zoom": [1, 2.5]},
        "words": ["a"],
    }


def test_the_matrix_may_give_parameters(plan):
    """As any other column."""
    jobs = plan("version: 1\nmatrix: {seed: [1, 2]}\njobs: [{id: a, prompt: x}]\n", "yaml").jobs
    assert [(job.id, job.order.extra) for job in jobs] == [("a-1", {"seed": 1}), ("a-2", {"seed": 2})]


def test_a_row_wins_over_a_default_that_is_spelt_otherwise(plan):
    """They are the same column."""
    text = "version: 1\ndefaults: {negative_prompt: rain}\njobs: [{prompt: a, Negative Prompt: snow}, {prompt: b}]\n"
    batch = plan(text, "yaml")

    assert [job.order.extra for job in batch.jobs] == [{"negativePrompt": "snow"}, {"negativePrompt": "rain"}]
    assert batch.columns == ("Negative Prompt",)


def test_a_wrong_value_names_row_and_column(refused):
    """As the user wrote the column."""
    (problem,) = refused("prompt,Look\na,grey\n")
    assert problem == 'spring.csv, row 1 (line 2), column "Look": "grey" is not allowed. Allowed: plain, film.'


def test_what_the_mode_of_a_row_does_not_take_is_refused(refused):
    """It would have no effect, and another mode shows that it is meant as a parameter."""
    (problem,) = refused("prompt,model,seed\na,film-1,5\n")
    assert 'column "seed": lab film does not take seed. Models that do: clip-1, clip-2, clip-0.' in problem


def test_a_column_that_the_prompt_names_is_a_word_of_the_prompt(plan):
    """Many a campaign has a column `look` of its own."""
    (job,) = plan("prompt,model,look\na cat in {{ look }},film-1,x\n").jobs
    assert (job.order.extra, job.order.prompt) == ({}, "a cat in x")


@pytest.mark.parametrize("header", ["seed", "negative_prompt", "cfg_scale", "Look", "fps"])
def test_what_another_provider_takes_and_this_one_does_not_is_said(plan, header):
    """Only where a row gives a value, and only for the provider that does not take it."""
    said = [str(warning) for warning in plan(f"prompt,{header}\na,5\nb,\nc,6\n", provider="yard").warnings]

    if header == "seed":
        assert said == []
    else:
        where = f'spring.csv, row 1 (line 2), column "{header}" (and 1 more): '
        assert said == [f"{where}has no effect: yard does not take it. It is kept as a column of your own."]


def test_what_a_template_names_has_an_effect(plan):
    """So nothing is said of it."""
    assert plan('prompt,look\n"a {{ look }} cat",grey\n', provider="yard").warnings == ()


def test_an_alias_gives_way_to_a_parameter_of_the_providers_in_use(plan, profiles):
    """`n` is the number of takes where nobody calls a parameter so."""
    mode = profiles["yard"].modes[0]
    own = {"n": Parameter(type="integer"), "image": Parameter(), "mode": Parameter(), "size": Parameter()}
    profiles["yard"] = profiles["yard"].model_copy(update={"modes": (mode.model_copy(update={"parameters": own}),)})

    assert len(plan("prompt,n\na,2\n").jobs) == 2
    (job,) = plan("prompt,n,image,mode,size\na,2,x.png,pro,720P\n", provider="yard").jobs
    assert job.order.extra == {"n": 2, "image": "x.png", "mode": "pro", "size": "720P"}
    assert (job.order.size, job.order.image_urls) == (None, ())
    (job,) = plan("prompt,provider,n\na,yard,2\n", provider=None).jobs
    assert job.order.extra == {"n": 2}


def test_a_parameter_of_a_provider_that_nobody_uses_excuses_no_misspelling(refused, profiles):
    """`resolution` would buy the default size in silence."""
    mode = profiles["yard"].modes[0]
    own = {"resolution": Parameter()}
    profiles["yard"] = profiles["yard"].model_copy(update={"modes": (mode.model_copy(update={"parameters": own}),)})

    assert 'the column "resolution" looks like "size"' in refused("prompt,resolution\na,720p\n")[0]


def test_a_cell_is_read_as_the_type_of_its_parameter():
    """Text stays as it is written."""
    kinds = {"string": "1", "integer": 1, "number": 1, "boolean": True, "list": ["1"], "json": 1}
    assert {kind: cell_as(kind, "1") for kind in kinds} == kinds


@pytest.mark.parametrize(("shape", "value"), [("object", []), ("list", {}), ("objects", [1]), ("objects", [{"b": 1}])])
def test_json_of_another_shape_is_refused_before_it_is_sent(shape, value):
    """With an example of the right one, or the key that is missing."""
    with pytest.raises(ParameterRefused, match=r"is not a JSON|has no a"):
        check_shape(Parameter(type="json", shape=shape, keys=() if shape == "list" else ("a",)), value, "x")
