"""What a company costs as a multiple of what its statements say (methodology, 4)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd

from tests.system.plain.known import DEGENERATE, MISSING, NOT_APPLICABLE, SHORT, STALE, Number
from tests.system.plain.prices import Prices
from tests.system.plain.symbols import not_current

RATIOS = ("market_cap", "pe_ratio", "pb_ratio", "ps_ratio", "ev_to_ebitda", "dividend_yield")
STALE_DAYS = {"quarterly": 190, "annual": 465}


@dataclass(frozen=True)
class Ratio:
    """A number with what it rests on and the end of its period, or a reason."""

    value: Number
    basis: str | None = None
    period_end: date | None = None


@dataclass(frozen=True)
class Profile:
    """Facts of a symbol; `day` is that of its figures."""

    currency: str | None = None
    is_fund: bool = False
    day: date | None = None
    market_cap: float | None = None
    shares: float | None = None
    dividend_yield: float | None = None


@dataclass(frozen=True)
class Company:
    """What was known of a symbol as of a session: rows of statements, the newest first."""

    prices: Prices
    symbol: str
    as_of: date
    profile: Profile
    statements: pd.DataFrame

    def periods(self, statement: str, frequency: str) -> pd.DataFrame:
        rows = self.statements
        return rows[(rows["statement"] == statement) & (rows["frequency"] == frequency)]


def company_of(symbol: str, prices: Prices, as_of: date, *, profile: Profile, statements: pd.DataFrame) -> Company:
    """What counts as of a session: a report from its day on, without one ninety days after its period."""
    mine = statements[statements["symbol"] == symbol].sort_values("period_end", ascending=False)
    counts_from = mine["published_on"].fillna(mine["period_end"] + timedelta(days=90))
    return Company(prices, symbol, as_of, profile, mine[counts_from <= pd.Timestamp(as_of)])


def ratios_of(company: Company) -> dict[str, Ratio]:
    """Every ratio of a symbol; without a close today there is none."""
    close = company.prices.printed_close(company.symbol, company.as_of)
    if close is None:
        why = not_current(company.symbol, company.prices, company.as_of) or MISSING
        return dict.fromkeys(RATIOS, Ratio(why))
    cap = _market_cap(company, float(close))
    found = {"market_cap": cap, "dividend_yield": _dividend_yield(company, cap)}
    if company.profile.is_fund:
        return found | dict.fromkeys(RATIOS[1:5], Ratio(NOT_APPLICABLE))
    debt = _newest(company, "balance", _net_debt)
    enterprise = _combined(debt, cap, lambda own, worth: own + worth)
    return found | {
        "pe_ratio": _multiple(_trailing(company, "income", _item("net_income")), cap),
        "pb_ratio": _multiple(_newest(company, "balance", _item("total_stockholders_equity")), cap),
        "ps_ratio": _multiple(_trailing(company, "income", _item("total_revenue")), cap),
        "ev_to_ebitda": _multiple(_trailing(company, "income", _ebitda), enterprise),
    }


Item = Callable[[pd.Series], float]


def _item(name: str) -> Item:
    return lambda row: float(row[name])


def _ebitda(row: pd.Series) -> float:
    return float(row["ebit"] + row["depreciation_and_amortization"])


def _net_debt(row: pd.Series) -> float:
    return float(row["total_debt"] - row["cash_and_cash_equivalents"])


def _multiple(amount: Ratio, price: Ratio) -> Ratio:
    """The price over an amount, which has to be positive."""
    if isinstance(amount.value, float) and amount.value <= 0:
        return Ratio(NOT_APPLICABLE)
    return _combined(amount, price, lambda own, worth: worth / own)


def _combined(own: Ratio, other: Ratio, combine: Callable[[float, float], float]) -> Ratio:
    """What two numbers make, on the basis of the first, or the reason that the first has before the other's."""
    if isinstance(own.value, str):
        return Ratio(own.value)
    return Ratio(other.value) if isinstance(other.value, str) else replace(own, value=combine(own.value, other.value))


def _newest_of(company: Company, statement: str, frequency: str, item: Item) -> Ratio:
    """An item of the newest period of one frequency."""
    periods = company.periods(statement, frequency)
    if periods.empty:
        return Ratio(MISSING)
    end, value = periods["period_end"].iloc[0].date(), item(periods.iloc[0])
    if (company.as_of - end).days > STALE_DAYS[frequency]:
        return Ratio(STALE)
    if np.isnan(value):
        return Ratio(MISSING)
    return Ratio(_foreign(company, periods.iloc[:1]) or value, frequency, end)


def _foreign(company: Company, periods: pd.DataFrame) -> str | None:
    """Why amounts cannot be compared with the price."""
    currencies = set(periods["currency"])
    if company.profile.currency is None or not all(isinstance(currency, str) for currency in currencies):
        return MISSING
    return None if currencies == {company.profile.currency} else NOT_APPLICABLE


def _later(first: Ratio, second: Ratio, *, otherwise: str) -> Ratio:
    """The one of the later period, of one day the first; where there is none, the reason given."""
    known = [ratio for ratio in (first, second) if isinstance(ratio.value, float)]
    if not known:
        return Ratio(otherwise)
    return max(known, key=lambda ratio: ratio.period_end or date.min)


