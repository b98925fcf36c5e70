from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from pipelines.core.text.strict_yaml import parse_yaml
from pipelines.providers.profile.checks.agreement import checked_profile
from pipelines.providers.profile.model import SandboxDialect
from pipelines.providers.profile.problems import problems_of

HEAD = "name: fox\ntitle: Fox\ncontract: openai\nbase_url: https://fox.example\ndefault_model: m\nprompt_most: 9\n"
MODES = "modes: [{name: video, models: [m]}]\n"


def said(text):
    source = parse_yaml(text)
    with pytest.raises(ValidationError) as refused:
        checked_profile(source.value)
    return [str(problem) for problem in problems_of(refused.value, "fox.yaml", source)]


def test_the_lines_used_here_are_a_profile():
    """What the other tests add to is right by itself."""
    assert checked_profile(parse_yaml(HEAD + MODES).value).name == "fox"


@pytest.mark.parametrize(
    "seconds", ["{allowed: [4, -400], default: 4}", "{allowed: [4], default: 0}", "{least: 0, most: 4, default: 4}"]
)
def test_a_clip_lasts_a_second_or_more(seconds):
    """A length below nothing would be a price below nothing, which every budget lets through."""
    problems = said(f"{HEAD}modes: [{{name: video, models: [m], seconds: {seconds}}}]\n")
    assert any("greater than or equal to 1" in problem for problem in problems)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("base_ulr: x", 'base_ulr: is not a field here. Did you mean "base_url"?'),
        ("extend: x", 'extend: is not a field here. Did you mean "extends"?'),
        ("fps: 16", "fps: is not a field here. It is one of `modes[].seconds`."),
        ("answers: {id_path: x}", "answers.id_path: is not a field here. It is one of the profile itself."),
        (
            'auth: {header: "X-Key:"}',
            'auth.header: "X-Key:" does not fit. It takes the name alone, without a colon: letters, digits and dashes.',
        ),
        ("needs_key: perhaps", 'needs_key: "perhaps" is neither true nor false.'),
        ("supports: [lst]", 'supports[0]: "lst" is not allowed. Allowed: list, delete, variants.'),
        ("supports: list", 'supports: "list" is not a list. Write [a, b], or one item a line after a dash.'),
        ("limits: 4", "limits: 4 is not a mapping. Write `name: value` lines below it."),
        ("limits: {in_flight: 2.5}", "limits.in_flight: 2.5 is not a whole number."),
        ("limits: {in_flight: 0}", "limits.in_flight: 0 does not fit: input should be greater than or equal to 1."),
        ("limits: {in_flght: 2}", 'limits.in_flght: is not a field here. Did you mean "in_flight"?'),
        ("retired_on: 20260101", "retired_on: 20260101 is not a date. Write for example 2026-11-21."),
        ("retired_on: 2026-02-30", 'retired_on: "2026-02-30" is not a date. Write for example 2026-11-21.'),
        ("needs_key: yes", 'needs_key: "yes" is neither true nor false.'),
        ("open_models: 1", "open_models: 1 is neither true nor false."),
        ("repeats_id: off", 'repeats_id: "off" is neither true nor false.'),
        ("timing: {otherwise: -4}", "timing.otherwise: -4 does not fit: input should be greater than 0."),
        ("timing: {deadline_hours: -1}", "timing.deadline_hours: -1 does not fit: input should be greater than 0."),
        ("timing: {otherwise: inf}", 'timing.otherwise: "inf" is not a number.'),
        (
            "prices: [{currency: usd}]",
            'prices[0].currency: "usd" does not fit. It takes three capital letters, such as USD.',
        ),
        (
            "prices: [{amount: 1e30}]",
            'prices[0].amount: "1e30" does not fit: input should be less than or equal to 1000000.',
        ),
        (
            'key_env: [""]',
            'key_env[0]: "" does not fit. It takes the name of a variable: letters, digits and underscores.',
        ),
        (
            "sandbox: nosuch",
            'sandbox: "nosuch" is not allowed. Allowed: ' + ", ".join(sorted(get_args(SandboxDialect))) + ".",
        ),
        ("retired_on: soon", 'retired_on: "soon" is not a date. Write for example 2026-11-21.'),
        ("words: {ready: done}", 'words.ready: "done" is not allowed. Allowed: running, succeeded, failed, cancelled.'),
        (
            "paths: {sbmit: /x}",
            'paths.sbmit: "sbmit" is not allowed. Allowed: submit, status, result, content, list, delete, cancel.',
        ),
        ("timing: {typical: {four: 9}}", 'timing.typical.four: "four" is not a whole number.'),
        ("id_path: [a]", 'id_path: ["a"] is not text. Put it into quotes.'),
        ("prices: [{amount: much}]", 'prices[0].amount: "much" is not a number.'),
    ],
)
def test_a_mistake_is_said_at_its_place(line, problem):
    """File, line, the way to the value, what is wrong with it, and what is allowed."""
    assert f"fox.yaml, line 7, {problem}" in said(f"{HEAD}{line}\n{MODES}")


def test_a_mistake_inside_a_mode_names_the_mode():
    """Lists are counted from zero, as in a path; a parameter may be called like a field."""
    modes = "modes:\n  - {name: a, models: [m]}\n  - name: b\n    models: [m]\n    parameters:\n      type: {tpye: string}\n"
    assert said(HEAD + modes) == [
        'fox.yaml, line 12, modes[1].parameters.type.tpye: is not a field here. Did you mean "type"?'
    ]


def test_what_stands_above_the_modes_is_said_there():
    """A name for each attempt that would overwrite the prompt is a key of the profile, and not of its mode."""
    (problem,) = said(f"{HEAD}attempt_field: prompt\n{MODES}")
    assert problem.startswith('fox.yaml, line 7, attempt_field: "prompt" is the field of `prompt_field` too')


def test_a_list_whose_items_are_wrong_is_not_called_empty():
    """One mistake is one problem."""
    assert said(HEAD + "modes: [{name: a}]\n") == ["fox.yaml, line 7, modes[0].models: is missing."]
    assert said(HEAD + "modes: []\n") == ["fox.yaml, line 7, modes: is empty. Give at least one."]


def test_problems_come_in_the_order_of_the_lines():
    """What is missing altogether comes first, and then one can go through the file."""
    assert [problem.split(", ")[1] for problem in said("title: []\nmodes: 4\nname: A\nnotes: 5\n")[-4:]] == [
        "line 1",
        "line 2",
        "line 3",
        "line 4",
    ]


def test_a_value_of_no_allowed_kind_is_one_problem():
    """Where text and numbers are allowed, a list is refused once, and not for each kind that it is not."""
    parameters = "    parameters: {seed: {allowed: [[1]]}}\n"
    problems = said(HEAD + "modes:\n  - name: a\n    models: [m]\n" + parameters)
    assert [problem.split(": ")[0] for problem in problems] == [
        "fox.yaml, line 10, modes[0].parameters.seed.allowed[0]"
    ]


def test_what_a_message_shows_is_short_and_on_one_line():
    """A file from somewhere cannot fill the terminal, or play tricks on it."""
    (problem,) = said(f'{HEAD}contract_: "{"x" * 500}"\nneeds_key: "a\\nb{"y" * 500}"\n{MODES}')[1:]
    assert len(problem) < 150
    assert problem.isprintable()
