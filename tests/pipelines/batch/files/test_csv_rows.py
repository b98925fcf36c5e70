from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.batch.files import document
from pipelines.batch.files.csv_rows import misaligned, separator_of
from pipelines.batch.files.document import CsvDialect
from pipelines.batch.files.source import BatchSource
from pipelines.core.errors import BatchError


@pytest.mark.parametrize(("separator", "word"), [(",", None), (";", "semicolon"), ("\t", "tab"), ("|", "bar")])
def test_v05_the_separator_is_told_from_the_header(read, separator, word):
    """Whatever separates the columns of the header separates those of the rows, and it is said when it is no comma."""
    batch = read(f"id{separator}prompt\na{separator}one; two, three\n".replace("; ", " ").replace(", ", " "))

    assert [(job.id, job.order.prompt) for job in batch.jobs] == [("a", "one two three")]
    assert [str(w) for w in batch.warnings] == ([f"spring.csv: read as {word}-separated."] if word else [])


def test_v05_a_single_column_needs_no_separator_and_a_cell_with_one_needs_quotes(read, problems):
    """A comma in an unquoted prompt would cut it off, so the row is refused."""
    assert read('prompt\n"a cat, asleep"\n').jobs[0].order.prompt == "a cat, asleep"
    (problem,) = problems("prompt\na cat\na cat, asleep\n")
    assert problem.startswith("spring.csv, row 2 (line 3): has 2 cells for 1 columns")
    assert "quotes" in problem


def test_v05_two_fitting_separators_are_refused(problems):
    """Where both separators find the prompt column nobody can know."""
    assert "both comma and bar" in problems("a,prompt,b|prompt|c\n1,2,3\n")[0]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('prompt,id\n"an open quote,a\nanother,b\n', "line 2"),
        ('prompt,id\nfine,a\n"x" y,b\n', "line 3"),
        ('prompt\n"' + "line\n" * 600 + '"\n', "line 2"),
    ],
)
def test_v06_quotes_that_do_not_fit_are_refused_where_they_open(problems, text, line):
    """An unclosed quote would swallow the rows after it into one prompt."""
    (problem,) = problems(text)

    assert problem.startswith(f"spring.csv, {line}: the quotes do not fit")


def test_v07_duplicate_columns_short_rows_and_long_rows_are_all_reported(problems):
    """Everything wrong with the shape is said at once, and what the row is told by number and line."""
    found = problems("id,prompt,Owner,owner\na,one\nb,two,x,y,z\n\nc,three,x,y\n")

    assert any("the columns 3 and 4 have the same name" in problem for problem in found)
    assert any("row 1 (line 2): has 2 cells for 4 columns; missing: Owner, owner" in problem for problem in found)
    assert any('row 2 (line 3): has 5 cells for 4 columns; too many: "z"' in problem for problem in found)


def test_v07_a_bad_row_does_not_hide_what_is_wrong_with_others(problems):
    """All problems come at once: of shape, of header and of values."""
    found = problems("prompt,seconds\nx\ny,9\n")

    assert len(found) == 2
    assert 'row 2 (line 3), column "seconds"' in found[1]


def test_v08_a_cell_may_be_longer_than_the_readers_own_limit(problems):
    """A huge prompt gets our message with its first words, not the reader's."""
    (problem,) = problems("prompt\n" + "a" * 200_000 + "\n")

    assert "has 200,000 characters" in problem
    assert len(problem) < 300


def test_millions_of_rows_and_columns_are_refused_before_they_are_kept(problems, monkeypatch):
    """The size of the file does not bound the memory that its rows take; these do."""
    assert document.MOST_ROWS == 250_000
    monkeypatch.setattr(document, "MOST_ROWS", 2_500)
    assert "has more than 2,500 rows" in problems("prompt\n" + "a\n" * 2_501)[0]
    assert "has more than 500 columns" in problems("prompt" + ",a" * 600 + "\n" + "a\n")[0]


def test_rows_are_numbered_from_the_first_after_the_header_and_blank_lines_are_skipped(read, problems):
    """The line number is added where it does not follow from the row number."""
    text = "prompt,seconds\n\n,,\n".replace(",,", ",") + "a,4\n\nb,5\n"

    assert problems(text)[0].startswith('spring.csv, row 2 (line 6), column "seconds"')
    assert [job.row for job in read(text.replace("b,5", "b,8")).jobs] == [1, 2]


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "is empty"), ("\n \n", "is empty"), ("prompt\n", "no rows"), ("\ufeffprompt\n\n", "no rows")],
)
def test_a_file_without_rows_is_refused(problems, text, words):
    """Nothing to make is a mistake, not a success."""
    assert words in problems(text)[0]


