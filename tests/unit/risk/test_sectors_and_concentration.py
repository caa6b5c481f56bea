"""Sector exposure and concentration: the predecessor's vector, hand figures, identities."""

import numpy as np
import pytest
from hypothesis import given

from services.risk.core.concentration import concentration
from services.risk.core.sectors import sector_exposures
from shared.sectors import UNCLASSIFIED, sector_name
from shared.unavailable import Reason
from tests.unit.risk.shards import Shard, book, shards, why

# portfolio_risk.md 11.7, equity 100 000
VECTOR = [("AAPL", 10_000), ("AAPL", 5_000), ("JPM", -10_000), ("SPY", 5_000), ("NOSEC", 3_000), ("PRIV", 20_000)]
VECTOR += [("AAPL_C", 200)]
PROFILES = {
    "AAPL": ("Technology", False),
    "JPM": ("Financial Services", False),
    "SPY": (None, True),
    "NOSEC": ("Consumer Cyclical", None),
    "PRIV": (None, None),
    "AAPL_C": (None, None),
}


def test_sector_exposure_of_the_vector_gross_is_the_predecessors_net_is_signed() -> None:
    holdings, names = book([(symbol, float(amount)) for symbol, amount in VECTOR])
    sectors = [sector_name(PROFILES[name][0], is_etf=PROFILES[name][1]) for name in names]
    exposures = sector_exposures(holdings, sectors)
    gross = dict(zip(exposures.names, exposures.gross.values[0].tolist(), strict=True))
    net = dict(zip(exposures.names, exposures.net.values[0].tolist(), strict=True))
    expected = {"Technology": 0.15, "Financials": 0.10, "Consumer Discretionary": 0.03, "ETFs": 0.05}
    assert gross == expected | {"Unclassified": 0.202}
    assert net == expected | {"Unclassified": 0.202, "Financials": -0.10}


def test_concentration_of_the_vector_is_the_predecessors() -> None:
    holdings, _ = book([(symbol, float(amount)) for symbol, amount in VECTOR])
    result = concentration(holdings)
    assert holdings.totals(holdings.gross).tolist() == [5_320_000]
    assert result.hhi.at(0) == pytest.approx(2_681.892702, abs=5e-7)
    assert result.effective_positions.at(0) == pytest.approx(3.728710, abs=5e-7)
    assert result.top_3.at(0) == pytest.approx(0.845865, abs=5e-7)
    assert result.top_10.at(0) == 1.0


def test_defect_50_short_counts_as_negative_and_unclassified_is_not_dropped() -> None:
    holdings, _ = book([("AAA", 50_000), ("BBB", -50_000), ("NOSEC", 10_000)])
    exposures = sector_exposures(holdings, ["Energy", "Energy", UNCLASSIFIED])
    assert exposures.names == ("Energy", UNCLASSIFIED)
    assert exposures.net.values.tolist() == [[0.0, 0.1]]
    assert exposures.gross.values.tolist() == [[1.0, 0.1]]


def test_concentration_nets_long_and_short_lots_of_a_symbol() -> None:
    holdings, _ = book([("AAA", 30_000), ("AAA", -20_000), ("BBB", -10_000)])
    result = concentration(holdings)
    assert result.hhi.at(0) == 5_000.0
    assert result.effective_positions.at(0) == 2.0


def test_concentration_of_nothing_has_a_reason() -> None:
    assert why(concentration(book([])[0]).hhi).reason is Reason.NOT_APPLICABLE
    offset, _ = book([("AAA", 30_000), ("AAA", -30_000)])
    assert why(concentration(offset).top_3).reason is Reason.DEGENERATE_INPUT


def test_concentration_needs_no_equity() -> None:
    assert concentration(book([("AAA", 1.0)], equity=-5.0)[0]).hhi.at(0) == 10_000.0


def test_sector_exposure_without_positive_equity_is_degenerate() -> None:
    holdings, _ = book([("AAA", 1.0)], equity=0.0)
    assert why(sector_exposures(holdings, ["Energy"]).net, (0, 0)).reason is Reason.DEGENERATE_INPUT


@given(shards())
def test_sectors_add_up_to_the_book_exactly(shard: Shard) -> None:
    holdings = shard.holdings
    exposures = sector_exposures(holdings, shard.sectors)
    np.testing.assert_array_equal(exposures.net_cents.sum(axis=1), holdings.totals(holdings.net))
    np.testing.assert_array_equal(exposures.gross_cents.sum(axis=1), holdings.totals(holdings.gross))
    sector = np.array([shard.sectors[symbol] for symbol in shard.symbol], dtype=object)
    for cell in np.ndindex(exposures.net_cents.shape):
        mine = (shard.portfolio == cell[0]) & (sector == exposures.names[cell[1]])
        assert exposures.net_cents[cell] == shard.exposure[mine].sum()
        assert exposures.gross_cents[cell] == np.abs(shard.exposure[mine]).sum()


@given(shards())
def test_concentration_agrees_with_a_plain_reckoning(shard: Shard) -> None:
    result = concentration(shard.holdings)
    for portfolio in range(shard.equity.size):
        mine = shard.portfolio == portfolio
        by_symbol = [abs(int(shard.exposure[mine & (shard.symbol == s)].sum())) for s in range(len(shard.names))]
        total = sum(by_symbol)
        if not total:
            assert np.isnan(result.hhi.values[portfolio])
            continue
        weights = sorted((size / total for size in by_symbol), reverse=True)
        assert result.hhi.values[portfolio] == pytest.approx(10_000 * sum(w * w for w in weights), rel=1e-12)
        assert result.top_3.values[portfolio] == pytest.approx(sum(weights[:3]), rel=1e-12)
        assert result.top_10.values[portfolio] == pytest.approx(sum(weights[:10]), rel=1e-12)
        held = sum(size > 0 for size in by_symbol)
        assert 1 - 1e-9 <= result.effective_positions.values[portfolio] <= held + 1e-9
