from __future__ import annotations

import io
import random
import zipfile
from contextlib import suppress
from datetime import datetime, time, timedelta

import openpyxl
import pytest

from pipelines.batch.files import excel_sheet
from pipelines.batch.files.document import CsvDialect
from pipelines.batch.files.excel_rows import check_traits, chosen_sheet
from pipelines.batch.files.excel_sheet import ExcelRefused, SheetTraits, check_archive
from pipelines.batch.findings import Report
from pipelines.catalogue.done_copy import write_done_copy
from pipelines.core.errors import BatchError

HEADER = ["id", "prompt", "seconds", "shelf"]
ROW = ["a", "a cat", 8, "upper"]


def workbook(*rows, mend=None):
    """The bytes of an .xlsx file with these rows in its first sheet."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if mend:
        mend(book.active)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def repacked(raw, replace):
    """The same file with its parts rewritten, as other programs write them."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            new.writestr(part.filename, replace(part.filename, old.read(part)))
    return made.getvalue()


def sheet_with(raw, *pairs):
    """The same file with its first sheet's XML changed."""

    def change(name, data):
        for old, new in pairs if name == "xl/worksheets/sheet1.xml" else ():
            assert old in data
            data = data.replace(old, new)
        return data

    return repacked(raw, change)


def test_a_sheet_is_read_like_a_csv_file(read):
    """Its first row is the header; blank rows and columns are nobody's; rows are counted as in a CSV file."""
    batch = read(workbook([*HEADER, None], [], ROW, ["  "], ["b", "a dog", 4.0, None]), "xlsx")

    assert [(job.id, job.row, job.order.prompt, job.order.seconds) for job in batch.jobs] == [
        ("a", 1, "a cat", 8),
        ("b", 2, "a dog", 4),
    ]
    assert batch.table.header == tuple(HEADER)
    assert batch.table.texts(1) == ("b", "a dog", "4", "")
    assert batch.columns == ("shelf",)
    assert [str(warning) for warning in batch.warnings] == []


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        ("007", "General", "007"),
        (1.0, "General", "1"),
        (0.1 + 0.2, "General", "0.3"),
        (1e-7, "General", "0.0000001"),
        (-12.50, "#,##0.00", "-12.5"),
        (1234567, '#,##0 "EUR"', "1234567"),
        (7, "00000", "00007"),
        (0.125, "0.0%", "12.5%"),
        (True, "General", "TRUE"),
        (datetime(2026, 3, 1), "yyyy-mm-dd", "2026-03-01"),
        (datetime(2026, 3, 1, 8, 30), "yyyy-mm-dd hh:mm", "2026-03-01T08:30:00"),
        (time(16, 9), "hh:mm", "16:09:00"),
        (timedelta(hours=30), "[h]:mm", "30:00:00"),
        ("one\ntwo", "General", "one\ntwo"),
        ("one_x000D_\ntwo", "General", "one\ntwo"),
    ],
)
def test_a_cell_is_the_text_that_a_person_sees(read, value, number_format, text):
    """Numbers without what the machine adds to them, dates in the form of ISO, text untouched."""

    def mend(sheet):
        sheet["D2"].number_format = number_format

    assert read(workbook(HEADER, [*ROW[:3], value], mend=mend), "xlsx").table.texts(0)[3] == text


@pytest.mark.parametrize(
    ("place", "value", "number_format", "words"),
    [
        ("D2", "#DIV/0!", "General", 'row 1 (sheet row 2), column "shelf": holds the error "#DIV/0!".'),
        ("D2", "=1+1", "General", 'column "shelf": holds a formula that was never calculated.'),
        ("D2", 1234567890123456, "General", "has more digits than Excel keeps. Format the column as text"),
        ("D2", 5551234, "000-0000", 'is the number 5551234, shown in the format "000-0000".'),
        ("A2", datetime(2026, 3, 1), "d-m", 'column "id": is a date or a time for Excel (2026-03-01)'),
        ("C2", time(16, 9), "h:mm", 'column "seconds": is a date or a time for Excel (16:09:00)'),
        ("D1", "#N/A", "General", "sheet row 1, column 4: holds the error"),
        ("E1", "Shelf", "General", 'sheet row 1: the columns 4 and 5 have the same name, "Shelf".'),
        ("E2", "lost", "General", "column 5 has cells and no name"),
        (
            "C2",
            7,
            "General",
            'spring.xlsx, row 1 (sheet row 2), column "seconds": qiniu video does not make clips of 7 s.',
        ),
    ],
)
def test_what_is_not_sure_in_a_cell_is_refused_at_its_place(problems, place, value, number_format, words):
    """With the row that Excel shows, the column, and what to do."""

    def mend(sheet):
        sheet[place] = value
        sheet[place].number_format = number_format

    (problem,) = problems(workbook(HEADER, ROW, mend=mend), "xlsx")
    assert words in problem


