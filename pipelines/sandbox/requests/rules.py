"""What holds between the fields of an order, as data; what holds for one field alone is in fields.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import ConfigDict

from pipelines.sandbox.vendors.refusals import wrong_field
from pipelines.sandbox.vendors.tables import STRICT


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Applies where all of `when` is so and, if any are named, one of the fields in `given` came."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # field -> its values; defaults count
    given: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()  # all of them
    needs_one: tuple[str, ...] = ()  # at least one of them
    refuses: tuple[str, ...] = ()
    allows: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # field -> what it may say here


def check_rules(
    rules: tuple[FieldRule, ...], sent: Mapping[str, Any], defaults: Mapping[str, Any], *, within: str = ""
) -> None:
    """Hold what was sent, and what other fields are taken to say, against the rules that apply.

    `within` names the object that these fields are a part of, with its dot.
    """
    values = {**defaults, **sent}
    for rule in rules:
        is_given = not rule.given or any(name in sent for name in rule.given)
        if is_given and all(values.get(name) in wanted for name, wanted in rule.when.items()):
            _check(rule, sent, values, within)


def _check(rule: FieldRule, sent: Mapping[str, Any], values: Mapping[str, Any], within: str) -> None:
    so = ", ".join([*(f"{name} {values[name]!r}" for name in rule.when), *(n for n in rule.given if n in sent)])
    with_it = f" with {so}" if so else ""
    for name in rule.needs:
        if values.get(name) in (None, "", []):
            raise wrong_field(f"{within}{name}", f"it is required{with_it}")
    if rule.needs_one and not any(values.get(name) for name in rule.needs_one):
        raise wrong_field(f"{within}{rule.needs_one[0]}", f"one of {', '.join(rule.needs_one)} is required{with_it}")
    for name in rule.refuses:
        if name in sent:
            raise wrong_field(f"{within}{name}", f"it is not taken{with_it}")
    for name, allowed in rule.allows.items():
        if name in values and values[name] not in allowed:
            raise wrong_field(f"{within}{name}", f"{values[name]!r} is not made{with_it}")
