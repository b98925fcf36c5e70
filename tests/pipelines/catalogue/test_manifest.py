from __future__ import annotations

import csv
import json
import os
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet

from pipelines.catalogue.frame import as_rows, catalogue_frame, cell_text, json_columns, plain_values
from pipelines.catalogue.manifest import spreadsheet_cells, write_manifest
from pipelines.catalogue.manifest_row import COLUMNS
from pipelines.core.text.escaping import encodable

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def written(folder):
    """The manifest as three programs read it."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file, strict=True))
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1]], table, parquet.read_table(folder / "manifest.parquet")


def test_all_forms_have_the_same_rows_and_columns(tmp_path, make_row):
    """Whichever form is read, it says the same."""
    row = make_row(
        params={"seconds": 4},
        submitted_at=NOON.astimezone(timezone(timedelta(hours=8))),
        completed_at=NOON + timedelta(milliseconds=250),
        duration_s=4.02,
        width=1280,
        has_audio=True,
        cost_actual=Decimal("0.40"),
        billed="yes",
        flags=("no_audio", "size_mismatch"),
        tags=("x",),
        own={"market": "DE", "status": "hot"},
    )

    write_manifest(tmp_path, [row, make_row(id="a-2")], ["market", "status"])
    (exact, _), (cells, empty), table = written(tmp_path)

    columns = [*COLUMNS, "market", "own_status"]
    assert list(exact) == list(cells) == table.column_names == columns
    wanted = {"submitted_at": "2026-11-21T12:00:00Z", "completed_at": "2026-11-21T12:00:00.250Z", "width": 1280}
    wanted |= {"cost_actual": "0.40", "flags": ["no_audio", "size_mismatch"], "params": {"seconds": 4}}
    wanted |= {"has_audio": True, "market": "DE", "own_status": "hot", "path": None, "status": "done", "billed": "yes"}
    assert {name: exact[name] for name in wanted} == wanted
    wanted |= {"flags": "no_audio; size_mismatch", "params": '{"seconds": 4}', "width": "1280", "has_audio": "true"}
    assert {name: cells[name] for name in wanted} == wanted | {"path": ""}
    assert (empty["cost_actual"], empty["has_audio"], empty["market"]) == ("", "", "")
    first = table.to_pylist()[0]
    assert (first["submitted_at"], first["cost_actual"], first["flags"]) == (
        NOON,
        Decimal("0.400000"),
        "no_audio; size_mismatch",
    )


@pytest.mark.parametrize("count", [0, 1])
def test_parquet_is_typed_without_any_value(tmp_path, make_row, count):
    """A column without values has the type that it would have with them."""
    write_manifest(tmp_path, [make_row()] * count, ["market"])

    table = parquet.read_table(tmp_path / "manifest.parquet")

    kinds = {field.name: field.type for field in table.schema}
    assert table.num_rows == count
    assert kinds["completed_at"] == pa.timestamp("us", tz="UTC")
    assert (kinds["cost_actual"], kinds["bytes"], kinds["fps"]) == (pa.decimal128(18, 6), pa.int64(), pa.float64())
    assert (kinds["has_audio"], kinds["market"], kinds["error_code"]) == (pa.bool_(), pa.string(), pa.string())


@pytest.mark.long
def test_a_large_manifest_is_as_if_it_were_made_in_one(tmp_path, make_row):
    """Each form is byte for byte what the whole table gives, whatever parts it is written in, and has the same values."""
    some = [
        make_row(prompt="half \ud800 😀", fps=float("nan"), has_audio=False, bytes=-(2**40), row=2),
        make_row(
            submitted_at=datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), cost_actual=Decimal("-0.0000005")
        ),
        make_row(
            completed_at=NOON.astimezone(timezone(timedelta(hours=8))), cost_reserved=Decimal("123456789012.1234567")
        ),
        make_row(
            duration_s=0.1, has_audio=True, flags=("a", "b"), tags=("x",), params={"n": [1.5, None]}, own={"c": ""}
        ),
    ]
    rows = [
        some[number % 7].model_copy(update={"prompt": f"{some[number % 7].prompt} {number}" * (number % 90)})
        if number % 7 < len(some)
        else make_row(id=f"r{number}")
        for number in range(9_001)
    ]
    write_manifest(tmp_path, iter(rows), ["c"])
    frame = catalogue_frame(rows, ["c"])
    columns = {}
    for field in parquet.read_schema(tmp_path / "manifest.parquet"):
        values = plain_values(frame[field.name])
        if pa.types.is_decimal(field.type):
            values = [None if v is None else v.quantize(Decimal("0.000001"), ROUND_HALF_EVEN) for v in values]
        elif pa.types.is_string(field.type):
            values = [None if v is None else encodable(cell_text(v)) for v in values]
        columns[field.name] = pa.array(values, type=field.type)
    parquet.write_table(pa.table(columns), tmp_path / "in_one.parquet")
    assert (tmp_path / "manifest.parquet").read_bytes() == (tmp_path / "in_one.parquet").read_bytes()
    lines = (tmp_path / "manifest.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == list(as_rows(json_columns(frame)))
    with (tmp_path / "manifest.csv").open(encoding="utf-8", newline="") as file:
        cells = list(csv.reader(file, strict=True))
    exact = json_columns(frame).items()
    assert cells[1:] == [list(row) for row in zip(*(spreadsheet_cells(n, v) for n, v in exact), strict=True)]


FORMULAS = [
    '=HYPERLINK("http://x")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\nx",
    "\0x",
    "  =1",
    "\u00a0=1",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff201",
    "\ufeff=1",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_k03_csv_holds_no_formula_and_jsonl_the_exact_text(tmp_path, make_row, text):
    """A spreadsheet calculates nothing, whatever a prompt says; programs get what was written."""
    write_manifest(tmp_path, [make_row(prompt=text, own={"c": text}, bytes=-1)], ["c"])

    (exact,), (cells,), table = written(tmp_path)

    assert (exact["prompt"], exact["c"], table.to_pylist()[0]["prompt"]) == (text, text, text)
    assert (cells["prompt"], cells["c"], cells["bytes"]) == (f"'{text}", f"'{text}", "-1")


@pytest.mark.parametrize("text", ['a, "b"; c', "two\r\nlines", "\u2028\u2029\x85", "😀 ü 猫", "a=b", "half \ud800"])
def test_any_text_survives(tmp_path, make_row, text):
    """One row is one line of JSONL, and comes back as it was; tables replace only what UTF-8 cannot hold."""
    write_manifest(tmp_path, [make_row(prompt=text)])

    (exact,), (cells,), table = written(tmp_path)

    assert len((tmp_path / "manifest.jsonl").read_text().splitlines()) == 1
    assert exact["prompt"] == text
    assert cells["prompt"] == table.to_pylist()[0]["prompt"] == text.replace("\ud800", "\ufffd")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_k02_a_kill_leaves_the_old_manifest_whole(tmp_path, make_row, monkeypatch, step):
    """Whenever the writing dies, the old files are there."""
    write_manifest(tmp_path, [make_row()])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(KeyboardInterrupt):
        write_manifest(tmp_path, [make_row(), make_row()])

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_d19_a_planted_link_is_replaced_and_not_followed(tmp_path, make_row):
    """A manifest is written into its folder, nowhere else."""
    (tmp_path / "out").mkdir()
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "out" / "manifest.csv").symlink_to(tmp_path / "victim")
    (tmp_path / "out" / f".manifest.jsonl.{os.getpid()}.tmp").symlink_to(tmp_path / "victim")

    write_manifest(tmp_path / "out", [make_row()])

    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "out" / "manifest.csv").is_symlink()


@pytest.mark.parametrize(
    ("column", "values", "cells"),
    [
        ("has_audio", [True, False, None], ["true", "false", ""]),
        ("width", [-1, None], ["-1", ""]),
        ("cost_actual", [Decimal("-0.10")], ["-0.10"]),
        ("prompt", ["-1", "=A1", "a cat", None], ["'-1", "'=A1", "a cat", ""]),
        ("Market", ["+49"], ["'+49"]),
    ],
)
def test_only_texts_are_made_harmless_for_spreadsheets(column, values, cells):
    """A minus makes no formula of a number."""
    assert list(spreadsheet_cells(column, values)) == cells
