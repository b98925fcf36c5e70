from __future__ import annotations

from pipelines.batch.columns.vendor_words import Word, hinted_names, mode_words, selecting_names, vendor_words
from pipelines.providers.profile.model import Profile
from tests.pipelines.batch.conftest import LAB


def test_the_fields_of_a_mode_are_named_with_the_columns_that_say_the_same():
    """In the order of the columns; a clip to remix and an address to call have words of their own."""
    profile = Profile.model_validate(LAB | {"callback_field": "bell"})
    assert list(mode_words(profile.mode("clip"), profile)) == [
        Word("model", "model"),
        Word("seconds", "seconds"),
        Word("size", "size"),
        Word("image_urls", "image_url"),
        Word("bell", "callback"),
    ]
    assert Word("video_id", "remix_of") in list(mode_words(profile.mode("film"), profile))


def nested(**parts):
    """A mode of the laboratory with other fields."""
    (mode, *_) = LAB["modes"]
    return Profile.model_validate(LAB | {"modes": [mode | parts]})


def test_a_nested_place_is_known_by_its_last_name():
    """Where no other part of an order has it, and it is no bare word such as url; then it is suggested only."""
    seconds = {"allowed": [4], "default": 4, "field": "out.lasts", "type": "integer", "unit": "millisecond"}
    picture = {"most": 1, "style": "url", "field": "start.url"}
    profile = nested(seconds=seconds, images=picture, parameters={"mood": {"field": "out.feeling"}})
    assert vendor_words(profile)["lasts"] == Word("out.lasts", "seconds", None, 1000)
    assert selecting_names(profile)["feeling"] == "mood"
    assert "url" not in vendor_words(profile)
    assert hinted_names([profile]) == {"url": "image_url"}
    twice = nested(seconds=seconds, parameters={"mood": {"field": "in.lasts"}})
    assert "lasts" not in {**vendor_words(twice), **selecting_names(twice)}
    assert hinted_names([twice])["lasts"] == "seconds"


def test_a_length_is_read_in_the_unit_of_its_field():
    """A frame beside those of the seconds is no part of them."""
    assert Word("frames", "seconds", None, 16, 1).in_our_words("81") == "5"
    assert Word("frames", "seconds", None, 16, 1).in_our_words("80") is None
    assert Word("ms", "seconds", None, 1000).in_our_words("4 s") is None
    assert Word("length", "seconds").in_our_words("4 s") == "4 s"
