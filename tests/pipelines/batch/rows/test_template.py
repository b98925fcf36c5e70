from __future__ import annotations

import pytest

from pipelines.batch.rows.template import TemplateRefused, fill

HERE = {"product": "red shoe", "mood": "", "evil": "{{ product }}", "product_name": "boot", "产品": "茶"}


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "costs $KEY and ${HOME}",
        "{x} {0} {product}",
        "100% {# not a comment #}",
        "a\r\nb\n",
        "🐈‍⬛ \u202eRTL\u202c",
        "}} {",
    ],
)
def test_v29_text_without_braces_stays_byte_for_byte(text):
    """Neither the environment nor format fields nor comments are expanded."""
    assert fill(text, HERE) == text


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("a {{ product }}!", "a red shoe!"),
        ("{{product}}{{ product }}\r\n{# x #} $HOME", "red shoered shoe\r\n{# x #} $HOME"),
        ("{{ Product }} {{ Product_Name }}", "red shoe boot"),
        ("{{ 产品 }}", "茶"),
        ("{{ evil }}", "{{ product }}"),
        ("{{ product | upper }}", "RED SHOE"),
        ("{{ product | slug }}", "red-shoe"),
        ("{% if mood %}{{ mood }}{% else %}calm{% endif %} {# kept #}", "calm {# kept #}"),
        ("{{ colour | default('blue') }}", "blue"),
        ("{{ evil | upper }}", "{{ PRODUCT }}"),
    ],
)
def test_columns_are_filled_in_once_as_text(text, filled):
    """A value is never rendered itself."""
    assert fill(text, HERE) == filled


@pytest.mark.parametrize("text", ["{{ colour }}", "{{ colour | upper }}", "{% if product %}{% endif %}{{ colour }}"])
def test_v24_a_missing_name_is_refused_with_those_that_exist(text):
    """A misspelt column must not become an empty word in a paid prompt."""
    with pytest.raises(TemplateRefused, match=r"colour.*Names: .*product"):
        fill(text, HERE)


@pytest.mark.parametrize("text", ["{{ date }}", "{{ Occurrence }}", "{{ date | upper }}", "{% if date %}x{% endif %}"])
def test_a_date_that_nobody_named_is_refused_with_what_to_do(text):
    """Without an occurrence there is none, however it is asked for: on the command line, in Prefect, or by a schedule."""
    with pytest.raises(TemplateRefused, match=r"there is no .*\bdate|ccurrence") as refused:
        fill(text, HERE)
    assert all(word in refused.value.fix for word in ("--occurrence 2026-11-21", "advanced.occurrence", "schedule"))
    named = {"date": "2026-11-21", "occurrence": "2026-11-21 02:00"}
    assert fill(text, HERE | named)


@pytest.mark.parametrize(
    "text",
    [
        "{{ product.__class__ }}",
        "{{ product['x'] }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ product() }}",
        "{{ 'a' * 10000000000 }}",
        "{{ 9 ** 99999 }}",
        "{% for i in range(10) %}x{% endfor %}",
        "{% set x = 1 %}{{ x }}",
        "{% include 'x' %}",
        "{{ product | attr('x') }}",
        "{{ product | center(100000000) }}",
        "{{ product | format(1) }}",
        "{{ product if product is sequence }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "9" * 5000 + " }}",
        "{{ product",
        "{% if %}",
        "{{ }}",
        "{{ product < 1 }}",
        "{{ lipsum }}{{ self }}",
    ],
)
def test_v24_tricks_are_refused(text):
    """A template names columns; it does not reach into objects, call, loop or grow."""
    with pytest.raises(TemplateRefused):
        fill(text, HERE)


@pytest.mark.parametrize("text", ["B {{ ", "C {{ x }", "{% if x %}"])
def test_open_braces_are_mended_by_closing_them(text):
    """No column is missing, so none is asked for."""
    with pytest.raises(TemplateRefused) as caught:
        fill(text, {"x": "1"})

    assert caught.value.fix == "Close every {{ with }}, and every {% with %}."


def test_a_missing_column_is_mended_by_adding_it():
    """Or by another name."""
    with pytest.raises(TemplateRefused) as caught:
        fill("{{ y }}", {"x": "1"})

    assert caught.value.fix == "Add the column, or correct the name."
