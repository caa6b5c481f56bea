"""Published figures of real prices, which are not part of the repository.

Set SIGMASIGHT_REFERENCE_DATA to a folder with adjusted_closes_2016_2022.csv.gz, a column per ticker, to run them.
"""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from services.symbol_analytics.core.metrics import realised_volatilities
from services.symbol_analytics.core.ols import fit_lines
from services.symbol_analytics.core.ridge import fit_ridges
from shared.arrays import FloatArray
from shared.returns import simple_returns

FOLDER = os.environ.get("SIGMASIGHT_REFERENCE_DATA")

pytestmark = pytest.mark.skipif(FOLDER is None, reason="SIGMASIGHT_REFERENCE_DATA is not set")


@cache
def closes() -> pd.DataFrame:
    return pd.read_csv(Path(FOLDER or "") / "adjusted_closes_2016_2022.csv.gz", index_col=0, parse_dates=True)


def returns_of(*tickers: str) -> FloatArray:
    return np.ascontiguousarray(simple_returns(closes()[list(tickers)].to_numpy(dtype=np.float64)).T)


@pytest.mark.parametrize(
    ("proxy", "expected"),
    [
        ("SPY", {"AAPL": 1.2342, "XOM": 0.9115, "JNJ": 0.5679, "JPM": 1.1446, "AMD": 1.6603, "KO": 0.6386}),
        ("TLT", {"AGG": 0.2694, "BND": 0.2633, "HYG": -0.0473, "XLF": -0.6322}),
    ],
)
def test_betas_over_seven_years_match_the_published_figures(proxy: str, expected: dict[str, float]) -> None:
    fits = fit_lines(returns_of(*expected), returns_of(proxy)[0], min_observations=60)
    np.testing.assert_allclose(fits.betas, list(expected.values()), rtol=0.0, atol=0.5e-4)
    assert set(fits.rows.n_observations) == {1759}


def test_volatilities_over_seven_years_match_the_published_figures() -> None:
    expected = {"SPY": 0.1903, "TLT": 0.1495, "QQQ": 0.2328, "MTUM": 0.2142}
    prices = closes()[list(expected)].to_numpy(dtype=np.float64)
    volatilities = realised_volatilities(prices, windows=(len(prices) - 1,))
    ours = [volatilities.at((i, 0)) for i in range(len(expected))]
    assert ours == pytest.approx(list(expected.values()), rel=0.0, abs=0.5e-4)


def test_collinear_style_proxies_still_give_finite_betas_below_the_cap() -> None:
    styles = returns_of("VTV", "VUG", "MTUM", "QUAL", "SIZE", "USMV")[:, -252:]
    symbols = returns_of("AAPL", "XOM", "JNJ", "JPM", "AMD", "KO")[:, -252:]
    fits = fit_ridges(symbols, styles, min_observations=60)
    assert np.isfinite(fits.betas).all()
    assert not fits.capped.any()
