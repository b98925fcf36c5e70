from __future__ import annotations

import pytest

from pipelines.providers.profile.exchange import Answers
from pipelines.providers.profile.load import profile_named
from pipelines.providers.responses.told import error_told

USUAL = profile_named("openai")


@pytest.mark.parametrize(
    ("answers", "body", "told"),
    [
        (None, {"error": {"code": "bad", "message": "No."}}, ("bad", "No.")),
        (
            {"error_message": "data.why"},
            {"code": 0, "message": "OK", "data": {"why": "Too dark."}},
            (None, "Too dark."),
        ),
        ({"error_message": "data.why"}, {"code": 1101, "message": "No money."}, ("1101", "No money.")),
        ({"error_code": "error.status"}, {"error": {"code": 13, "status": "INTERNAL"}}, ("INTERNAL", None)),
        ({"error_code": "why[].kind"}, {"why": [{}, {"kind": "dark\x1b[1m"}]}, ("dark\\x1b[1m", None)),
    ],
)
def test_an_error_is_read_where_the_profile_says(answers, body, told):
    """Its own places first, then those of every API; 0 is no error, and what comes is safe to show."""
    profile = USUAL.model_copy(update={"answers": None if answers is None else Answers(**answers)})
    assert error_told(body, profile) == told
