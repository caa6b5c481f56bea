"""Published figures of real prices, which are not part of the repository, fed through the chain.

Set SIGMASIGHT_REFERENCE_DATA to a folder with adjusted_closes_2016_2022.csv.gz, a column per ticker, to run them.
"""

import os
from collections.abc import AsyncIterator
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler
from statsmodels.regression.linear_model import OLS
from statsmodels.tools import add_constant

from services.market_data.core.bar_checks import Request, check_rows
from services.market_data.core.bars import Bars
from services.market_data.core.window import sessions_array
from services.market_data.providers.files import FilesProvider
from services.market_data.settings import MarketDataSettings
from services.symbol_analytics.core.metrics import realised_volatilities
from services.symbol_analytics.core.ols import fit_lines
from shared.arrays import FloatArray
from shared.factor_set import FactorSet
from shared.returns import simple_returns
from tests.support.platform import Json, Platform, running_platform
from tests.support.stack import Servers

FOLDER = os.environ.get("SIGMASIGHT_REFERENCE_DATA")

pytestmark = pytest.mark.skipif(FOLDER is None, reason="SIGMASIGHT_REFERENCE_DATA is not set")

FIRST, LAST = date(2016, 1, 4), date(2022, 12, 28)
FACTOR_SET = FactorSet(size="SIZE")
STYLES = dict(FACTOR_SET.style_proxies())
VOLATILITIES = {"SPY": 0.1903, "TLT": 0.1495, "QQQ": 0.2328, "MTUM": 0.2142}
BETAS = {
    "SPY": {"AAPL": 1.2342, "XOM": 0.9115, "JNJ": 0.5679, "JPM": 1.1446, "AMD": 1.6603, "KO": 0.6386},
    "TLT": {"AGG": 0.2694, "BND": 0.2633, "HYG": -0.0473, "XLF": -0.6322},
}
HELD = ("AAPL", "XOM", "AGG", "XLF")


@cache
def wide() -> pd.DataFrame:
    return pd.read_csv(Path(FOLDER or "") / "adjusted_closes_2016_2022.csv.gz", index_col=0, parse_dates=True)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table as the documentation of the provider says: melted, one row per symbol and session."""
    path = tmp_path_factory.mktemp("reference")
    melted = wide().rename_axis(index="date").reset_index().melt("date", var_name="symbol", value_name="close").dropna()
    melted.to_csv(path / "prices.csv.gz", index=False)
    return path


@pytest.fixture(scope="module")
async def bars(directory: Path) -> Bars:
    """Seven years as the provider and the checks hand them on."""
    symbols = sorted({*VOLATILITIES, *BETAS, *BETAS["SPY"], *BETAS["TLT"]})
    fetched = await FilesProvider(directory).fetch_bars(symbols, FIRST, LAST)
    request = Request(provider="files", sessions=sessions_array(FIRST, LAST), target=LAST)
    checked = check_rows(fetched.rows, request)
    assert (fetched.unavailable, checked.findings) == ({}, ())
    return checked.bars


def returns_of(bars: Bars, *symbols: str) -> FloatArray:
    return np.ascontiguousarray(simple_returns(bars.select(list(symbols)).adjusted).T)


@pytest.mark.parametrize("proxy", list(BETAS))
def test_betas_over_all_sessions_of_the_files_are_the_published_ones(bars: Bars, proxy: str) -> None:
    expected = BETAS[proxy]
    fits = fit_lines(returns_of(bars, *expected), returns_of(bars, proxy)[0], min_observations=60)
    assert set(fits.rows.n_observations) == {1759}
    np.testing.assert_allclose(fits.betas, list(expected.values()), rtol=0.0, atol=0.5e-4)


def test_volatilities_over_all_sessions_of_the_files_are_the_published_ones(bars: Bars) -> None:
    adjusted = bars.select(list(VOLATILITIES)).adjusted
    volatilities = realised_volatilities(adjusted, windows=(len(adjusted) - 1,))
    ours = [volatilities.at((row, 0)) for row in range(len(VOLATILITIES))]
    assert ours == pytest.approx(list(VOLATILITIES.values()), rel=0.0, abs=0.5e-4)


@pytest.fixture(scope="module")
async def platform(own_servers: Servers, directory: Path) -> AsyncIterator[Platform]:
    sources = MarketDataSettings(providers=("files",), files_dir=directory)
    async with running_platform(own_servers, sources, FACTOR_SET) as running:
        yield running


@pytest.fixture(scope="module")
async def shown(platform: Platform) -> dict[str, Json]:
    """What the platform shows of the held symbols after their onboarding."""
    positions = [
        {"symbol": symbol, "kind": "LONG", "quantity": "10", "entry_date": "2022-12-01", "entry_price": "100"}
        for symbol in HELD
    ]
    terms = {"opening_equity": "50000", "opened_on": "2022-12-19", "as_of": str(LAST)}
    entered = await platform.api.post("/portfolios", {"name": "reference", "positions": positions, **terms})
    assert (await platform.api.ended(entered["run_id"]))["status"] == "completed"
    return {symbol: await platform.api.get(f"/symbols/{symbol}", as_of=str(LAST)) for symbol in HELD}


@pytest.mark.parametrize("symbol", HELD)
def test_last_session_of_the_chain_agrees_with_a_plain_computation(shown: dict[str, Json], symbol: str) -> None:
    returns = wide().pct_change(fill_method=None)
    betas = {entry["factor"]: entry["beta"]["value"] for entry in shown[symbol]["factors"]["factors"]}

    year, quarter = returns.iloc[-252:], returns.iloc[-90:]
    for name, proxy in (("market_beta", "SPY"), ("rate_beta", "TLT")):
        fitted = OLS(quarter[symbol].to_numpy(), add_constant(quarter[proxy].to_numpy())).fit()
        assert betas[name] == pytest.approx(fitted.params[1], rel=1e-9), name
    spread = add_constant((year["VUG"] - year["VTV"]).to_numpy())
    assert betas["growth_value_spread"] == pytest.approx(OLS(year[symbol].to_numpy(), spread).fit().params[1], rel=1e-9)
    scaler = StandardScaler().fit(year[list(STYLES.values())].to_numpy())
    ridge = Ridge(alpha=1.0).fit(scaler.transform(year[list(STYLES.values())].to_numpy()), year[symbol].to_numpy())
    expected = dict(zip(STYLES, (ridge.coef_ / scaler.scale_).tolist(), strict=True))
    assert {name: betas[name] for name in STYLES} == pytest.approx(expected, rel=1e-7)
    for window in (21, 63, 252):
        volatility = float(returns[symbol].iloc[-window:].std(ddof=1) * np.sqrt(252))
        ours = shown[symbol]["metrics"]["metrics"][f"volatility_{window}d"]["value"]
        assert ours == pytest.approx(volatility, rel=1e-10)
