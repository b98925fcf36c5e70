from __future__ import annotations

import pytest

from pipelines.providers.profile.path_template import PathRefused, filled, gaps


@pytest.mark.parametrize(
    ("template", "words", "path"),
    [
        ("/models/{model}/predictions", {"model": "owner/na me"}, "/models/owner/na%20me/predictions"),
        ("/v/{id}", {"id": "a/b?c=d%2F"}, "/v/a%2Fb%3Fc%3Dd%252F"),
        ("/{+id}", {"id": "models/x/operations/y"}, "/models/x/operations/y"),
        ("/v{version}/{model}:run", {"version": "1.0", "model": "m"}, "/v1.0/m:run"),
        ("/videos", {}, "/videos"),
    ],
)
def test_each_word_is_encoded_where_it_stands(template, words, path):
    """A slash divides a model, and an id after a plus; in any other word it is encoded."""
    assert filled(template, words) == path


@pytest.mark.parametrize("word", ["", "..", ".", "a/../b", "a//b", "/a", "a/", " ..", "a\nb", ".. "])
@pytest.mark.parametrize("template", ["/{model}", "/v/{+id}/x"])
def test_no_word_leads_elsewhere(template, word):
    """What would be another path is refused, whoever said it."""
    with pytest.raises(PathRefused):
        filled(template, {"model": word, "id": word})


def test_a_gap_that_nobody_fills_is_refused():
    """Nothing is sent to a path with a hole in it."""
    assert gaps("/{a}/{+b}") == ["a", "b"]
    with pytest.raises(PathRefused, match="the a in a path"):
        filled("/{a}/{+b}", {"b": "x"})
