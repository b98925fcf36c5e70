"""Prompts and file names with `{{ column }}` in them.

Text without `{{` or `{%` is no template and stays as it is, byte for byte. Values are inserted once, as text, and are
never rendered themselves. A template can name columns, choose with `if`, and use a few harmless filters; it cannot
reach into objects, call, compute or loop.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pipelines.batch.columns.names import variable_name
from pipelines.batch.rows.ids import slug
from pipelines.core.text.counts import first_of
from pipelines.core.text.excerpt import quoted

_PLAIN = re.compile(r"\{\{\s*([^\W\d]\w*)\s*\}\}")

#: What a template may be made of (jinja2's node classes), and the filters and tests that it may use.
_NODES = frozenset(
    {
        *("Template", "Output", "TemplateData", "Name", "Const", "Concat", "Filter", "Keyword"),
        *("If", "CondExpr", "Compare", "Operand", "And", "Or", "Not", "Test"),
    }
)
_FILTERS = ("upper", "lower", "title", "capitalize", "trim", "default")

#: Only what a schedule makes has these (`Occurrence.variables`): a date that went along with the calendar would buy anew.
_OF_OCCURRENCES = ("date", "occurrence")
_NO_OCCURRENCE = (
    "Say for when it is: --occurrence 2026-11-21, or advanced.occurrence in Prefect. A schedule says it by itself."
)

_LONGEST = 1_000_000  # characters that a template may render to; no provider takes as many


class TemplateRefused(ValueError):
    """A template cannot be read, or names what is not there; and how to mend it."""

    def __init__(self, what: str, fix: str = "Add the column, or correct the name.") -> None:
        super().__init__(what)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Template:
    """A template that was read. `render` takes a function from names to texts."""

    names: frozenset[str]
    render: Callable[[Mapping[str, str]], str]


def is_template(text: str) -> bool:
    """Tell whether there is anything to fill in."""
    return "{{" in text or "{%" in text


def fill(text: str, variables: Mapping[str, str]) -> str:
    """A text with its columns filled in.

    Args:
        text: with or without `{{ column }}` in it.
        variables: the columns by their variable names (see `variable_name`).

    Raises:
        TemplateRefused: it cannot be read, or names a column that is not there.
    """
    if not is_template(text):
        return text
    filled = _read(text).render(variables)
    if len(filled) > _LONGEST:
        raise TemplateRefused("becomes far too long", "Put less into it.")
    return filled


def names_in(text: str) -> frozenset[str]:
    """The variables that a text names, as `variable_name` spells them; none where it cannot be read."""
    if not is_template(text):
        return frozenset()
    try:
        return frozenset(map(variable_name, _read(text).names))
    except TemplateRefused:
        return frozenset()


@lru_cache(maxsize=1024)
def _read(text: str) -> Template:
    # Nearly every template only names columns: those are filled here, in the time of a join.
    parts = _PLAIN.split(text)
    literal, names = parts[::2], tuple(parts[1::2])
    if any(is_template(part) for part in literal):
        return _read_with_jinja(text)

    def render(variables: Mapping[str, str]) -> str:
        filled = list(parts)
        for place, name in enumerate(names):
            value = variables.get(variable_name(name))
            if value is None:
                raise _missing(name, variables)
            filled[2 * place + 1] = value
        return "".join(filled)

    return Template(frozenset(names), render)


def _missing(name: str, variables: Mapping[str, str]) -> TemplateRefused:
    fix = (_NO_OCCURRENCE,) if variable_name(name) in _OF_OCCURRENCES else ()
    return TemplateRefused(f"there is no {quoted(name, 40)} here. Names: {first_of(sorted(variables), 20)}", *fix)


def _read_with_jinja(text: str) -> Template:
    from jinja2 import TemplateError, meta  # noqa: PLC0415 - slow to import, and seldom needed

    environment = _environment()
    try:
        tree = environment.parse(text)
        _check(tree)
        names = frozenset(meta.find_undeclared_variables(tree))
        compiled = environment.from_string(tree)
    except TemplateRefused:
        raise
    except (TemplateError, ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        what = f"the template cannot be read: {quoted(str(error), 120)}"
        raise TemplateRefused(what, "Close every {{ with }}, and every {% with %}.") from None

    def render(variables: Mapping[str, str]) -> str:
        known = {name: variables[key] for name in names if (key := variable_name(name)) in variables}
        try:
            return str(compiled.render(known))
        except TemplateError as error:
            missing = [name for name in names - set(known) if f"'{name}' is undefined" in str(error)]
            if missing:
                raise _missing(missing[0], variables) from None
            message = quoted(str(error), 120)
            raise TemplateRefused(f"{message}. Names: {first_of(sorted(variables), 20)}") from None
        except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError, MemoryError) as error:
            raise TemplateRefused(f"the template cannot be filled: {quoted(str(error), 120)}") from None

    return Template(names, render)


@lru_cache(maxsize=1)
def _environment() -> Any:
    from jinja2 import StrictUndefined  # noqa: PLC0415 - as above
    from jinja2.sandbox import SandboxedEnvironment  # noqa: PLC0415 - as above

    environment = SandboxedEnvironment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
        comment_start_string="\0#",  # a template cannot contain this, so `{#` stays text
        comment_end_string="#\0",
        cache_size=0,
        optimized=False,
    )
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in _FILTERS} | {"slug": slug}
    environment.tests = {"defined": environment.tests["defined"]}
    return environment


def _check(tree: Any) -> None:
    from jinja2 import nodes  # noqa: PLC0415 - as above

    pending = [tree]
    while pending:
        node = pending.pop()
        kind = type(node).__name__
        if kind not in _NODES:
            raise TemplateRefused(f"a template may name columns, but not use {kind}", "Name a column only.")
        if isinstance(node, nodes.Filter) and node.name not in (*_FILTERS, "slug"):
            known = ", ".join((*_FILTERS, "slug"))
            raise TemplateRefused(
                f"there is no filter {quoted(str(node.name), 40)}. Filters: {known}", "Use one of these."
            )
        pending.extend(node.iter_child_nodes())
