from __future__ import annotations

import pytest

from pipelines.batch.matching.size import default_size
from pipelines.providers.profile.order_parts import Size

RULE = Size(
    allowed=("1280x720", "720x1280", "1024x1792"),
    default="1280x720",
    only={"720x1280": ("pro",)},
    doubtful={"1280x720": ("pro",)},
)
NAMED = Size(allowed=("small", "large"), default="small")


@pytest.mark.parametrize(
    ("rule", "shape", "model", "has_shapes", "size"),
    [
        (RULE, None, "plain", False, "1280x720"),
        (RULE, "landscape", "plain", False, "1280x720"),
        (RULE, "portrait", "pro", False, "720x1280"),
        (RULE, "portrait", "plain", False, "1024x1792"),
        (RULE, "1:1", "plain", False, None),
        (RULE, "1:1", "plain", True, "1280x720"),
        (NAMED, "portrait", "plain", True, "small"),
        (NAMED, "portrait", "plain", False, None),
    ],
)
def test_a_shape_picks_the_first_size_that_the_model_surely_makes(rule, shape, model, has_shapes, size):
    """A size without pixels has every shape, where the mode takes the shape beside it."""
    assert default_size(rule, shape, model, has_shapes=has_shapes) == size
