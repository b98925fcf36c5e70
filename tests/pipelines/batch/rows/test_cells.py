from __future__ import annotations

import pytest

from pipelines.batch.rows.row import read_row


def given(**values):
    row, problems, _ = read_row({"prompt": "a cat"} | values)
    return row, [f"{problem.column}: {problem.what}" for problem in problems]


@pytest.mark.parametrize("text", ["8", "8s", "8 s", "8.0", "+8", "08", "8 seconds", "8 SEC"])
def test_seconds_are_read_in_every_way_that_means_whole_seconds(text):
    """Spreadsheets and people write a whole number in several ways."""
    assert given(seconds=text)[0].seconds == 8


@pytest.mark.parametrize("text", ["8.5", "0", "-8", "eight", "8e0", "٨", "1_0", "8m", "", "8;DROP", "99999999"])
def test_v19_seconds_that_are_not_whole_are_refused(text):
    """Nothing is rounded, and nothing is guessed."""
    assert "is not a whole number of seconds" in given(seconds=text)[1][0]


@pytest.mark.parametrize(
    ("written", "size"),
    [("1280x720", "1280x720"), ("1280 X 720", "1280x720"), ("1280×720", "1280x720"), ("Small", "small")],  # noqa: RUF001 - the sign is what is tested
)
def test_sizes_are_brought_into_one_form(written, size):
    """A size is compared as the provider spells it."""
    assert given(size=written)[0].size == size


@pytest.mark.parametrize("text", ["0x0", "1280x0"])
def test_a_size_without_pixels_is_refused(text):
    """Nobody makes such a picture, not even a server that takes any size."""
    assert given(size=text)[1] == [f'size: "{text}" is no picture.']


def test_an_orientation_in_the_column_of_sizes_is_refused():
    """16:9 does not say how many pixels."""
    assert given(size="16:9")[1] == ['size: "16:9" is an orientation.']


@pytest.mark.parametrize(
    ("written", "orientation"),
    [
        ("landscape", "landscape"),
        ("Horizontal", "landscape"),
        ("16:9", "landscape"),
        ("9 : 16", "portrait"),
        ("9/16", "portrait"),
        ("VERTICAL", "portrait"),
        ("1:1", "square"),
        ("Square", "square"),
        ("4:3", "4:3"),
        ("21 x 9", "21:9"),
        ("Adaptive", "adaptive"),
    ],
)
def test_orientations_have_several_names(written, orientation):
    """The usual aspect ratios are words too; any other stays a ratio."""
    assert given(orientation=written)[0].orientation == orientation


@pytest.mark.parametrize("text", ["diagonal", "1280x720", "16:", "0:9", "100:9"])
def test_an_unknown_orientation_is_refused(text):
    """The message says what is allowed."""
    row, problems, _ = read_row({"prompt": "a", "orientation": text})

    assert row.orientation is None
    assert "landscape, portrait, square" in problems[0].fix


@pytest.mark.parametrize(("text", "takes"), [("1", 1), ("100", 100), ("3.0", 3)])
def test_takes_are_whole_numbers(text, takes):
    """From 1 to 100."""
    assert given(takes=text)[0].takes == takes


@pytest.mark.parametrize("text", ["0", "101", "many", "-1", "2.5"])
def test_other_takes_are_refused(text):
    """A typing error must not buy a thousand videos."""
    assert "is not a number of takes" in given(takes=text)[1][0]


def test_tags_are_split_and_kept_once():
    """Commas, semicolons and bars separate tags; a list needs none."""
    assert given(tags="a, b;c|a,")[0].tags == ("a", "b", "c")
    assert given(tags=("x y", " z "))[0].tags == ("x y", "z")


@pytest.mark.parametrize(
    ("word", "enabled"), [("yes", True), ("TRUE", True), ("For  Production", True), ("0", False), ("skip", False)]
)
def test_enabled_understands_the_words_of_spreadsheets(word, enabled):
    """Yes and no have many names."""
    assert given(enabled=word)[0].enabled is enabled


def test_enabled_refuses_what_is_neither():
    """`maybe` neither buys nor skips."""
    assert given(enabled="maybe")[1] == ['enabled: "maybe" is neither yes nor no.']


A, B, C = "https://a.example/1.png", "https://b.example/x,y.png", "http://c.example/"


@pytest.mark.parametrize(
    ("cell", "pictures"),
    [
        (f"{A}, {B}|{C}\n", (A, B, C)),
        (f"{A};{C}", (A, C)),
        (f"{A} {B}", (A, B)),
        ((A, B), (A, B)),
        ("a.png", ("a.png",)),
        ("my cat.png", ("my cat.png",)),
        ("~/my pictures/cat.png", ("~/my pictures/cat.png",)),
        ("C:\\cats\\1.png", ("C:\\cats\\1.png",)),
        ("a.png, my cat.png;b.png|c.png\nd.png", ("a.png", "my cat.png", "b.png", "c.png", "d.png")),
        (f"my cat.png, {A}", ("my cat.png", A)),
        (f"{A}, my cat.png", (A, "my cat.png")),
        (("Smith, John.png", "a|b.png"), ("Smith, John.png", "a|b.png")),
        (f"data:image/png;base64,AAAA|{A}", ("data:image/png;base64,AAAA", A)),
    ],
)
def test_pictures_may_be_several(cell, pictures):
    """Bars and line ends separate; commas do between paths, and are part of an address; in a list nothing separates."""
    row, problems = given(image_url=cell)

    assert (row.image_url, problems) == (pictures, [])


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ftp://a.example/1", "not an http or https"),
        ("file:///etc/passwd", "not an http or https"),
        ("https://", "names no host"),
        ("https://me:secret@a.example/1", "user name or password"),
        ("https://a.example:port/1", "is not an address"),
        ("https://[::1/1", "is not an address"),
    ],
)
def test_v23_image_addresses_are_checked_for_form(address, words):
    """Only http and https without credentials, and the credentials are not repeated in the message."""
    (problem,) = given(image_url=address)[1]

    assert words in problem
    assert "secret" not in problem


def test_v23_an_address_in_a_list_may_have_no_blank():
    """In a list nothing separates, so a blank is a mistake."""
    assert "blank" in given(image_url=("https://a.example/a b",))[1][0]
