from __future__ import annotations

import pytest

from pipelines.batch.columns.lookalikes import own_columns_words


@pytest.mark.parametrize(
    ("written", "suggested"),
    [
        ("Model Name", "model"),
        ("video model", "model"),
        ("img", "image_url"),
        ("picture", "image_url"),
        ("pictrue", "image_url"),
        ("lenght", "seconds"),
        ("Video Length", "seconds"),
        ("Width", "size, such as 1920x1080"),
        ("video resolution", "size"),
        ("resoluton", "size"),
        ("Sekunden", "seconds"),
        ("Dauer", "seconds"),
        ("Bild", "image_url"),
        ("Größe", "size"),
        ("Gro\u0308\u00dfe", "size"),
        ("时长", "seconds"),
        ("模型", "model"),
        ("尺寸", "size"),
        ("图片", "image_url"),
    ],
)
def test_a_column_that_looks_like_ours_is_kept_and_said(read, written, suggested):
    """A word for one of our columns buys the default without it, so the reader hears that it was not understood."""
    batch = read(f"prompt,{written}\na,7\n")

    assert batch.jobs[0].own == {written: "7"}
    (warning,) = map(str, batch.warnings)
    assert warning.endswith(f'the column "{written}" is taken as your own; did you mean {suggested}?')


@pytest.mark.parametrize("written", ["shot", "client", "title", "locale", "with", "language", "utm_source", "负责人"])
def test_an_honest_column_is_kept_without_a_warning(read, written):
    """What is a word of its own needs no comment of its own."""
    assert read(f"prompt,{written}\na,7\n").warnings == ()


@pytest.mark.parametrize(
    "text",
    ["prompt,seconds,Dauer\na,4,lang\n", "prompt,width\nA lake {{ width }} m wide,4\n", "prompt,size,width\na,,4\n"],
)
def test_a_column_that_has_its_use_is_no_lookalike(read, text):
    """Beside the column that it looks like, or in a template, it is surely the user's own."""
    assert read(text).warnings == ()


def test_a_word_that_the_provider_knows_is_no_column_of_the_users_own(plan):
    """A parameter has an effect; what has none is named in one line."""
    batch = plan("prompt,Seed,shot,client\na,4,1,x\n")

    assert batch.columns == ("Seed", "shot", "client")
    assert batch.kept == ("shot", "client")
    assert own_columns_words(batch.kept) == 'Columns of your own: "shot", "client". They go to the manifest.'
    assert own_columns_words(("shot",)) == 'Column of your own: "shot". It goes to the manifest.'
    assert own_columns_words(()) == ""
