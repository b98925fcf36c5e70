from __future__ import annotations

from pipelines.batch.rows.defaults import forbidden_characters


def test_a_character_that_is_no_text_is_told_with_its_column_and_place():
    """Tabs and line ends are text; a list is judged as one."""
    header = ("prompt", "tags", "note")
    assert forbidden_characters(header, ("a\tcat\n", ("x", "y"), None)) == []
    found = forbidden_characters(header, ("a\0cat\0", ("x", "\ud800"), None))
    assert [(finding.column, finding.what) for finding in found] == [
        ("prompt", "has a character that is not text: '\\x00' at 2."),
        ("tags", "has a character that is not text: '\\ud800' at 3."),
    ]
