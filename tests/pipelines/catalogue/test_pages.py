from __future__ import annotations

import base64
from decimal import Decimal

import pytest

from pipelines.catalogue.pages import clip_page, plain, summary_page
from pipelines.core.status import Billed, JobStatus


def cells(page):
    """The cells of the table's rows, by column."""
    header, _, *rows = [line.strip("|").split(" | ") for line in page.splitlines() if line.startswith("|")]
    return [{name.strip(): cell.strip() for name, cell in zip(header, row, strict=True)} for row in rows]


@pytest.mark.parametrize(
    ("estimated", "actual", "billed", "cost"),
    [
        ("0.4", "0", Billed.YES, "0.00 USD"),
        ("0.4", "0.095", Billed.YES, "0.095 USD"),
        ("0.4", None, Billed.NO, ""),
        (None, None, Billed.YES, ""),
    ],
)
def test_what_was_not_bought_shows_no_price(make_row, tmp_path, estimated, actual, billed, cost):
    """What was charged goes before what was expected, and a clip that was not bought has no price."""
    row = make_row(
        cost_estimated=estimated and Decimal(estimated),
        cost_actual=actual and Decimal(actual),
        currency="USD",
        billed=billed,
    )
    (shown,) = cells(summary_page([row], tmp_path, total=1, pages={}))
    assert shown["cost"] == cost


def test_what_needs_a_person_comes_first_and_the_rest_is_counted(make_row, tmp_path):
    """Doubt before failures before what is done; it is said how many are not shown."""
    statuses = (JobStatus.PARKED, JobStatus.FAILED, JobStatus.IN_DOUBT)
    page = summary_page([make_row(status=status) for status in statuses], tmp_path, total=4, pages={})
    assert [row["status"] for row in cells(page)] == ["in doubt", "parked", "failed"]
    assert page.startswith("3 of 4 shown")


def test_links_lead_to_the_job_and_to_its_file(make_row, tmp_path):
    """The id leads to the page about the job, the file to the clip; a job without a file says why."""
    rows = [make_row(id="a", path="videos/a b.mp4"), make_row(id="b", path=None, error_message="no | thanks")]
    first, second = cells(summary_page(rows, tmp_path, total=2, pages={"a": "http://ui/a"}))
    assert first["id"] == "[a](http://ui/a)"
    assert first["file or reason"].endswith("/videos/a%20b.mp4)")
    assert (second["id"], second["file or reason"]) == ("b", "no \\| thanks")


def test_a_fallback_says_whose_place_it_took(make_row, tmp_path):
    """The provider column names who makes it, and who was asked first."""
    row = make_row(provider="litellm", model="m", flags=("renamed", "fallback_from:qiniu"))
    (shown,) = cells(summary_page([row], tmp_path, total=1, pages={}))
    assert shown["provider"] == "via litellm m, fallback of qiniu"


@pytest.mark.parametrize("text", ["a\nb", "**bold**", "<img src=x>", "a|b", "`x`", "[x](http://x)", "#"])
def test_a_users_text_means_nothing_in_markdown(text):
    """A prompt stays on its line and in its cell, and makes no link, picture or markup."""
    shown = plain(text)
    assert "\n" not in shown
    assert all(shown[at - 1] == "\\" for at, mark in enumerate(shown) if mark in "*<>|`[]#")


def test_a_clip_has_its_picture_on_its_page(make_row, tmp_path):
    """The page carries the thumbnail itself, the cost, the prompt, and where the file is."""
    row = make_row(id="a", path="videos/a.mp4", cost_actual=Decimal("0.4"), currency="USD", billed=Billed.YES)
    page = clip_page(row, tmp_path, b"jpeg", rehearsed=True)
    assert f"data:image/jpeg;base64,{base64.b64encode(b'jpeg').decode()}" in page
    assert all(
        words in page for words in ("0.40 USD", row.prompt, str(tmp_path / "videos" / "a.mp4"), "nothing was paid")
    )
    assert "![" not in clip_page(row, tmp_path, None)
