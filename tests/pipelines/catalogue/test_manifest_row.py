from __future__ import annotations

import pytest
from pydantic import ValidationError

from pipelines.catalogue.manifest_row import COLUMNS, own_names


def test_the_columns_are_the_contract():
    """People and programs rely on these columns in this order."""
    assert ", ".join(COLUMNS) == (
        "id, row, campaign, take, status, provider, model, prompt, prompt_sha256, params, task_id, trace_id, attempts, "
        "submitted_at, completed_at, downloaded_at, url_expires_at, duration_s, width, height, fps, has_audio, bytes, "
        "sha256, path, storage_uri, source_host, cost_estimated, cost_actual, currency, billed, error_code, "
        "error_message, failed_stage, flags, review, tags, cost_reserved, cost_uncertain, cost_basis, callback"
    )


@pytest.mark.parametrize(
    ("own", "names"),
    [
        (["market", "Über"], ["market", "Über"]),
        (["status", "ID"], ["own_status", "own_ID"]),
        (["own_status", "status"], ["own_status", "own_own_status"]),
        (["status", "own_status"], ["own_status", "own_own_status"]),
    ],
)
def test_the_users_columns_keep_clear_of_ours(own, names):
    """A column of the user is found under its own name, or with a prefix where the manifest has that name."""
    assert list(own_names(own).values()) == names


def test_times_without_zone_are_refused(make_row):
    """A time that does not say where it was measured is no time."""
    with pytest.raises(ValidationError):
        make_row(submitted_at="2026-11-21T04:30:00")
