"""How much of a book is not the index: by hand, against a plain sum over both, and where there is nothing to tell."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given

from services.risk.core.active_share import NO_CONSTITUENTS, Constituents, active_share
from services.risk.core.ratios import EMPTY_BOOK, NO_CAPITAL
from shared.unavailable import Quantities
from tests.unit.risk.shards import Shard, book, shards, why

INDEX = Constituents("SP500", date(2025, 3, 14), {"AAA": 0.5, "BBB": 0.3, "CCC": 0.2})


def share_of(
    *positions: tuple[str, float], index: Constituents | None = INDEX, equity: float = 100_000.0
) -> Quantities:
    """Return the active share of a book of shares."""
    holdings, names = book(positions, equity=equity)
    return active_share(holdings, ["Technology"] * len(names), None if index is None else index.of(names)).share


@pytest.mark.parametrize(
    ("positions", "share"),
    [
        pytest.param([("AAA", 50_000.0), ("BBB", 30_000.0), ("CCC", 20_000.0)], 0.0, id="the index itself"),
        pytest.param([("DDD", 100_000.0)], 1.0, id="nothing of it"),
        pytest.param([("AAA", 100_000.0)], 0.5, id="one of its names"),
        pytest.param([("AAA", 50_000.0), ("DDD", 50_000.0)], 0.5, id="half of it"),
        pytest.param([("AAA", 25_000.0), ("BBB", 15_000.0), ("CCC", 10_000.0)], 0.5, id="half of it in cash"),
        pytest.param([("AAA", 100_000.0), ("BBB", 60_000.0), ("CCC", 40_000.0)], 1.0, id="twice the index"),
        pytest.param([("DDD", -100_000.0)], 2.0, id="short of something else"),
    ],
)
def test_active_share_by_hand(positions: list[tuple[str, float]], share: float) -> None:
    assert share_of(*positions).at(0) == pytest.approx(share, abs=1e-15)


def test_weights_that_were_rounded_count_as_parts_of_their_sum() -> None:
    rounded = Constituents("SP500", INDEX.as_of, {symbol: weight * 0.998 for symbol, weight in INDEX.weights.items()})
    whole = [("AAA", 50_000.0), ("BBB", 30_000.0), ("CCC", 20_000.0)]

    assert share_of(*whole, index=rounded).at(0) == pytest.approx(0.0, abs=1e-15)


@given(shard=shards())
def test_active_share_is_a_plain_sum_over_book_and_index(shard: Shard) -> None:
    held = {name: number for number, name in enumerate(shard.names)}
    index = Constituents("SP500", INDEX.as_of, {"S00": 0.2, "S03": 0.3, "S07": 0.1, "OTHER": 0.4})

    found = active_share(shard.holdings, shard.sectors, index.of(shard.names))

    holdings = shard.holdings
    for portfolio, equity in enumerate(shard.equity.tolist()):
        mine = dict.fromkeys(held, 0.0)
        for row in np.flatnonzero(holdings.portfolio == portfolio).tolist():
            mine[shard.names[holdings.symbol[row]]] += holdings.net[row] / equity
        beside = index.weights
        apart = sum(abs(mine.get(name, 0.0) - beside.get(name, 0.0)) for name in {*mine, *beside})
        if isinstance(known := found.share.at(portfolio), float):
            assert known == pytest.approx((apart + abs(1.0 - sum(mine.values()))) / 2, rel=1e-12)
        else:
            assert known == (EMPTY_BOOK if equity > 0 else NO_CAPITAL)


def test_what_funds_hold_is_not_covered() -> None:
    holdings, names = book([("AAA", 30_000.0), ("SPY", 70_000.0)])

    found = active_share(holdings, ["Technology", "ETFs"], INDEX.of(names))

    assert found.coverage.at(0) == pytest.approx(0.3)
    assert found.covered.tolist() == [True, False]


def test_there_is_none_without_an_index_a_book_or_capital() -> None:
    assert why(share_of(("AAA", 50_000.0), index=None)) == NO_CONSTITUENTS
    assert why(share_of()) == EMPTY_BOOK
    assert why(share_of(("AAA", 50_000.0), equity=-1.0)) == NO_CAPITAL
