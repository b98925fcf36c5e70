from __future__ import annotations

from datetime import date

import pytest
from pydantic_core import PydanticCustomError

from pipelines.providers.profile.scalars import written_day


@pytest.mark.parametrize("value", ["2026-11-21", date(2026, 11, 21)])
def test_a_day_is_written_with_its_year_first(value):
    """YAML makes a date of it by itself."""
    assert written_day(value) == value


@pytest.mark.parametrize("value", [20261121, "1795219200", "21.11.2026", "2026-11-21T12:00", None])
def test_nothing_else_is_a_day(value):
    """A number would be taken for the seconds since 1970."""
    with pytest.raises(PydanticCustomError):
        written_day(value)