def _newest(company: Company, statement: str, item: Item) -> Ratio:
    quarter, year = (_newest_of(company, statement, frequency, item) for frequency in ("quarterly", "annual"))
    return _later(
        quarter, year, otherwise=str((year if company.periods(statement, "quarterly").empty else quarter).value)
    )


def _trailing(company: Company, statement: str, item: Item) -> Ratio:
    """The sum over the newest four quarters, or the newest year, whichever ends later."""
    quarters = company.periods(statement, "quarterly").iloc[:4]
    year = _newest_of(company, statement, "annual", item)
    sums = _sum_of(company, quarters, item)
    return _later(sums, year, otherwise=str((year if quarters.empty else sums).value))


def _sum_of(company: Company, quarters: pd.DataFrame, item: Item) -> Ratio:
    if quarters.empty:
        return Ratio(MISSING)
    ends = [end.date() for end in quarters["period_end"]]
    if (company.as_of - ends[0]).days > STALE_DAYS["quarterly"]:
        return Ratio(STALE)
    apart = [(later - earlier).days for later, earlier in pairwise(ends)]
    values = [item(row) for _, row in quarters.iterrows()]
    if len(ends) < 4 or not all(77 <= days <= 126 for days in apart) or np.isnan(values).any():
        return Ratio(MISSING)
    return Ratio(_foreign(company, quarters) or sum(values), "ttm", ends[0])


def _market_cap(company: Company, close: float) -> Ratio:
    """Shares at the close; without any number of shares, the profile's own market value."""
    profile = company.profile
    shares = _shares(company)
    if isinstance(shares.value, float):
        return replace(shares, value=shares.value * close)
    given = _figure(company, profile.market_cap, "profile")
    return given if profile.market_cap is not None else shares


def _figure(company: Company, value: float | None, basis: str) -> Ratio:
    """A figure of the profile, not older than a quarter."""
    day = company.profile.day
    if value is None or day is None or day > company.as_of:
        return Ratio(MISSING)
    return Ratio(STALE) if (company.as_of - day).days > 92 else Ratio(value, basis, day)


def _shares(company: Company) -> Ratio:
    """The newest number of shares in today's units: the profile's, a quarter's or a year's."""
    given = _figure(company, company.profile.shares, "profile_shares")
    if given.period_end is not None:
        given = _in_todays_units(company, given, given.period_end)
    quarter, year = (_reported_shares(company, frequency) for frequency in ("quarterly", "annual"))
    quarters, years = (company.periods("income", frequency) for frequency in ("quarterly", "annual"))
    reported = _later(quarter, year, otherwise=str((year if quarters.empty else quarter).value))
    unknown = given if quarters.empty and years.empty else reported
    return _later(given, reported, otherwise=str(unknown.value))


def _reported_shares(company: Company, frequency: str) -> Ratio:
    """A report counts in the shares of its day; where that is not known, no split may lie between."""
    found = _newest_of(company, "income", frequency, _item("diluted_average_shares"))
    if not isinstance(found.value, float) or found.period_end is None:
        return found
    published = company.periods("income", frequency)["published_on"].iloc[0]
    day = found.period_end if pd.isna(published) else published.date()
    return _in_todays_units(company, found, day)


def _in_todays_units(company: Company, shares: Ratio, day: date) -> Ratio:
    """Times the splits since; nobody knows those before the first close of the last 265 sessions."""
    closes = company.prices.series(company.symbol, company.as_of, 265)
    known_since = closes.dropna().index.min()
    day_known = company.prices.sessions(date(2000, 1, 1), day)[-1]
    if pd.isna(known_since) or pd.Timestamp(day_known) < known_since:
        return Ratio(SHORT)
    factor = 1.0
    for session in company.prices.sessions(day + timedelta(days=1), company.as_of):
        factor *= float(company.prices.split_on(session, company.symbol))
    if not isinstance(shares.value, float):
        return shares
    return replace(shares, value=shares.value * factor) if shares.value > 0 else Ratio(DEGENERATE)


def _dividend_yield(company: Company, cap: Ratio) -> Ratio:
    """What was paid over the trailing year over the market value, or else the profile's."""
    own = Ratio(NOT_APPLICABLE)
    if not company.profile.is_fund:
        paid = _trailing(company, "cash_flow", _item("dividends_paid"))
        came_in = isinstance(paid.value, float) and paid.value > 0
        own = Ratio(DEGENERATE) if came_in else _combined(paid, cap, lambda amount, worth: abs(amount) / worth)
    given = _figure(company, company.profile.dividend_yield, "profile")
    if isinstance(given.value, float) and given.value < 0:
        given = Ratio(DEGENERATE)
    if isinstance(own.value, float) or isinstance(given.value, float):
        return own if isinstance(own.value, float) else given
    frequencies = [frequency for frequency in STALE_DAYS if not company.periods("cash_flow", frequency).empty]
    return own if frequencies and not company.profile.is_fund else given


def read_statements(path: str) -> pd.DataFrame:
    """The rows of a fundamentals file."""
    return pd.read_csv(path, parse_dates=["period_end", "published_on"])
