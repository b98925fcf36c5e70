from __future__ import annotations

import pytest

from pipelines.providers.profile.order_parts import Images, Parameter, Seconds, Size


@pytest.mark.parametrize(
    ("rule", "taken", "refused", "words"),
    [
        (Seconds(allowed=(4, 8), default=4, only={8: ("fine",)}), (4, 8), (3, 5, 9), ("4",)),
        (Seconds(least=2, most=4, default=2), (2, 3, 4), (1, 5), ("2 to 4",)),
        (Seconds(allowed=(10,), least=2, most=4, default=2), (2, 10), (5, 9), ("10", "2 to 4")),
    ],
)
def test_a_length_is_one_of_a_list_or_between_two(rule, taken, refused, words):
    """Both may hold, and the words name what a model makes."""
    assert all(map(rule.takes, taken))
    assert not any(map(rule.takes, refused))
    assert rule.wording("plain") == words


@pytest.mark.parametrize(
    ("pixels", "made"), [((1280, 720), True), ((720, 1280), True), ((1920, 1080), False), ((80, 40), False)]
)
def test_any_pixels_go_up_to_a_picture_either_way_up(pixels, made):
    """And no smaller than the least side."""
    assert (
        Size(allowed=(), default="1280x720", any_pixels=True, least_side=64, within="1280x720").makes(*pixels) is made
    )


@pytest.mark.parametrize(
    ("forms", "sent"), [(("url",), None), (("url", "base64"), "base64"), (("data_url", "url"), "data_url"), ((), None)]
)
def test_a_local_picture_goes_out_in_the_last_form_that_is_no_address(forms, sent):
    """Where only addresses are opened there is none."""
    assert Images(forms=forms).sent_as == sent


def test_a_default_is_for_models_that_take_the_parameter():
    """The others are sent nothing."""
    rule = Parameter(default="calm", models=("a",))
    assert (rule.default_for("a"), rule.default_for("b")) == ("calm", None)
