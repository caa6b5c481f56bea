"""Options as shares of their underlyings (methodology, 5; Black and Scholes 1973, without dividends)."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
from scipy.stats import norm

from tests.system.plain.known import MISSING, SHORT, Number
from tests.system.plain.prices import Prices


@dataclass(frozen=True)
class Option:
    """A contract on a hundred shares."""

    underlying: str
    strike: Decimal
    expiration: date
    is_call: bool


def settlement_session(option: Option, prices: Prices) -> date:
    """The session that settles a contract: the day on which it expires, or the last session before.

    Beyond the sample's files every day counts as a session: it is only asked whether one has come.
    """
    known = prices.sessions(option.expiration - timedelta(days=7), option.expiration)
    beyond = option.expiration > prices.close.index[-1].date()
    return option.expiration if beyond else known[-1]


def strike_at(option: Option, since: date, prices: Prices, session: date) -> Decimal:
    """The strike in the shares of a session: over the splits since the contract was entered or handed over."""
    strike = option.strike
    for day in prices.sessions(since + timedelta(days=1), session):
        strike /= prices.split_on(day, option.underlying)
    return strike


def realised_volatility(option: Option, prices: Prices, session: date) -> Number:
    """What stands in for the implied volatility: the underlying's own over 63 sessions."""
    returns = prices.returns(option.underlying, session, 63)
    return SHORT if returns.isna().any() else float(returns.std(ddof=1) * np.sqrt(252))


def delta_of(option: Option, prices: Prices, session: date, *, strike: float, volatility: Number) -> Number:
    """The change of an option's value by a unit of its underlying, at a rate of 5 %."""
    spot = prices.printed_close(option.underlying, session)
    if spot is None:
        return MISSING
    if isinstance(volatility, str):
        return volatility
    years = (option.expiration - session).days / 365
    d1 = (np.log(float(spot) / strike) + (0.05 + volatility**2 / 2) * years) / (volatility * np.sqrt(years))
    return float(norm.cdf(d1) if option.is_call else norm.cdf(d1) - 1)