def test_a_file_without_a_prompt_lists_the_columns_that_it_has(problems):
    """One clear message, not one for every row."""
    (problem,) = problems("name,owner\na,b\nc,d\n")

    assert 'there is no prompt. Columns found: "name", "owner".' in problem


def test_line_ends_of_any_system_are_read(read):
    """CR LF, LF and CR give the same rows, and line ends inside a prompt stay."""
    for end in ("\n", "\r\n", "\r"):
        batch = read(end.join(("id,prompt", "a,one", "b,two", "")))
        assert [job.order.prompt for job in batch.jobs] == ["one", "two"]
    assert read('prompt\n"  one\r\n  two "\n').jobs[0].order.prompt == "one\r\n  two"


def test_unnamed_columns_are_fine_while_they_are_empty(read, problems):
    """Spreadsheets leave empty columns behind; cells without a name would be lost."""
    assert read("prompt,\na,\n").jobs[0].own == {}
    assert "column 2 has cells and no name" in problems("prompt,\na,b\n")[0]


def test_the_users_own_rows_are_kept_as_they_were(read):
    """Header, order and values come back untouched, blanks and all."""
    batch = read("Owner , PROMPT,utm source\n bob, a cat ,x\n")

    assert batch.table.header == ("Owner", "PROMPT", "utm source")
    assert batch.table.texts(0) == (" bob", " a cat ", "x")
    assert batch.columns == ("Owner", "utm source")
    assert batch.jobs[0].own == {"Owner": "bob", "utm source": "x"}


@pytest.mark.parametrize(
    ("raw", "kind", "dialect"),
    [
        (b"prompt,n\nA fox,1\n", "csv", CsvDialect()),
        (b"\xef\xbb\xbfprompt;n\nA fox;1\n", "csv", CsvDialect(";", marked=True)),
        ("\ufeffprompt\tn\nA fox\t1\n".encode("utf-16-le"), "csv", CsvDialect("\t", marked=True)),
        (b"prompt\tn\nA fox\t1\n", "tsv", CsvDialect("\t")),
    ],
)
def test_how_the_file_is_written_is_remembered(read, raw, kind, dialect):
    """So that its user gets it back as their programs read it."""
    assert read(raw, kind).table.dialect == dialect


@pytest.mark.parametrize(
    ("text", "end"), [("sep=;\n", "\n"), ("SEP=;\r\n", "\r\n"), ('"sep=;"\n', "\n"), ("\ufeffsep=;\r", "\r")]
)
def test_a_first_line_that_names_the_separator_is_no_header(read, problems, text, end):
    """Excel reads it so; it wins over what the header looks like, and rows keep their lines."""
    batch = read(text + end.join(("id;prompt,x", "a;one", "")).replace(",x", ""))
    assert [(job.id, job.order.prompt) for job in batch.jobs] == [("a", "one")]
    assert batch.table.header == ("id", "prompt")
    assert "row 1 (line 3)" in problems(text + end.join(("prompt;seconds", "a;9", "")))[0]


@pytest.mark.parametrize("text", ["sep=;\n", "sep=;"])
def test_a_separator_alone_makes_no_batch(problems, text):
    """There is still no row."""
    assert "no rows" in " ".join(problems(text))


@pytest.mark.parametrize(
    ("suffix", "header", "separator"),
    [
        (".csv", "prompt,note", ","),
        (".csv", "\n\nprompt;note,more,and more", ";"),
        (".csv", "text|note", "|"),
        (".csv", "one\ttwo\tthree;four", "\t"),
        (".csv", "anything", ","),
        (".tsv", "prompt,note", "\t"),
    ],
)
def test_the_separator_is_the_one_that_gives_a_prompt_or_else_most_columns(suffix, header, separator):
    """The name of a .tsv file says it."""
    assert separator_of(BatchSource(Path(f"b{suffix}"), suffix, f"{header}\n", "")) == separator


def test_two_separators_that_give_a_prompt_are_refused_with_their_names():
    """Neither is surely meant."""
    with pytest.raises(BatchError, match="both comma and semicolon"):
        separator_of(BatchSource(Path("b.csv"), ".csv", "prompt;a,prompt\n", ""))


def test_a_row_of_another_length_hears_which_columns_or_cells_are_concerned():
    """Too few: the columns without a cell; too many: the cells without a column."""
    assert misaligned(["a"], ["prompt", "id", "note"]) == (
        "has 1 cells for 3 columns; missing: id, note.",
        "Complete the row.",
    )
    what, fix = misaligned(["a", "b", "c"], ["prompt"])
    assert what == 'has 3 cells for 1 columns; too many: "b c".'
    assert "quotes" in fix
