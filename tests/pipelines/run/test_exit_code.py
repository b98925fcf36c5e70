from __future__ import annotations

import pytest

from pipelines.core.errors import (
    BudgetReached,
    DiskFull,
    FundsExhausted,
    KeyRefused,
    LedgerError,
    ProviderUnavailable,
    SetupError,
)
from pipelines.core.status import JobStatus as S
from pipelines.run.exit_code import exit_code


@pytest.mark.parametrize(
    ("counts", "reasons", "code"),
    [
        ({}, (), 0),
        ({S.DONE: 5}, (), 0),
        ({S.DONE: 5, S.SKIPPED: 2}, (), 0),
        ({S.DONE: 5, S.PLANNED: 2}, (), 0),
        ({S.DONE: 5, S.FAILED: 0}, (), 0),
        *[({S.DONE: 5, status: 1}, (), 1) for status in (S.FAILED, S.REJECTED, S.EXPIRED, S.CANCELLED)],
        *[({S.DONE: 5, status: 1}, (), 4) for status in (S.PARKED, S.IN_DOUBT, S.WAITING, S.READY, S.SUBMITTING)],
        ({S.DONE: 5, S.FAILED: 1, S.PARKED: 1}, (), 4),
        ({S.DONE: 5, S.PLANNED: 5}, (BudgetReached(),), 3),
        ({S.PLANNED: 5}, (BudgetReached(),), 3),
        ({S.DONE: 5, S.FAILED: 1, S.PLANNED: 5}, (FundsExhausted(),), 3),
        ({S.DONE: 5, S.IN_DOUBT: 1, S.PLANNED: 5}, (BudgetReached(),), 4),
        ({S.PLANNED: 5}, (KeyRefused(),), 2),
        ({S.PLANNED: 5}, (SetupError(),), 2),
        ({S.PLANNED: 5}, (LedgerError(),), 2),
        ({S.DONE: 1, S.PLANNED: 5}, (KeyRefused(),), 4),
        ({S.WAITING: 1, S.PLANNED: 5}, (KeyRefused(),), 4),
        ({S.PLANNED: 5}, (ProviderUnavailable(),), 4),
        ({S.DONE: 1, S.PLANNED: 5}, (DiskFull(),), 4),
        ({S.PLANNED: 5}, (ProviderUnavailable(), BudgetReached()), 3),
    ],
)
def test_what_a_person_must_look_at_first_wins(counts, reasons, code):
    """Parked or in doubt goes before the budget, the budget before failed rows; bad set-up only if nothing was bought."""
    assert exit_code(counts, reasons=reasons) == code


def test_an_interruption_wins_over_everything():
    """Who pressed Ctrl-C is told 130, whatever else there is."""
    assert exit_code({S.PARKED: 1}, reasons=(BudgetReached(),), interrupted=True) == 130
