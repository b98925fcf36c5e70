from __future__ import annotations

import csv
from decimal import Decimal

import pytest

from pipelines.batch.files.document import CsvDialect
from pipelines.catalogue.done_copy import by_row, done_cells, write_done_copy, write_failed_rows
from pipelines.catalogue.failed_rows import FailedRow

HEADER = ("prompt", "Market", "n")
ROWS = (("A fox", "=DE", "1"), ("A bee", "", "2"), ("A cat", "FR", "3"))


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def test_the_users_file_comes_back_with_the_results(tmp_path, make_row):
    """Their columns and cells in their order, untouched, then ours; takes share a cell."""
    takes = by_row(
        [
            make_row(row=1, path="videos/fox.mp4", cost_actual=Decimal("0.40"), currency="USD"),
            make_row(row=1, take=2, path="videos/fox-2.mp4", cost_actual=Decimal("0.40"), currency="USD"),
            make_row(row=3, status="failed", error_code="moderation", error_message="-refused"),
            make_row(row=3, take=2, path="videos/cat.mp4", cost_actual=Decimal("1.00"), currency="USD"),
            make_row(row=3, take=3, path="videos/cat.mp4", cost_actual=Decimal(2), currency="CNY"),
        ]
    )

    path = write_done_copy(tmp_path, "spring.csv", HEADER, ROWS, takes)

    assert path == tmp_path / "spring.done.csv"
    assert read(path) == [
        ["prompt", "Market", "n", "status", "video_path", "cost", "error"],
        ["A fox", "=DE", "1", "done", "videos/fox.mp4; videos/fox-2.mp4", "0.80", ""],
        ["A bee", "", "2", "", "", "", ""],
        ["A cat", "FR", "3", "failed; done", "videos/cat.mp4", "1.00 USD; 2.00 CNY", "'-refused"],
    ]


def test_a_row_that_has_changed_is_not_shown_as_made(tmp_path, make_row):
    """The video beside it is of the row as it was when it was bought, and the file says so."""
    takes = by_row([make_row(row=1, path="videos/fox.mp4", flags=("row_changed",))])
    path = write_done_copy(tmp_path, "spring.csv", HEADER, ROWS, takes)
    done = read(path)[1]
    assert done[3:5] == ["done", "videos/fox.mp4"]
    assert "has changed since it was bought" in done[6]
    assert "`reelbatch redo`" in done[6]


@pytest.mark.parametrize(
    ("header", "added"),
    [
        (("Status",), ["reelbatch_status", "video_path", "cost", "error"]),
        (("cost", "reelbatch_cost"), ["status", "video_path", "reelbatch_reelbatch_cost", "error"]),
    ],
)
def test_a_column_of_the_user_is_never_overwritten(tmp_path, header, added):
    """Where they have a column of our name, ours gets another."""
    path = write_done_copy(tmp_path, "b.csv", header, [("x",) * len(header)], {})

    assert read(path)[0] == [*header, *added]
    assert read(path)[1][: len(header)] == ["x"] * len(header)


def test_an_uncertain_payment_has_its_cost(tmp_path, make_row):
    """What was surely paid is a number; what may have to be paid, was assumed, or was rehearsed, says so."""
    price = {"cost_estimated": Decimal("0.8"), "currency": "USD"}
    takes = by_row(
        [
            make_row(row=1, status="in_doubt", cost_uncertain=Decimal("0.8"), cost_basis="assumed", **price),
            make_row(row=2, status="done", cost_actual=Decimal("0.8"), cost_uncertain=Decimal("0.4"), **price),
            make_row(row=3, status="waiting", cost_reserved=Decimal("0.8"), cost_basis="rehearsed", **price),
        ]
    )

    rows = read(write_done_copy(tmp_path, "spring.csv", HEADER, ROWS, takes))

    assert [(row[3], row[5]) for row in rows[1:]] == [
        ("in_doubt", "uncertain 0.80 (assumed)"),
        ("done", "0.80; uncertain 0.40"),
        ("waiting", "reserved 0.80 (rehearsed)"),
    ]


def test_the_files_are_in_the_dialect_of_the_users(tmp_path):
    """With their separator, and with the byte order mark without which Excel breaks every umlaut."""
    dialect = CsvDialect(";", marked=True)

    paths = (
        write_done_copy(tmp_path, "b.csv", ("prompt", "Größe"), [("a; b", "ü")], {}, dialect),
        write_failed_rows(tmp_path, ("prompt", "Größe"), [FailedRow(("a; b", "ü"), "x", "")], dialect),
    )

    for path in paths:
        assert path.read_bytes().startswith("\ufeffprompt;Größe;".encode())
        assert '"a; b";ü;' in path.read_text("utf-8")


def test_failed_rows_have_their_reason(tmp_path):
    """The rows as they are given, with the reason; the file goes when there is none."""
    failures = [FailedRow(ROWS[2], "timeout", "=took long")]

    path = write_failed_rows(tmp_path, HEADER, failures)

    assert path == tmp_path / "failed.csv"
    assert read(path) == [
        ["prompt", "Market", "n", "error_code", "error_message"],
        ["A cat", "FR", "3", "timeout", "'=took long"],
    ]
    assert write_failed_rows(tmp_path, HEADER, []) is None
    assert not path.exists()


def test_short_rows_are_filled_up(tmp_path):
    """Our cells stand under our headings, also behind a row that lacks cells."""
    path = write_done_copy(tmp_path, "b.csv", HEADER, [("A fox",)], {})

    assert read(path)[1] == ["A fox", "", "", "", "", "", ""]


def test_takes_share_the_cells_of_their_row(make_row):
    """Each word once; costs are added up by currency, which is said only where there are several."""
    assert done_cells([]) == ("", "", "", "")
    paid = [make_row(take=take, path=f"{take}.mp4", cost_actual=Decimal("0.5"), currency="USD") for take in (1, 2)]
    assert done_cells(paid) == ("done", "1.mp4; 2.mp4", "1.00", "")
