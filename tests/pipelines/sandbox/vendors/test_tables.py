from __future__ import annotations

from dataclasses import dataclass

import pytest
from pydantic import ValidationError

from pipelines.sandbox.requests.fields import Field
from pipelines.sandbox.vendors import tables
from pipelines.sandbox.vendors.tables import STRICT, read_table

TABLE = """
fields:
  url: {type: image, kinds: [url]}
  urls: {type: list, least: 1, each: url}
groups:
  common: {callback: {}, prompt: {least: 1}}
entries:
  - name: one
    takes: [common]
    fields: {prompt: {most: 5}, images: {like: urls, most: 3}, clip: {type: object, inside: {link: url}}}
"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The smallest thing that a table can hold."""

    __pydantic_config__ = STRICT

    name: str
    fields: dict[str, Field]


@pytest.fixture
def read(monkeypatch, tmp_path):
    """Reads a text as a table."""
    monkeypatch.setattr(tables.resources, "files", lambda _: tmp_path)

    def one(text):
        (tmp_path / "table.yaml").write_text(text, "utf-8")
        return read_table("table.yaml", Entry)

    return one


def test_shared_fields_and_groups_are_spelled_out(read):
    """A word is a shared field, `like` changes one, `takes` puts a group in, and the entry's own fields win."""
    url = Field("image", kinds=("url",))
    (entry,) = read(TABLE)
    assert entry.fields == {
        "callback": Field(),
        "prompt": Field(most=5),
        "images": Field("list", least=1, most=3, each=url),
        "clip": Field("object", inside={"link": url}),
    }


@pytest.mark.parametrize(
    ("right", "wrong", "error"),
    [
        ("type: list", "typ: list", ValidationError),
        ("least: 1", 'least: "1"', ValidationError),
        ("name: one", "nam: one", ValidationError),
        ("takes: [common]", "takes: [rare]", KeyError),
        ("each: url", "each: uri", KeyError),
        ("like: urls", "like: uris", KeyError),
        ("entries:", "more: {}\nentries:", ValueError),
    ],
)
def test_a_slip_in_a_table_is_an_error_at_once(read, right, wrong, error):
    """An unknown key, a value of another type and a name that nothing has are never read as something else."""
    with pytest.raises(error):
        read(TABLE.replace(right, wrong))
