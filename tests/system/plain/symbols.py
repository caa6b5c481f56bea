"""The 13 factor betas of a symbol, one regression after another (methodology, 3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler
from statsmodels.regression.linear_model import OLS
from statsmodels.tools import add_constant

from tests.system.plain.known import DEGENERATE, MISSING, NOT_APPLICABLE, SHORT, STALE, Number
from tests.system.plain.prices import Prices

STYLES = ("value", "growth", "momentum", "quality", "size", "low_volatility")
SPREADS = {
    "growth_value_spread": ("growth", "value"),
    "momentum_spread": ("momentum", "market"),
    "size_spread": ("size", "market"),
    "quality_spread": ("quality", "market"),
}
LINES = {"market_beta": "market", "rate_beta": "rate"}
FACTORS = (*STYLES, *SPREADS, *LINES, "provider_beta")

Proxies = Mapping[str, str | None]


@dataclass(frozen=True)
class Estimate:
    """A beta or the reason why there is none, and what it rests on."""

    beta: Number
    n: int = 0
    r_squared: float | None = None
    std_error: float | None = None
    p_value: float | None = None
    capped: bool = False
    first: date | None = None
    last: date | None = None


def factors_of(
    symbol: str, prices: Prices, as_of: date, *, proxies: Proxies, provider_beta: float | None
) -> dict[str, Estimate]:
    """Every factor beta of a symbol as of a session."""
    found = {factor: Estimate(NOT_APPLICABLE) for factor in FACTORS}
    used = {factor: str(proxies[factor]) for factor in STYLES if proxies[factor] is not None}
    found |= _styles(symbol, prices, as_of, used)
    for factor, (plus, minus) in SPREADS.items():
        if proxies[plus] is not None and proxies[minus] is not None:
            long, short = (prices.returns(str(proxies[leg]), as_of, 252) for leg in (plus, minus))
            found[factor] = _line(symbol, prices, as_of, regressor=long - short, minimum=60)
    for factor, role in LINES.items():
        if proxies[role] is not None:
            regressor = prices.returns(str(proxies[role]), as_of, 90)
            found[factor] = _line(symbol, prices, as_of, regressor=regressor, minimum=30)
    found["provider_beta"] = Estimate(MISSING if provider_beta is None else provider_beta)
    return found


def not_current(symbol: str, prices: Prices, as_of: date) -> str | None:
    """Why the last price of a symbol is none of today's: there is none within a year, or it is older than a week."""
    known = np.isfinite(prices.series(symbol, as_of, 265).to_numpy())
    if not known.any():
        return MISSING
    return STALE if int(known[::-1].argmax()) > 5 else None


def too_few(n: int, minimum: int, table: pd.DataFrame, *, old: bool = False) -> str | None:
    """Why so many rows are too few: the series are young, or there are holes in them.

    An old symbol has returns from before the table.
    """
    if n >= minimum:
        return None
    known = table.drop(columns="_own").notna().cummax()
    known["_own"] = old | table["_own"].notna().cummax()
    return MISSING if int(known.all(axis=1).sum()) >= minimum else SHORT


def _rows(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """The sessions on which the symbol and every regressor have a return."""
    known = table.dropna()
    return known.drop(columns="_own"), known["_own"]


def _estimate(own: pd.Series, why: str | None, **fitted: Any) -> Estimate:
    """An estimate with the rows that were counted; beyond five it is capped and says so."""
    seen: dict[str, Any] = {"n": len(own)}
    if len(own):
        seen |= {"first": own.index[0].date(), "last": own.index[-1].date()}
    if why is not None:
        return Estimate(why, **seen)
    beta = float(fitted.pop("beta"))
    return Estimate(min(max(beta, -5.0), 5.0), capped=abs(beta) > 5.0, **seen, **fitted)


def _why(symbol: str, prices: Prices, as_of: date, table: pd.DataFrame, minimum: int) -> str | None:
    x, own = _rows(table)
    old = bool(prices.returns(symbol, as_of, 252).iloc[: -len(table)].notna().any())
    why = not_current(symbol, prices, as_of) or too_few(len(own), minimum, table, old=old)
    if why is not None:
        return why
    constant = any(np.ptp(column) < 1e-9 for column in (own.to_numpy(), *x.to_numpy().T))
    return DEGENERATE if constant else None


def _styles(symbol: str, prices: Prices, as_of: date, used: Mapping[str, str]) -> dict[str, Estimate]:
    returns = pd.DataFrame({factor: prices.returns(proxy, as_of, 252) for factor, proxy in used.items()})
    table = returns.assign(_own=prices.returns(symbol, as_of, 252))
    x, own = _rows(table)
    why = _why(symbol, prices, as_of, table, 60)
    if why is not None:
        return {factor: _estimate(own, why) for factor in used}
    scaler = StandardScaler().fit(x.to_numpy())
    z = scaler.transform(x.to_numpy())
    fitted = Ridge(alpha=1.0).fit(z, own.to_numpy())
    r_squared = float(fitted.score(z, own.to_numpy()))
    betas = (fitted.coef_ / scaler.scale_).tolist()
    return {f: _estimate(own, None, beta=beta, r_squared=r_squared) for f, beta in zip(used, betas, strict=True)}


def _line(symbol: str, prices: Prices, as_of: date, *, regressor: pd.Series, minimum: int) -> Estimate:
    table = regressor.to_frame("x").assign(_own=prices.returns(symbol, as_of, len(regressor)))
    x, own = _rows(table)
    why = _why(symbol, prices, as_of, table, minimum)
    if why is not None:
        return _estimate(own, why)
    fitted = OLS(own.to_numpy(), add_constant(x.to_numpy())).fit()
    if fitted.rsquared > 1 - 1e-14:  # a proxy on itself: what is left is rounding
        return _estimate(own, None, beta=fitted.params[1], r_squared=1.0, std_error=0.0, p_value=0.0)
    return _estimate(
        own,
        None,
        beta=fitted.params[1],
        r_squared=float(fitted.rsquared),
        std_error=float(fitted.bse[1]),
        p_value=float(fitted.pvalues[1]),
    )
