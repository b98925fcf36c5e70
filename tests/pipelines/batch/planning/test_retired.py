from __future__ import annotations

from datetime import date

import pytest


@pytest.fixture
def closed(profiles):
    """Both made-up providers, the yard closed."""
    profiles["yard"] = profiles["yard"].model_copy(update={"retired_on": date(2026, 3, 1)})
    return profiles


def said(batch):
    return [str(warning) for warning in batch.warnings if "2026" in str(warning)]


def test_a_retired_model_is_warned_of_once(plan):
    """With model, date and provider, and the models that are left."""
    (warning,) = said(plan("prompt,model\na,clip-0\nb,clip-0\nc,clip-1\n"))
    assert warning == "spring.csv: lab retires the model clip-0 on 2026-05-01. Others: clip-1, clip-2, film-1."


def test_a_retired_model_of_a_fallback_is_warned_of_too(plan):
    """It may be bought as well."""
    assert len(said(plan("prompt\na\n", fallback=("lab:clip-0",)))) == 1


@pytest.mark.usefixtures("closed")
def test_a_closed_provider_is_warned_of_once(plan):
    """With the date, and what to set."""
    (warning,) = said(plan("prompt\na\nb\n", provider="yard"))
    assert warning.startswith(
        "spring.csv: yard: its vendor closed https://yard.example on 2026-03-01. Set YARD_BASE_URL"
    )


@pytest.mark.usefixtures("closed")
def test_a_server_of_ones_own_is_not_closed(plan):
    """What a vendor closes does not concern another address."""
    text = "prompt,provider,model\na,lab,clip-0\nb,yard,\n"
    assert said(plan(text, elsewhere=frozenset({"lab", "yard"}))) == []
    assert len(said(plan(text, elsewhere=frozenset({"lab"})))) == 1


@pytest.mark.usefixtures("closed")
def test_who_goes_elsewhere_hears_nothing(plan):
    """Only what is used is worth a word."""
    assert said(plan("prompt\na\n")) == []