@pytest.mark.parametrize(
    ("mend", "words"),
    [
        (lambda sheet: sheet.merge_cells("A2:B2"), 'sheet "Sheet": has merged cells: A2:B2.'),
        (lambda sheet: setattr(sheet.row_dimensions[2], "hidden", True), "has hidden rows: 2."),
        (lambda sheet: sheet.delete_rows(1, 9), "is empty."),
        (lambda sheet: sheet.delete_rows(2), "has a header and no rows."),
        (lambda sheet: sheet.cell(1, 600, "far"), "more than 500 columns"),
    ],
)
def test_a_sheet_that_hides_or_merges_is_refused(problems, mend, words):
    """Whatever a person does not see in it would be bought all the same."""
    (problem,) = problems(workbook(HEADER, ROW, mend=mend), "xlsx")
    assert words in problem


def test_calculated_formulas_are_their_values(read):
    """Also one whose value is no text at all."""
    raw = workbook(HEADER, [*ROW[:3], "=1+1"], [None, "a dog", 4, '=""'])
    raw = sheet_with(
        raw,
        (b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>"),
        (b'<c r="D3"><f>""</f><v />', b'<c r="D3" t="str"><f>""</f><v />'),
    )
    assert [read(raw, "xlsx").table.texts(row)[3] for row in (0, 1)] == ["2", ""]


def test_texts_that_cells_share_are_read(read):
    """Excel keeps each text once, in a part of its own, and may give several formats to the parts of one."""
    texts = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>0012</t></si><si><r><t>a </t></r><r><rPr><b/></rPr><t>cat</t></r></si></sst>'
    kind = b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>'

    def share(name, data):
        data = data.replace(b't="inlineStr"><is><t>a</t></is>', b't="s"><v>0</v>')
        data = data.replace(b't="inlineStr"><is><t>a cat</t></is>', b't="s"><v>1</v>')
        return (
            data.replace(b"</Types>", kind) if name == "[Content_Types].xml" and b"sharedStrings" not in data else data
        )

    raw = repacked(
        workbook(HEADER, ROW), lambda name, data: texts if name == "xl/sharedStrings.xml" else share(name, data)
    )
    if "xl/sharedStrings.xml" not in zipfile.ZipFile(made := io.BytesIO(raw)).namelist():
        with zipfile.ZipFile(made, "a") as archive:
            archive.writestr("xl/sharedStrings.xml", texts)
    assert read(made.getvalue(), "xlsx").table.texts(0) == ("0012", "a cat", "8", "upper")


def test_hidden_columns_are_read_and_said(read):
    """They may be meant; nobody should wonder where a value comes from."""
    raw = workbook(HEADER, ROW, mend=lambda sheet: setattr(sheet.column_dimensions["C"], "hidden", True))
    assert ["columns that are hidden" in str(warning) for warning in read(raw, "xlsx").warnings] == [True]


def test_one_sheet_is_read_and_the_others_are_named(read):
    """The first that can be seen, unless one is called batch; empty ones are not worth a word."""

    def mend(sheet):
        for title in ("Notes", "empty", "Batch"):
            sheet.parent.create_sheet(title)
        sheet.parent["Notes"].append(["call Kim"])
        sheet.parent.create_sheet("secret", 0).sheet_state = "hidden"

    raw = workbook(HEADER, ROW, mend=mend)

    def named(sheet):
        mend(sheet)
        sheet.parent["Batch"].append(["prompt"])
        sheet.parent["Batch"].append(["a fox"])

    batch = read(workbook(HEADER, ROW, mend=named), "xlsx")
    assert batch.jobs[0].order.prompt == "a fox"
    assert 'read the sheet "Batch" and not "Sheet", "Notes".' in str(batch.warnings[0])
    raw = workbook(HEADER, ROW, mend=lambda sheet: sheet.parent.create_sheet("Notes").append(["call Kim"]))
    assert 'read the sheet "Sheet" and not "Notes".' in str(read(raw, "xlsx").warnings[0])


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"prompt\na cat\n", "is no Excel file, although it is called one."),
        (b"", "is no Excel file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is an old Excel file (.xls)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "is encrypted with a password."),
        (workbook(HEADER, ROW)[:-40], "is no Excel file"),
        (
            repacked(workbook(HEADER, ROW), lambda name, data: b"<x" if name.endswith("sheet1.xml") else data),
            "is damaged",
        ),
        (
            repacked(workbook(HEADER, ROW), lambda name, data: b"<x" if name.endswith("book.xml") else data),
            "is damaged",
        ),
        (sheet_with(workbook(HEADER, ROW), (b't="n"', b't="s"')), "is damaged"),
        (sheet_with(workbook(HEADER, ROW), (b'<row r="2"', b'<row r="9999999"')), "is damaged"),
        (sheet_with(workbook(HEADER, ROW), (b"<worksheet", b'<!DOCTYPE x [<!ENTITY a "b">]><worksheet')), "is damaged"),
        (sheet_with(workbook(HEADER, ROW), (b"<v>8</v>", b"<v>eight</v>")), "is damaged"),
    ],
)
def test_what_is_no_workbook_is_one_clear_sentence(problems, raw, words):
    """Encrypted, old, damaged or something else altogether."""
    (problem,) = problems(raw, "xlsx")
    assert words in problem


