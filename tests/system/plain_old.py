"""A second, slow and plain implementation of what the chain computes, straight from the sample's CSV files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from services.market_data.providers.sample import DATA_FILES, PACKAGE, SYMBOL_OF_COLUMN

STYLES = {"value": "VLUE", "momentum": "MTUM", "quality": "QUAL", "size": "SIZE", "low_volatility": "USMV"}


@cache
def closes() -> pd.DataFrame:
    """All series of the sample, a column a symbol."""
    files = [file for file in metadata.distribution(PACKAGE).files or () if file.name in DATA_FILES]
    frames = [pd.read_csv(str(file.locate()), index_col=0, parse_dates=True) for file in files]
    return pd.concat(frames, axis=1, sort=True).rename(columns=SYMBOL_OF_COLUMN)


def returns_until(as_of: date, sessions: int) -> pd.DataFrame:
    """The last returns up to a session."""
    return closes().loc[: pd.Timestamp(as_of)].pct_change(fill_method=None).iloc[-sessions:]


def line(symbol: str, proxy: str, as_of: date, *, sessions: int, less: str | None = None) -> Any:
    """The least-squares line of a symbol on a proxy, or on the difference of two."""
    returns = returns_until(as_of, sessions)
    regressor = returns[proxy] - returns[less] if less else returns[proxy]
    return sm.OLS(returns[symbol].to_numpy(), sm.add_constant(regressor.to_numpy())).fit()


def style_betas(symbol: str, as_of: date) -> dict[str, float]:
    """The joint ridge on the five style funds."""
    returns = returns_until(as_of, 252)
    scaler = StandardScaler().fit(returns[list(STYLES.values())].to_numpy())
    standardised = scaler.transform(returns[list(STYLES.values())].to_numpy())
    fitted = Ridge(alpha=1.0).fit(standardised, returns[symbol].to_numpy())
    return dict(zip(STYLES, (fitted.coef_ / scaler.scale_).tolist(), strict=True))


def volatility(series: pd.Series, sessions: int) -> float:
    """The annualised sample standard deviation of the last returns."""
    return float(series.iloc[-sessions:].std(ddof=1) * np.sqrt(252))


@dataclass(frozen=True)
class Held:
    """A position of the second implementation; quantities are tens, so that no value needs rounding."""

    symbol: str
    quantity: int
    entry_date: date
    entry_price: Decimal
    exit: tuple[date, Decimal] | None = None


def close(symbol: str, session: date) -> Decimal:
    """The close as it is printed in the file."""
    return Decimal(str(closes().loc[pd.Timestamp(session), symbol]))


def sessions(first: date, last: date) -> list[date]:
    """The dates in the sample's files."""
    return [day.date() for day in closes().loc[pd.Timestamp(first) : pd.Timestamp(last)].index]


def pnl_of(held: Held, previous: date, session: date) -> Decimal:
    """What a position earned on a session."""
    gone = held.exit is not None and held.exit[0] < session
    if gone or held.entry_date > session:
        return Decimal(0)
    begin = held.entry_price if held.entry_date > previous else close(held.symbol, previous)
    end = held.exit[1] if held.exit is not None and held.exit[0] == session else close(held.symbol, session)
    return held.quantity * (end - begin)


def equities(
    book: Sequence[Held], opening: Decimal, flows: Mapping[date, Decimal], *, first: date, last: date
) -> dict[date, tuple[Decimal, Decimal]]:
    """Equity and P&L of every session."""
    days = sessions(date(first.year, 1, 1), last)
    begin, equity = days.index(first), opening
    result = {}
    for previous, session in zip(days[begin - 1 :], days[begin:], strict=False):
        pnl = sum((pnl_of(held, previous, session) for held in book), Decimal(0))
        equity += pnl + flows.get(session, Decimal(0))
        result[session] = (equity, pnl)
    return result


def exposures(book: Sequence[Held], session: date) -> dict[str, float]:
    """What is held at the close of a session, in currency."""
    held = [entry for entry in book if entry.entry_date <= session and (not entry.exit or entry.exit[0] > session)]
    return {entry.symbol: float(entry.quantity * close(entry.symbol, session)) for entry in held}
