"""How far from the market books move: by hand, against pandas, and where there is nothing to tell."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from services.risk.core.active import SAME, active_risk
from shared.arrays import FloatArray
from shared.conventions import RISK_FACTORS
from shared.factor_basis import FactorBasis
from shared.unavailable import Reason, Unavailable
from tests.unit.risk.series import series_of

YEAR = 252
MARKET = np.random.default_rng(7).normal(0.0004, 0.01, YEAR)


def basis_of(market: FloatArray) -> FactorBasis:
    """Return factors of which only the market has a proxy."""
    factors = np.full((len(RISK_FACTORS), market.size), np.nan)
    factors[0] = market
    return FactorBasis(factors, np.diag([1.0] + [0.0] * (len(RISK_FACTORS) - 1)), np.isfinite(market))


def test_twice_the_market_is_off_by_the_market() -> None:
    found = active_risk(series_of(2 * MARKET), basis_of(MARKET))

    assert found.tracking_error.at(0) == pytest.approx(MARKET.std(ddof=1) * np.sqrt(252), rel=1e-12)
    assert found.information_ratio.at(0) == pytest.approx(MARKET.mean() / MARKET.std(ddof=1) * np.sqrt(252), rel=1e-12)
    assert found.observations.tolist() == [252]


def test_rest_of_one_size_by_hand() -> None:
    # 0.003 and -0.001 in turn: a mean of 0.001, a sample deviation of 0.002 times the root of 252 over 251.
    found = active_risk(series_of(MARKET + np.tile([0.003, -0.001], 126)), basis_of(MARKET))

    error = 0.002 * np.sqrt(252 / 251) * np.sqrt(252)
    assert found.tracking_error.at(0) == pytest.approx(error, rel=1e-12)
    assert found.information_ratio.at(0) == pytest.approx(0.252 / error, rel=1e-12)


@pytest.mark.parametrize("length", [252, 126, 63])
def test_figures_are_those_of_pandas_on_the_common_sessions(length: int) -> None:
    rng = np.random.default_rng(length)
    own = rng.normal(0, 0.02, length)
    market = np.where(rng.random(YEAR) < 0.01, np.nan, MARKET)
    # The other has left out the sessions before last 5 and 17.
    ages = np.delete(np.arange(length + 2)[::-1], [length + 2 - 6, length + 2 - 18])
    together = series_of(own, rng.normal(0, 0.02, length), np.zeros(YEAR))

    found = active_risk(replace(together, ages={1: ages}), basis_of(market))

    plain = pd.Series(market)
    for portfolio, beside in ((0, plain.iloc[-length:]), (1, plain.reindex(plain.index[-1] - ages))):
        apart = pd.Series(together.values[portfolio, -length:] - beside.to_numpy()).dropna()
        assert found.observations[portfolio] == len(apart)
        assert found.tracking_error.at(portfolio) == pytest.approx(apart.std() * 252**0.5, rel=1e-9)
        ratio = apart.mean() / apart.std() * 252**0.5
        assert found.information_ratio.at(portfolio) == pytest.approx(ratio, rel=1e-9)


def test_book_of_the_proxy_is_not_off_and_has_no_ratio() -> None:
    # Rounding of the last bit is no difference.
    found = active_risk(series_of(MARKET * 3 / 3 * (1 + 1e-15)), basis_of(MARKET))

    assert (found.tracking_error.at(0), found.information_ratio.at(0)) == (0.0, SAME)


def test_reasons_of_the_book_of_the_factors_and_of_too_few_sessions() -> None:
    empty = Unavailable(Reason.NOT_APPLICABLE, "the book is empty")
    gone = replace(series_of(MARKET, MARKET), unavailable=np.array([empty, None], dtype=object))
    no_basis = Unavailable(Reason.MISSING_DATA, "no proxy")
    late = np.where(np.arange(YEAR) < YEAR - 59, np.nan, MARKET)

    assert [active_risk(gone, no_basis).tracking_error.at(each) for each in (0, 1)] == [empty, no_basis]
    found = active_risk(gone, basis_of(late)).information_ratio
    short = Unavailable(Reason.INSUFFICIENT_HISTORY, "59 of 60 sessions with every proxy's return")
    assert [found.at(each) for each in (0, 1)] == [empty, short]