def test_a_file_that_unpacks_without_end_is_refused(problems, monkeypatch):
    """What it announces counts, before any of it is unpacked."""
    assert excel_sheet._MOST_UNPACKED == 256 * 1024 * 1024
    monkeypatch.setattr(excel_sheet, "_MOST_UNPACKED", 1 << 20)
    made = io.BytesIO(workbook(HEADER, ROW))
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/x", bytes(1 << 20))
    (problem,) = problems(made.getvalue(), "xlsx")
    assert "unpacks to more than 1 MiB" in problem


def test_a_damaged_workbook_gives_a_batch_or_a_batch_error(read):
    """Whatever byte of it is another one, in the file or in the XML of its sheet."""
    chance, whole = random.Random(7), workbook(HEADER, ROW, [None, "a dog", 4, "x"])

    def struck(data):
        place = chance.randrange(len(data))
        return data[:place] + bytes([chance.randrange(256)]) + data[place + chance.randrange(1, 9) :]

    for part in [None] * 30 + ["xl/worksheets/sheet1.xml"] * 60 + ["xl/styles.xml", "xl/workbook.xml"] * 15:
        raw = (
            struck(whole) if part is None else repacked(whole, lambda n, data, p=part: struck(data) if n == p else data)
        )
        with suppress(BatchError):
            assert read(raw, "xlsx").jobs


def test_a_sheet_that_lies_about_its_size_costs_nothing(read):
    """What it says of its dimensions is not believed, and cells without anything in them do not count."""
    raw = sheet_with(
        workbook(HEADER, ROW),
        (b'<dimension ref="A1:D2" />', b'<dimension ref="A1:XFD1048576" />'),
        (b"</sheetData>", b'<row r="1048576"><c r="XFD1048576" s="0"/></row></sheetData>'),
    )
    assert len(read(raw, "xlsx").jobs) == 1


def test_other_spreadsheets_are_asked_for_as_xlsx(problems):
    """Whoever has an older file learns what to do with it."""
    assert "is a .xls file. Save it as .xlsx." in problems(b"x", "xls")[0]


def test_the_done_copy_is_a_csv_file_that_excel_opens(read, tmp_path):
    """The user's own cells come back as text beside what became of them."""
    batch = read(workbook(HEADER, ["007", "a café", 8, 0.5]), "xlsx")
    assert batch.table.dialect == CsvDialect(marked=True)
    rows = [batch.table.texts(0)]
    path = write_done_copy(tmp_path, batch.path.name, batch.table.header, rows, {}, batch.table.dialect)
    assert path.name == "spring.done.csv"
    assert path.read_bytes().startswith(
        "\ufeffid,prompt,seconds,shelf,status,video_path,cost,error\r\n007,a café,8,0.5".encode()
    )


@pytest.mark.parametrize(
    ("traits", "words"),
    [
        (SheetTraits(), "is empty"),
        (SheetTraits(rows={1}, last_column=100_000), "columns"),
        (SheetTraits(rows={1}, merged=["A1:B1"]), "merged cells: A1:B1."),
        (SheetTraits(rows={1, 3}, hidden_rows=[3]), "hidden rows: 3."),
    ],
)
def test_whatever_a_sheet_hides_is_refused(traits, words):
    """A person and a program must see the same rows."""
    with pytest.raises(BatchError, match=words):
        check_traits(traits, "b.xlsx", Report())


@pytest.mark.parametrize(
    ("states", "title"),
    [
        ({"One": "visible", "Two": "visible"}, "One"),
        ({"One": "hidden", "Two": "visible"}, "Two"),
        ({"One": "visible", "Batch": "visible"}, "Batch"),
        ({"One": "visible", "Batch": "hidden"}, "One"),
    ],
)
def test_the_sheet_called_batch_is_chosen_or_the_first_that_can_be_seen(states, title):
    """Sheets with nothing in them are not worth a word."""
    book, raw = openpyxl.Workbook(), io.BytesIO()
    book.remove(book.active)
    for name, state in states.items():
        book.create_sheet(name).sheet_state = state
    book.active = next(sheet for sheet in book.worksheets if sheet.sheet_state == "visible")
    book.save(raw)
    with excel_sheet.opened(raw.getvalue()) as opened:
        sheet, notes = chosen_sheet(opened)
        assert (sheet.title, notes) == (title, [])


@pytest.mark.parametrize(
    ("raw", "words"),
    [(b"prompt\n", "no Excel file"), (excel_sheet._OLE + b"...", "an old Excel file")],
)
def test_an_archive_is_judged_before_it_is_unpacked(raw, words):
    """By its first bytes and its list of parts."""
    with pytest.raises(ExcelRefused, match=words):
        check_archive(raw)
