from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines.batch import BudgetSetting, LimitSettings

ONE = "version: 1\njobs:\n  - prompt: a cat\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 1\njobs: &j\n  - prompt: a\n", "line 2: uses an anchor"),
        ("a: *b\n", "line 1: uses an alias"),
        ("jobs:\n  - <<: {prompt: a}\n", "line 2: uses a merge key"),
        ("jobs:\n  - !!python/object/apply:os.system [ls]\n", "line 2: uses a tag"),
        ("jobs:\n  - prompt: !!str a\n", "uses a tag"),
        ("version: 1\n---\nversion: 1\n", "second document"),
        ("version: 1\nversion: 1\n", 'line 2: has the key "version" twice'),
        ("jobs:\n  - prompt: a\n    prompt: b\n", 'line 3: has the key "prompt" twice'),
        ("? [a]\n: b\n", "a key that is not a name"),
        ("[" * 100_000, "nested more than 32 deep"),
        ("- a\n- b\n", "is not a mapping"),
        ("just text", "is not a mapping"),
        ("", "is not a mapping"),
        ("a: [", "line 2"),
        ("a: b: c", "line 1"),
        ("a: \t- b\n\tc", "line"),
        ("jobs:\n  - prompt: a\x07b\n", "spring.yaml"),
    ],
)
def test_v16_v17_v18_v20_what_could_multiply_hide_or_run_is_refused(problems, text, words):
    """Anchors, aliases, merge keys, tags, doubled keys, several documents and deep nesting end with one message."""
    (problem,) = problems(text, "yaml")

    assert words in problem  # and not after minutes: the limit of every test would end that


def test_v19_scalars_stay_text(read):
    """`no`, `012` and `12:30:45` are what was written."""
    own = (
        read("version: 1\njobs:\n  - {prompt: no, a: 012, b: 12:30:45, c: 2026-01-01, d: 1e3, e: yes}\n", "yaml")
        .jobs[0]
        .own
    )

    assert own == {"a": "012", "b": "12:30:45", "c": "2026-01-01", "d": "1e3", "e": "yes"}


def test_problems_name_the_job_and_its_line(problems):
    """A person finds the place at once."""
    (problem,) = problems(ONE + "  - prompt: b\n    seconds: 9\n", "yaml")

    assert problem.startswith('spring.yaml, job 2 (line 4), "seconds": qiniu ')
    assert "does not make clips of 9 s." in problem


def test_settings_are_read(read, tmp_path):
    """Name, limits, budget, output and delivery."""
    batch = read(
        ONE
        + "name: Spring\nlimits: {in_flight: 5, per_minute: 2.5, poll_every: 3s}\nbudget: {max: 25.50, currency: EUR}\n"
        "output: {dir: out, filename: '{{ name }}/{{ row }}'}\ndelivery: callback\n",
        "yaml",
    )

    assert (batch.name, batch.delivery) == ("Spring", "callback")
    assert batch.limits == LimitSettings(in_flight=5, per_minute=2.5, poll_every=3)
    assert batch.budget == BudgetSetting(max=Decimal("25.50"), currency="EUR")
    assert batch.output.dir == tmp_path / "out"
    assert batch.jobs[0].filename == "Spring/1.mp4"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("limit: {}\n", 'Did you mean "limits"?'),
        ("concurrency: 5\n", 'Use "limits.in_flight".'),
        ("limits: {in_flght: 5}\n", 'Did you mean "in_flight"?'),
        ("limits: {in_flight: 0}\n", '"limits.in_flight"'),
        ("limits: {per_minute: nan}\n", '"limits.per_minute"'),
        ("budget: {max: -1}\n", '"budget.max"'),
        ("budget: {max: 5, currency: dollars}\n", '"budget.currency"'),
        ("delivery: pigeon\n", "'poll' or 'callback'"),
        ("provider: acdata\n", 'Did you mean "acedata"?'),
        ("defaults: {secconds: 4}\n", 'looks like "seconds"'),
        ("defaults: {id: x}\n", "cannot give an id"),
        ("defaults: []\n", "is not a mapping"),
        ("presets: {a: b}\n", "is not a mapping"),
        ("matrix: [a]\n", "is not a mapping"),
    ],
)
def test_v21_settings_that_do_not_fit_are_refused_with_a_hint(problems, text, words):
    """Nothing at the top is silently ignored."""
    assert any(words in problem for problem in problems(ONE + text, "yaml"))


