from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest

from pipelines.catalogue.frame import catalogue_frame
from pipelines.catalogue.sums import money_by_group, sums_by
from pipelines.core.errors import SetupError
from pipelines.core.money import Balance
from pipelines.ledger.balances import Payment

PAID = [
    Payment("a", "USD", "spent", 100_000),
    Payment("b", "USD", "spent", 200_000),
    Payment("b", "CNY", "uncertain", 3_000_000),
    Payment("c", "USD", "reserved", 1),
]


def balance(currency, **amounts):
    zero = dict.fromkeys(("spent", "reserved", "uncertain"), Decimal(0))
    return Balance(currency, **zero | {name: Decimal(amount) for name, amount in amounts.items()})


@pytest.fixture
def frame(make_row):
    return catalogue_frame(
        [
            make_row(id="a", path="a.mp4", duration_s=4.02, width=1280, tags=("x", "y", "x"), own={"Market": "DE"}),
            make_row(id="b", status="failed", duration_s=9, tags=("y",), params={"n": 1}, own={"Market": "DE"}),
            make_row(id="c", path="c.mp4", has_audio=True),
        ],
        ["Market"],
    )


def sums(frame, column, paid=PAID):
    return [(one.value, one.jobs, one.done, one.video_s) for one in sums_by(frame, column, paid)]


def test_sums_by_a_column_of_the_users(frame):
    """Jobs, what is done, the money by currency and bucket, and the seconds that are on disk; in the order of the file."""
    first, second = sums_by(frame, "market", PAID)
    assert sums(frame, "Market") == [("DE", 2, 1, 4.02), (None, 1, 1, 0.0)]
    assert first.money == (balance("CNY", uncertain=3), balance("USD", spent="0.3"))
    assert second.money == (balance("USD", reserved="0.000001"),)
    assert second.as_dict()["money"] == [
        {"currency": "USD", "spent": "0", "reserved": "0.000001", "uncertain": "0", "assumed": {}},
    ]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("status", ["done", "failed"]),
        ("width", [1280, None]),
        ("has_audio", [None, True]),
        ("params", ["{}", '{"n": 1}']),
        ("submitted_at", [None]),
        ("cost_actual", [None]),
    ],
)
def test_any_column_can_be_summed_by(frame, column, values):
    """Values are those of the manifest in JSON; every job counts once, and so does every payment."""
    found = sums_by(frame, column, PAID)
    assert [one.value for one in found] == values
    assert sum(one.jobs for one in found) == 3
    assert sum(money.spent for one in found for money in one.money) == Decimal("0.3")


def test_a_job_with_several_tags_counts_for_each(frame):
    """A sum by tags says what each of them comes to."""
    assert [(value, jobs) for value, jobs, *_ in sums(frame, "tags")] == [("x", 1), ("y", 2), (None, 1)]
    assert [one.money[-1].spent for one in sums_by(frame, "tags", PAID)[:2]] == [Decimal("0.1"), Decimal("0.3")]


def test_an_unknown_column_is_refused_with_the_nearest(frame):
    """A slip of the pen is named."""
    with pytest.raises(SetupError, match=r'no column "markt".*Did you mean "Market"'):
        sums_by(frame, "markt", PAID)


def test_nothing_has_no_sums(frame):
    """A campaign without jobs, or without payments, is no error."""
    assert sums_by(frame.iloc[:0], "status", []) == []
    assert [one.money for one in sums_by(frame, "status", [])] == [(), ()]


def test_a_payment_counts_in_every_group_of_its_job():
    """By currency; a payment of another job counts in none."""
    jobs = pd.DataFrame({"id": ["a", "b", "b"], "group": [0, 0, 1]})
    assert money_by_group(jobs, PAID) == {
        0: [balance("CNY", uncertain="3"), balance("USD", spent="0.3")],
        1: [balance("CNY", uncertain="3"), balance("USD", spent="0.2")],
    }
