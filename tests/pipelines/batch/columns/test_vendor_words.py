from __future__ import annotations

from pipelines.batch.columns.vendor_words import Word, mode_words
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
