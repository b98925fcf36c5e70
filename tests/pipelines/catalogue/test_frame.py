from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import get_args

import pytest
from pydantic import AwareDatetime

from pipelines.catalogue.frame import (
    DTYPES,
    NUMBER,
    OBJECT,
    TEXT,
    TIME,
    TRUTH,
    WHOLE_NUMBER,
    as_rows,
    catalogue_frame,
    json_columns,
    plain_values,
)
from pipelines.catalogue.manifest_row import COLUMNS, ManifestRow

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_every_column_has_the_type_of_its_field():
    """A column that is added to the row gets its type in the table, or this fails."""
    types = {int: WHOLE_NUMBER, float: NUMBER, bool: TRUTH, AwareDatetime: TIME, Decimal: OBJECT}
    for name in COLUMNS:
        annotation = ManifestRow.model_fields[name].annotation
        kinds = {annotation, *get_args(annotation)} & set(types)
        collection = name in {"params", "flags", "tags"}
        assert DTYPES[name] == (OBJECT if collection else next((types[kind] for kind in kinds), TEXT)), name


@pytest.mark.parametrize("count", [0, 1])
def test_the_table_is_typed_without_any_value(make_row, count):
    """The manifest's columns in their order, then the user's own, each of its type with no row and no value."""
    frame = catalogue_frame([make_row()] * count, ["market", "status"])

    assert list(frame.columns) == [*COLUMNS, "market", "own_status"]
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        name: "string" if kind == TEXT else kind for name, kind in DTYPES.items()
    } | {"market": "string", "own_status": "string"}


def test_values_are_exact(make_row):
    """Times are one moment in UTC, amounts keep every digit, texts keep what UTF-8 cannot hold."""
    row = make_row(
        prompt="half \ud800",
        submitted_at=NOON.astimezone(timezone(timedelta(hours=8))),
        cost_estimated=Decimal("0.123456789"),
        flags=("a", "b"),
        params={"seconds": 4},
        has_audio=False,
        own={"market": ""},
    )
    frame = catalogue_frame([row, make_row()], ["market"])

    first, second = as_rows({name: plain_values(frame[name]) for name in frame.columns})
    assert (first["prompt"], first["submitted_at"], first["has_audio"]) == ("half \ud800", NOON, False)
    assert (first["cost_estimated"], first["flags"], first["params"]) == (
        row.cost_estimated,
        ["a", "b"],
        {"seconds": 4},
    )
    assert (first["status"], first["market"], second["market"], second["submitted_at"]) == ("done", "", None, None)


def test_money_can_be_added_up(make_row):
    """Sums are decimals, and what has no cost does not count."""
    frame = catalogue_frame([make_row(cost_actual=Decimal("0.1")), make_row(cost_actual=Decimal("0.2")), make_row()])
    assert frame["cost_actual"].sum() == Decimal("0.3")
    assert frame.groupby("provider")["cost_actual"].sum().tolist() == [Decimal("0.3")]


def test_json_has_times_and_costs_as_text(make_row):
    """So that 0.10 stays 0.10, and every program reads the same moment."""
    frame = catalogue_frame([make_row(completed_at=NOON, cost_actual=Decimal("0.1")), make_row()])
    columns = json_columns(frame)
    assert (columns["completed_at"], columns["cost_actual"]) == (["2026-11-21T12:00:00Z", None], ["0.10", None])
