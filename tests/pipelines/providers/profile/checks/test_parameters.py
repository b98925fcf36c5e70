from __future__ import annotations

import pytest

from pipelines.providers.profile.checks.parameters import factor_findings, shape_findings
from pipelines.providers.profile.order_parts import Parameter


@pytest.mark.parametrize(
    ("rule", "places"),
    [
        ({"type": "json", "shape": "object", "keys": ("a",)}, []),
        ({"type": "json", "keys": ("a",)}, [("keys",)]),
        ({"type": "string", "shape": "object"}, [("shape",)]),
        ({"type": "json", "shape": "list", "keys": ("a",)}, [("keys",)]),
    ],
)
def test_only_json_has_a_shape_and_only_objects_have_keys(rule, places):
    """Anything else would have no effect."""
    assert [place for place, _ in shape_findings(Parameter(**rule))] == places


@pytest.mark.parametrize(
    ("rule", "is_fine"),
    [
        ({"type": "integer", "least": 1, "most": 4}, True),
        ({"type": "integer", "allowed": (1, 2)}, True),
        ({"type": "integer", "least": 0, "most": 4}, False),
        ({"type": "integer", "least": 1}, False),
        ({"type": "integer", "allowed": (0, 1)}, False),
        ({"type": "number", "least": 1, "most": 4}, False),
    ],
)
def test_a_factor_of_the_price_is_a_bounded_number_of_clips(rule, is_fine):
    """None, or fewer than none, would slip through every budget."""
    assert (list(factor_findings(Parameter(**rule))) == []) is is_fine
