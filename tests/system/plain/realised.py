"""What the daily returns of a book say, over the windows of a tear sheet (methodology, 5)."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from tests.system.plain.known import DEGENERATE, MISSING, SHORT, Number

RISK_FREE = float(np.exp(0.05 / 252)) - 1
MONTHS = {"1M": 1, "3M": 3, "6M": 6, "1Y": 12}
FIGURES = (
    *("total", "volatility", "downside_deviation", "sharpe", "sortino", "maximum_drawdown", "calmar"),
    *("best_day", "worst_day", "best_month", "worst_month", "hit_rate", "skew", "excess_kurtosis"),
)

Figures = Mapping[str, Number]


def tear_sheet(
    returns: pd.Series, opened_on: date, eve: date, *, broken: bool, yields: pd.Series | None = None
) -> dict[str, tuple[int, Figures]]:
    """By window how many returns there are and what they say; NaN is no return.

    A window that begins before the close before the book opened, on the eve, says nothing. Without yields of quarters
    the risk-free rate is the constant.
    """
    earned = _earned(returns.index, yields)
    last = pd.Timestamp(returns.index[-1])
    begins = {name: last - pd.DateOffset(months=months) for name, months in MONTHS.items()}
    begins["YTD"] = pd.Timestamp(last.year - 1, 12, 31)
    found: dict[str, tuple[int, Figures]] = {"since inception": _figures(returns, earned)}
    for name, after in begins.items():
        inside = returns.loc[returns.index > after]
        found[name] = (0, dict.fromkeys(FIGURES, SHORT)) if after < pd.Timestamp(eve) else _figures(inside, earned)
    return {name: (0, dict.fromkeys(FIGURES, DEGENERATE)) for name in found} if broken else found


def _earned(days: pd.Index, yields: pd.Series | None) -> pd.Series:
    if yields is None:
        return pd.Series(RISK_FREE, index=days)
    quarters = pd.DataFrame({"quoted": yields / 4}).rename_axis("day").reset_index()
    newest = pd.merge_asof(
        pd.DataFrame({"day": days}), quarters, on="day", allow_exact_matches=False, tolerance=pd.Timedelta(days=7)
    )
    return pd.Series((1 + newest["quoted"].to_numpy()) ** (4 / 252) - 1, index=days)


def _figures(window: pd.Series, earned: pd.Series) -> tuple[int, Figures]:
    returns = window.dropna()
    n = len(returns)
    total = _number(np.prod(1 + returns.to_numpy()) - 1) if n else SHORT
    if n < 60:
        return n, {**dict.fromkeys(FIGURES, SHORT), "total": total}
    index = pd.concat([pd.Series([1.0]), (1 + returns).cumprod()])
    excess, spread = returns - earned.loc[returns.index], _number(returns.std(ddof=1)) if np.ptp(returns) > 0 else 0.0
    below = _number(np.sqrt((excess.clip(upper=0) ** 2).mean()))
    unknown = MISSING if excess.isna().any() else None
    months = (1 + returns).groupby(pd.DatetimeIndex(returns.index).to_period("M")).prod() - 1
    fall = _number((index / index.cummax() - 1).min())
    grown = _number(index.iloc[-1])
    calmar = (grown ** (252 / n) - 1) / -fall if fall < 0 < grown else DEGENERATE
    return n, {
        "total": total,
        "volatility": spread * 252**0.5,
        "downside_deviation": unknown or below * 252**0.5,
        "sharpe": unknown or _number(excess.mean()) / spread * 252**0.5 if spread else DEGENERATE,
        "sortino": unknown or _number(excess.mean()) / below * 252**0.5 if below else DEGENERATE,
        "maximum_drawdown": fall,
        "calmar": calmar,
        "best_day": _number(returns.max()),
        "worst_day": _number(returns.min()),
        "best_month": _number(months.max()),
        "worst_month": _number(months.min()),
        "hit_rate": _number((returns > 0).mean()),
        "skew": _number(returns.skew()) if spread else DEGENERATE,
        "excess_kurtosis": _number(returns.kurt()) if spread else DEGENERATE,
    }


def _number(value: Any) -> float:
    return float(value)
