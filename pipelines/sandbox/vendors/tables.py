"""Reads the vendors' tables: what each model and service takes, in YAML beside the code that serves it.

A table has `entries`, and `fields` and `groups` of fields that several entries share. A word in place of a field stands
for the shared one of that name, `like` takes a shared one and changes it, and `takes` puts groups into an entry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter

from pipelines.core.text.strict_yaml import parse_yaml

STRICT = ConfigDict(extra="forbid")  # for whatever an entry is made of
TableEntry = TypeVar("TableEntry")


def read_table(file: str, kind: type[TableEntry]) -> tuple[TableEntry, ...]:
    """Read every entry of a table below `vendors/`; what it does not spell right is an error at once."""
    table = parse_yaml(resources.files("pipelines.sandbox.vendors").joinpath(file).read_text("utf-8")).value
    shared: dict[str, Any] = {}
    for name, spec in table.pop("fields", {}).items():  # each may build on those above it
        shared[name] = _spelled_out(spec, shared)
    groups = {name: _all_spelled_out(group, shared) for name, group in table.pop("groups", {}).items()}
    entries = table.pop("entries")
    if table:
        raise ValueError(f"{file}: unknown {', '.join(table)}")
    for entry in (entry for entry in entries if "fields" in entry or "takes" in entry):
        fields = [*(groups[name] for name in entry.pop("takes", ())), _all_spelled_out(entry.get("fields", {}), shared)]
        entry["fields"] = {name: spec for part in fields for name, spec in part.items()}
    return TypeAdapter(tuple[kind, ...]).validate_json(json.dumps(entries), strict=True)  # type: ignore[valid-type]


def _all_spelled_out(fields: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _spelled_out(spec, shared) for name, spec in fields.items()}


def _spelled_out(spec: Any, shared: Mapping[str, Any]) -> Any:
    """A field without words that stand for shared ones, at any depth."""
    if isinstance(spec, str):
        return shared[spec]
    own = {**(shared[spec["like"]] if "like" in spec else {}), **{k: v for k, v in spec.items() if k != "like"}}
    if "inside" in spec:
        own["inside"] = _all_spelled_out(spec["inside"], shared)
    if "each" in spec:
        own["each"] = _spelled_out(spec["each"], shared)
    return own
