from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.money import Balance, Bucket
from pipelines.ledger import balances
from pipelines.ledger.balances import from_micros, to_micros
from pipelines.ledger.storage.schema import metadata
from pipelines.ledger.storage.sqlite import open_engine


@pytest.fixture
def connection(tmp_path):
    with open_engine(tmp_path / "x").connect() as opened, opened.begin():
        metadata.create_all(opened)
        yield opened


@given(st.decimals(min_value=0, max_value=10**9, places=6))
def test_prices_survive_as_millionths(amount):
    """Any price of up to six decimals comes back as it was."""
    assert from_micros(to_micros(amount)) == amount


@pytest.mark.parametrize(("micros", "text"), [(400_000, "0.4"), (10_000_000, "10"), (0, "0"), (1, "0.000001")])
def test_prices_are_shown_plainly(micros, text):
    """No trailing zeros and no exponent, except where nobody could read the zeros."""
    assert f"{from_micros(micros):f}" == text
    assert "E+" not in str(from_micros(micros))


def test_an_unknown_price_stays_unknown():
    """No price is not the price nought."""
    assert to_micros(None) is None
    assert from_micros(None) is None


def test_money_moves_between_pots(connection):
    """What leaves one bucket arrives in the other; outside is no bucket; currencies do not mix."""
    balances.move(connection, "USD", 500_000, None, Bucket.RESERVED)
    balances.move(connection, "USD", 200_000, Bucket.RESERVED, Bucket.SPENT)
    balances.move(connection, "USD", 100_000, Bucket.RESERVED, Bucket.UNCERTAIN)
    balances.move(connection, "USD", 100_000, Bucket.RESERVED, None)
    balances.move(connection, "CNY", 7_000_000, None, Bucket.SPENT)
    tenth = Decimal("0.1")
    assert balances.balances(connection) == [
        Balance("CNY", Decimal(0), Decimal(7), Decimal(0)),
        Balance("USD", tenth, 2 * tenth, tenth),
    ]
    assert balances.committed_micros(connection, "USD") == 400_000
    assert balances.balances(connection)[1].committed == 4 * tenth


@pytest.mark.parametrize(
    ("currency", "micros", "source", "target"),
    [(None, 5, None, Bucket.SPENT), ("USD", None, None, Bucket.SPENT), ("USD", 0, None, Bucket.SPENT)],
    ids=["no currency", "no price", "free"],
)
def test_what_has_no_price_moves_nothing(connection, currency, micros, source, target):
    """A job without a price leaves the accounts alone."""
    balances.move(connection, currency, micros, source, target)
    assert balances.balances(connection) == []
    assert balances.committed_micros(connection, "USD") == 0


def test_a_pot_to_itself_changes_nothing(connection):
    """Settling twice into the same bucket counts once."""
    balances.move(connection, "USD", 5, None, Bucket.SPENT)
    balances.move(connection, "USD", 5, Bucket.SPENT, Bucket.SPENT)
    assert balances.committed_micros(connection, "USD") == 5
