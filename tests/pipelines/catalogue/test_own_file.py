from __future__ import annotations

import csv
from decimal import Decimal

import pytest

from pipelines.catalogue.own_file import by_row, write_done_copy, write_failed_rows

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
        ["A cat", "FR", "3", "failed; done", "videos/cat.mp4", "1.00 USD; 2 CNY", "'-refused"],
    ]


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


def test_failed_rows_can_be_run_again(tmp_path, make_row):
    """Only the rows worth another try, as they were, with the reason; the file goes when there is none."""
    failures = {3: make_row(row=3, error_code="timeout", error_message="=took long")}

    path = write_failed_rows(tmp_path, HEADER, ROWS, failures)

    assert path == tmp_path / "failed.csv"
    assert read(path) == [
        ["prompt", "Market", "n", "error_code", "error_message"],
        ["A cat", "FR", "3", "timeout", "'=took long"],
    ]
    assert write_failed_rows(tmp_path, HEADER, ROWS, {}) is None
    assert not path.exists()


def test_short_rows_are_filled_up(tmp_path):
    """Our cells stand under our headings, also behind a row that lacks cells."""
    path = write_done_copy(tmp_path, "b.csv", HEADER, [("A fox",)], {})

    assert read(path)[1] == ["A fox", "", "", "", "", "", ""]
