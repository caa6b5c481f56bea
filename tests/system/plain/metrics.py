"""The daily metrics of a symbol (methodology, 4)."""

from datetime import date

import numpy as np
import pandas as pd

from tests.system.plain.known import MISSING, SHORT, Number
from tests.system.plain.prices import Prices
from tests.system.plain.symbols import not_current

NEAR = 5  # sessions before its anchor that a base may lie
SEEN = 265  # sessions of closes behind a metric


def metrics_of(symbol: str, prices: Prices, as_of: date) -> dict[str, Number]:
    """Every metric of a symbol as of a session."""
    adjusted = prices.series(symbol, as_of, SEEN)
    stale = not_current(symbol, prices, as_of)
    found: dict[str, Number] = {}
    for kind, closes in (("price", _split_adjusted(symbol, prices, adjusted)), ("total", adjusted)):
        for horizon in ("1d", "5d", "1m", "3m", "6m", "1y", "mtd", "qtd", "ytd"):
            found[f"{kind}_return_{horizon}"] = stale or _return(closes, horizon)
    for window in (21, 63, 252):
        found[f"volatility_{window}d"] = stale or _volatility(symbol, prices, as_of, window)
    return found


def _split_adjusted(symbol: str, prices: Prices, adjusted: pd.Series) -> pd.Series:
    """Each close over the splits that came after it."""
    if symbol not in prices.close:
        return adjusted
    closes, splits = prices.close[symbol].loc[adjusted.index], prices.split[symbol].loc[adjusted.index]
    later = splits.iloc[::-1].cumprod().iloc[::-1].shift(-1, fill_value=1.0)
    return closes / later


def _anchor(horizon: str, as_of: pd.Timestamp) -> pd.Timestamp:
    months = {"1m": 1, "3m": 3, "6m": 6, "1y": 12}
    if horizon in months:
        return as_of - pd.DateOffset(months=months[horizon])
    period = {"mtd": "M", "qtd": "Q", "ytd": "Y"}[horizon]
    return as_of.to_period(period).start_time - pd.Timedelta(days=1)


def _return(closes: pd.Series, horizon: str) -> Number:
    """From the last close on or before the anchor, of one day from the session before and no other."""
    as_of = closes.index[-1]
    if not np.isfinite(closes.iloc[-1]):
        return MISSING
    sessions = {"1d": 1, "5d": 5}
    until = closes.iloc[: -sessions[horizon]] if horizon in sessions else closes.loc[: _anchor(horizon, as_of)]
    if until.isna().all():
        return SHORT
    near = until.iloc[-1 if horizon == "1d" else -1 - NEAR :].dropna()
    return float(closes.iloc[-1] / near.iloc[-1] - 1.0) if len(near) else MISSING


def _volatility(symbol: str, prices: Prices, as_of: date, window: int) -> Number:
    """Of the returns that are there, nine tenths of the window at least, of a symbol that is older than it."""
    returns = prices.returns(symbol, as_of, window)
    if returns.isna().any():
        if prices.series(symbol, as_of, SEEN).iloc[:-window].isna().all():
            return SHORT
        if 10 * returns.count() < 9 * window:
            return MISSING
    return float(returns.std(ddof=1) * np.sqrt(252))
