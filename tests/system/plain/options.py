"""Options as shares of their underlyings (methodology, 5; Black and Scholes 1973, Merton 1973)."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from math import exp, log, sqrt

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from tests.system.plain.known import DEGENERATE, MISSING, SHORT, Number
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


@dataclass(frozen=True)
class Valuation:
    """What an option is valued on: everything but the volatility."""

    spot: float
    strike: float
    years: float
    dividend_yield: float
    is_call: bool

    def worth(self, volatility: float) -> float:
        """The discounted mean of what it pays, the share being lognormal about its forward."""
        if self.spot <= 0:
            return 0.0 if self.is_call else self.strike * exp(-0.05 * self.years)
        forward = self.spot * exp((0.05 - self.dividend_yield) * self.years)
        spread = volatility * sqrt(self.years)
        d2 = log(forward / self.strike) / spread - spread / 2
        sign = 1 if self.is_call else -1
        mean = sign * (forward * norm.cdf(sign * (d2 + spread)) - self.strike * norm.cdf(sign * d2))
        return float(exp(-0.05 * self.years) * mean)

    def implied(self, price: Decimal | None) -> Number:
        """The volatility at which it is worth what it costs."""
        if price is None:
            return MISSING
        if not self.worth(1e-4) < float(price) < self.worth(100.0):
            return DEGENERATE
        return float(brentq(lambda volatility: self.worth(volatility) - float(price), 1e-4, 100.0, xtol=1e-15))

    def greeks(self, volatility: float) -> dict[str, float]:
        """The derivatives: of what is written about them in Hull's textbook, chapter 19."""
        q, tau, sign = self.dividend_yield, self.years, 1 if self.is_call else -1
        d1 = (log(self.spot / self.strike) + (0.05 - q + volatility**2 / 2) * tau) / (volatility * sqrt(tau))
        d2 = d1 - volatility * sqrt(tau)
        owed = self.strike * exp(-0.05 * tau) * norm.cdf(sign * d2)
        year = -self.spot * norm.pdf(d1) * volatility * exp(-q * tau) / (2 * sqrt(tau))
        year += sign * (q * self.spot * norm.cdf(sign * d1) * exp(-q * tau) - 0.05 * owed)
        return {
            "delta": sign * exp(-q * tau) * norm.cdf(sign * d1),
            "gamma": norm.pdf(d1) * exp(-q * tau) / (self.spot * volatility * sqrt(tau)),
            "vega": self.spot * sqrt(tau) * norm.pdf(d1) * exp(-q * tau) / 100,
            "theta": year / 365,
            "rho": sign * tau * owed / 100,
        }


@dataclass(frozen=True)
class Revalued:
    """An option that a book has: what it is worth when its underlying has moved, beside the shares of its delta."""

    underlying: str
    shares: float
    exposure: float
    valuation: Valuation
    volatility: float

    def beside_delta(self, move: float, *, times: float = 1.0) -> float:
        """What it earns at once, less what the shares of its delta earn."""
        then = replace(self.valuation, spot=self.valuation.spot * (1 + move)).worth(self.volatility * times)
        return self.shares * (then - self.valuation.worth(self.volatility)) - self.exposure * move


def valuation_of(option: Option, prices: Prices, session: date, *, strike: float) -> Valuation | None:
    """What the contract is valued on; None without a close of the underlying."""
    spot = prices.printed_close(option.underlying, session)
    if spot is None:
        return None
    years = (option.expiration - session).days / 365
    return Valuation(float(spot), strike, years, _dividend_yield(option.underlying, prices, session), option.is_call)


def _dividend_yield(symbol: str, prices: Prices, session: date) -> float:
    """The dividends of the last 252 sessions, in the shares of today, reinvested at the close of today."""
    paid, shares = 0.0, 1.0
    for day in reversed(prices.sessions(date(2000, 1, 1), session)[-252:]):
        paid += float(prices.dividend_on(day, symbol)) / shares
        shares *= float(prices.split_on(day, symbol))
    return log(1 + paid / float(prices.printed_close(symbol, session) or 0))
