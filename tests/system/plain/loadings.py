"""The factors of the model, each beside those before it, and a symbol's loadings on them (methodology, 3 and 9)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd
from statsmodels.regression.linear_model import OLS
from statsmodels.tools import add_constant

from tests.system.plain.known import DEGENERATE, MISSING, NOT_APPLICABLE, Number
from tests.system.plain.prices import Prices
from tests.system.plain.symbols import STYLES, Proxies, not_current, too_few


@dataclass(frozen=True)
class Basis:
    """The factors by name over a year, and what each proxy returns a unit of each."""

    factors: pd.DataFrame
    proxies: pd.DataFrame


@dataclass(frozen=True)
class Loaded:
    """A symbol's joint regression, or why there is none."""

    why: str | None
    n: int = 0
    first: date | None = None
    last: date | None = None
    loadings: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)
    r_squared: float | None = None
    specific: float = np.nan

    def of(self, factor: str) -> Number:
        """The loading on a factor, or why there is none."""
        if self.why is not None:
            return self.why
        return self.loadings.get(factor, NOT_APPLICABLE)


def basis_of(factor_returns: pd.DataFrame, proxies: Proxies) -> Basis:
    """The residuals of one regression after another, over the sessions of a year that all proxies have."""
    names = [name for name in ("market", *STYLES, "rate") if proxies[name] is not None]
    year = factor_returns[names].iloc[-252:]
    known = year.dropna()
    factors = {"market": known["market"]}
    loads = pd.DataFrame(np.eye(len(names)), index=names, columns=names)
    for name in names[1:]:
        before = list(factors) if name == "rate" else ["market"]
        fitted = OLS(known[name], add_constant(pd.DataFrame({each: factors[each] for each in before}))).fit()
        for each in before:
            loads.loc[name, each] = fitted.params[each]
        factors[name] = fitted.resid
    return Basis(pd.DataFrame(factors).reindex(year.index), loads)


def loaded(symbol: str, prices: Prices, as_of: date, basis: Basis) -> Loaded:
    """A symbol's joint regression on the factors, over at least 60 sessions."""
    everything = basis.factors.assign(_own=prices.returns(symbol, as_of, len(basis.factors)))
    table = everything.dropna()
    days = [day.date() for day in table.index]
    n, first, last = len(days), min(days, default=None), max(days, default=None)
    why = not_current(symbol, prices, as_of) or too_few(n, 60, everything)
    why = why or (DEGENERATE if np.ptp(table["_own"]) < 1e-9 else None)
    if why is not None:
        return Loaded(why, n, first, last)
    own, x = table.pop("_own"), table
    fitted = OLS(own.to_numpy(), add_constant(x.to_numpy())).fit()
    return Loaded(
        None,
        n,
        first,
        last,
        loadings=dict(zip(x.columns, fitted.params[1:].tolist(), strict=True)),
        errors=dict(zip(x.columns, fitted.bse[1:].tolist(), strict=True)),
        r_squared=float(fitted.rsquared),
        specific=float(np.sqrt(fitted.mse_resid * 252)),
    )


NOBODY = Loaded(MISSING)