def test_an_unknown_version_is_refused_and_a_missing_one_is_said(read, problems):
    """A later version may mean other things."""
    assert "Write `version: 1`." in problems("version: 2\njobs: [{prompt: a}]\n", "yaml")[0]
    assert "read as version 1" in str(read("jobs: [{prompt: a}]\n", "yaml").warnings[0])


def test_settings_jobs_and_shape_are_reported_together(problems):
    """All problems at once, also across the parts of the file."""
    found = problems("version: 1\nlimits: {in_flight: x}\njobs:\n  - prompt: a\n    seconds: 5\n  - [a]\n", "yaml")

    assert len(found) == 3


def test_defaults_presets_and_jobs_lie_on_top_of_each_other(read):
    """The job wins over its preset, which wins over the defaults; an empty value is not given."""
    batch = read(
        "version: 1\ndefaults: {seconds: 8, mood: calm, tags: [a, b]}\npresets: {wide: {orientation: landscape, mood: loud}}\n"
        "jobs:\n  - {prompt: '{{ mood }}', preset: wide}\n  - {prompt: b, preset: wide, mood: shy, seconds: 4}\n  - {prompt: c, seconds: ~}\n",
        "yaml",
    )
    bought = [(job.order.prompt, job.order.seconds, job.order.size, job.own["mood"], job.tags) for job in batch.jobs]

    assert bought == [
        ("loud", 8, "1280x720", "loud", ("a", "b")),
        ("b", 4, "1280x720", "shy", ("a", "b")),
        ("c", 8, "720x1280", "calm", ("a", "b")),
    ]
    assert batch.columns == ("mood",)


def test_an_unknown_preset_is_refused(problems):
    """With the nearest name."""
    text = "version: 1\npresets: {wide: {seconds: 8}}\njobs: [{prompt: a, preset: wid}]\n"
    assert 'there is no preset "wid". Did you mean "wide"?' in problems(text, "yaml")[0]


def test_jobs_may_be_bare_prompts(read):
    """As in JSONL."""
    assert [job.order.prompt for job in read("version: 1\njobs:\n  - a cat\n  - prompt: a dog\n", "yaml").jobs] == [
        "a cat",
        "a dog",
    ]


def test_images_and_nested_values(read, problems):
    """A list of images is read as such; own columns keep what is nested as JSON; our columns take one value."""
    nested = "{a: [1, 0.50, true, '2', 012, no, ~], 7: {b: -1e3}}"
    job = read(ONE + f"    image_url: [https://a.example/1.png]\n    meta: {nested}\n", "yaml").jobs[0]
    assert job.order.image_urls == ("https://a.example/1.png",)
    assert job.own == {"meta": '{"a": [1, 0.50, true, "2", "012", "no", null], "7": {"b": -1e3}}'}
    assert "takes one value" in problems(ONE + "    seconds: [4, 8]\n", "yaml")[0]


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("budget: 12", "Write budget: {max: 12}."),
        ("budget: much", "Write budget: {max: 12}."),
        ("limits: 3", "Write limits: {in_flight: 3}."),
        ("output: clips", "Write output: {dir: clips}."),
    ],
)
def test_a_setting_with_parts_is_shown_as_it_is_written(problems, line, fix):
    """Nobody who writes a batch knows the classes of this program."""
    (problem,) = problems(f"version: 1\n{line}\njobs: [a]\n", "yaml")

    assert problem.endswith(fix)
    assert "instance" not in problem
