"""A night that is computed twice: real sample prices, series with every trouble prices can have, five portfolios."""

import shutil
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from services.market_data.providers.sample_profiles import SAMPLE_PROFILES
from shared.factor_set import FactorSet
from tests.support.platform import Json
from tests.support.price_directories import PriceDirectory
from tests.system.plain.ledger import Exit, Held, Portfolio
from tests.system.plain.options import Option
from tests.system.plain.prices import Prices, prices_with, sample
from tests.system.plain.ratios import Company, Profile, company_of, read_statements

OPENED, NIGHT = date(2022, 12, 1), date(2022, 12, 28)
SPLIT_DAY, DIVIDEND_DAY = date(2022, 12, 12), date(2022, 12, 19)

# The sample has neither a growth fund nor bonds: two stocks stand in, so that every factor and scenario has numbers.
FACTOR_SET: Final = FactorSet(
    value="VLUE", growth="MSFT", momentum="MTUM", quality="QUAL", size="SIZE", low_volatility="USMV", market="SPX",
    rate="PG",
)  # fmt: skip
PROVIDER_BETAS: Final = {"SPLITS": 1.1}
BENCHMARK: Final = {"Technology": 0.26, "Healthcare": 0.16, "Financials": 0.12, "Energy": 0.05, "Utilities": 0.41}
# Some of them are held, and some by nobody; published weights are rounded.
INDEX: Final = {"AAPL": 0.41, "MSFT": 0.28, "SPLITS": 0.11, "XOM": 0.09, "JNJ": 0.07, "WMT": 0.0399}
_PROFILES: Final = Path(__file__).with_name("night_profiles.csv")
_STATEMENTS: Final = Path(__file__).with_name("night_fundamentals.csv")
_OUR_NAMES: Final = {"Information Technology": "Technology", "Health Care": "Healthcare"}
_SECTORS_OF_FILES: Final = {"SPLITS": "Industrials", "TURBO": "ETFs", "YOUNG": "Consumer Discretionary"}
# Added symbol -> the first and the last day of its prices: sixty returns up to the night, and one less.
_LIVES: Final = {
    "SPLITS": (date(2021, 9, 1), NIGHT),
    "GAPPY": (date(2021, 9, 1), NIGHT),
    "YOUNG": (date(2022, 10, 3), NIGHT),
    "NEWBORN": (date(2022, 10, 4), NIGHT),
    "QUIET": (date(2021, 9, 1), date(2022, 12, 20)),
    "ENDED": (date(2021, 9, 1), date(2022, 12, 19)),
    "SILENT": (date(2021, 9, 1), date(2022, 11, 25)),
    "FLAT": (date(2021, 9, 1), NIGHT),
    "TURBO": (date(2021, 9, 1), NIGHT),
    "MSFT230120C250": (date(2022, 11, 1), NIGHT),
}


@dataclass(frozen=True)
class Night:
    """The files that the platform reads, and the prices that the second implementation reads."""

    directory: PriceDirectory
    prices: Prices


def write_night(path: Path) -> Night:
    """Write the price files and return what the second implementation has to know."""
    directory = PriceDirectory(path)
    for symbol, (first, last) in _LIVES.items():
        directory.add(symbol, first=first, last=last)
    closes = directory.closes
    for place, day in enumerate(list(closes["GAPPY"])):
        if place % 17 == 3 or place % 40 == 7:
            del closes["GAPPY"][day]
    closes["FLAT"] = dict.fromkeys(closes["FLAT"], 50.0)
    closes["SPLITS"] = {day: round(c / 2, 2) if day >= SPLIT_DAY else c for day, c in closes["SPLITS"].items()}
    closes["TURBO"] = _seven_times_the_market(list(closes["TURBO"]))
    closes |= _three_that_fit_no_matrix(list(closes["FLAT"])[-91:])
    directory.splits[("SPLITS", SPLIT_DAY)] = 2.0
    directory.dividends |= {("SPLITS", SPLIT_DAY): 0.25, ("SPLITS", DIVIDEND_DAY): 0.37, ("GAPPY", DIVIDEND_DAY): 0.5}
    closes["GAPPY"][DIVIDEND_DAY] = 101.5
    directory.write()
    shutil.copy(_PROFILES, path / "profiles.csv")
    shutil.copy(_STATEMENTS, path / "fundamentals.csv")
    return Night(directory, prices_with(closes, directory.splits, directory.dividends))


def _seven_times_the_market(days: list[date]) -> dict[date, float]:
    index = sample()["SPX"].loc[np.array(days, dtype="datetime64[ns]")].to_numpy()
    growth = np.cumprod(1 + 7 * np.diff(index) / index[:-1])
    return dict(zip(days, [2000.0, *np.round(2000.0 * growth, 4).tolist()], strict=True))


def _three_that_fit_no_matrix(days: list[date]) -> dict[str, dict[date, float]]:
    """Series over different sessions whose correlations pair by pair belong to no three series at all.

    The first moves as the second while the third is not there, and as the third when the second is gone; between, where
    it hardly moves, those two move against each other.
    """
    moves = np.random.default_rng(17).normal(0, 0.02, 90)
    calm = slice(29, 72)
    first, second, third = moves.copy(), moves.copy(), moves.copy()
    first[calm] *= 0.01
    third[calm] *= -1
    levels = [100 * np.concatenate([[1.0], np.cumprod(1 + each)]) for each in (first, second, third)]
    first_days, last_days = (0, 0, 29), (91, 73, 91)
    return {
        f"RIFT{number + 1}": dict(zip(days[begin:end], np.round(level[begin:end], 6).tolist(), strict=True))
        for number, (level, begin, end) in enumerate(zip(levels, first_days, last_days, strict=True))
    }


def company(symbol: str, prices: Prices) -> Company:
    """What is known of a company at the end of the night."""
    return company_of(symbol, prices, NIGHT, profile=_profile(symbol), statements=_statements())


@cache
def _statements() -> pd.DataFrame:
    return read_statements(str(_STATEMENTS))


@cache
def _rows_of_profiles() -> pd.DataFrame:
    return pd.read_csv(_PROFILES, index_col="symbol", parse_dates=["last_updated"]).replace({np.nan: None})


def _profile(symbol: str) -> Profile:
    if symbol in SAMPLE_PROFILES:
        facts = SAMPLE_PROFILES[symbol]
        return Profile(facts.currency, is_fund=bool(facts.is_etf))
    rows = _rows_of_profiles()
    if symbol not in rows.index:
        return Profile()
    row: Any = rows.loc[symbol]
    return Profile(
        currency=row["currency"],
        is_fund=bool(row["is_etf"]),
        day=row["last_updated"].date(),
        market_cap=row["market_cap"],
        shares=row["shares_outstanding"],
        dividend_yield=row["dividend_yield"],
    )


def sectors() -> dict[str, str]:
    """Under which sector every symbol is reported."""
    known = {
        symbol: "ETFs" if facts.is_etf else _OUR_NAMES.get(facts.sector or "", facts.sector or "Unclassified")
        for symbol, facts in SAMPLE_PROFILES.items()
    }
    return known | _SECTORS_OF_FILES


def _held(symbol: str, quantity: str, entered: str, price: str, *exits: Exit) -> Held:
    return Held(symbol, Decimal(quantity), date.fromisoformat(entered), Decimal(price), exits)


def _out(on: str, price: str, quantity: str | None = None) -> Exit:
    return Exit(date.fromisoformat(on), Decimal(price), None if quantity is None else Decimal(quantity))


LONG_ONLY: Final = Portfolio(
    "long only",
    OPENED,
    Decimal("500000.00"),
    (
        _held("AAPL", "300", "2022-11-01", "140.00"),
        _held("AAPL", "50.5", "2022-12-08", "142.1050"),
        _held("MSFT", "200.125", "2022-11-01", "228.17"),
        _held("JPM", "333", "2022-11-01", "121.3333"),
        _held("XOM", "410", "2022-12-05", "105.20"),
        _held("JNJ", "120", "2022-10-03", "161.00"),
        _held("WMT", "250", "2022-11-01", "139.10"),
        _held("LLY", "60", "2022-12-10", "368.25"),  # a Saturday
        _held("SPLITS", "201.333333", "2022-11-01", "95.00"),
        _held("TURBO", "3", "2022-12-02", "900.00"),
    ),
)
_SOLD_BIT_BY_BIT: Final = (
    _out("2022-12-13", "131.3333", "200"),
    _out("2022-12-13", "132.1", "50.5"),
    _out("2022-12-21", "130.5", "100"),
)
LONG_SHORT: Final = Portfolio(
    "long short with exits, flows and options",
    OPENED,
    Decimal("250000.00"),
    (
        _held("AAPL", "400", "2022-11-01", "140.00", _out("2022-11-15", "148.00", "100"), _out("2022-12-20", "131.5")),
        _held("JPM", "600", "2022-12-07", "131.25", *_SOLD_BIT_BY_BIT),
        _held("XOM", "-500", "2022-12-12", "104.10", _out("2022-12-23", "106.99")),
        _held("BAC", "-1500", "2022-11-01", "35.90", _out("2022-12-14", "31.77", "333.333333")),
        _held("UNH", "-80", "2022-12-01", "540.00"),
        _held("MSFT", "-60", "2022-12-01", "255.00"),  # against the call on it
        _held("SPLITS", "-150.7", "2022-11-01", "97.00", _out("2022-12-12", "50.125", "101")),
        _held("KO", "300", "2022-12-14", "63.20", _out("2022-12-14", "62.8765")),
        _held("PFE", "-700", "2022-12-06", "50.05", _out("2022-12-27", "51.2", "900")),
        Held("MSFT230120C250", Decimal(5), date(2022, 12, 5), Decimal("12.40"), kind="LC",
             option=Option("MSFT", Decimal(250), date(2023, 1, 20), is_call=True)),
        Held("AAPL221216P145", Decimal(-3), date(2022, 11, 15), Decimal("6.15"), kind="SP",
             option=Option("AAPL", Decimal(145), date(2022, 12, 16), is_call=False)),
        Held("SPLITS230217P100", Decimal(4), date(2022, 12, 2), Decimal("5.5"), kind="LP",
             option=Option("SPLITS", Decimal(100), date(2023, 2, 17), is_call=False)),
        Held("NOBODYHAS230120C20", Decimal(-2), date(2022, 12, 2), Decimal("1.05"), kind="SC",
             option=Option("NOBODYHAS", Decimal(20), date(2023, 1, 20), is_call=True)),
    ),
    (
        (date(2022, 12, 17), Decimal("-10000.55")),  # a Saturday
        (date(2022, 12, 19), Decimal("25000.00")),
    ),
)  # fmt: skip
FUNDS_AND_PRIVATE: Final = Portfolio(
    "funds, private and troubled",
    date(2022, 12, 6),
    Decimal("150000.00"),
    (
        _held("QUAL", "150", "2022-11-01", "110.00"),
        _held("MTUM", "200", "2022-11-01", "145.00", _out("2022-12-15", "147.5", "77.7")),
        _held("USMV", "100", "2022-12-07", "72.00"),
        Held("HARBOR_HOUSE", Decimal(1), date(2022, 1, 3), Decimal("20000.00"), kind="PRIVATE"),
        Held("AAPL", Decimal(-10), date(2022, 12, 9), Decimal("141.00"), kind="PRIVATE"),
        _held("NOBODYHAS", "20", "2022-12-12", "230.00"),
        _held("YOUNG", "100", "2022-11-01", "99.00"),
        _held("NEWBORN", "80", "2022-11-01", "99.00"),
        _held("GAPPY", "-120", "2022-11-01", "99.00"),
        _held("QUIET", "70", "2022-11-01", "99.00"),
        _held("ENDED", "60", "2022-11-01", "99.00"),
        _held("SILENT", "40", "2022-11-01", "99.00"),
        _held("FLAT", "50", "2022-11-01", "51.00"),
    ),
)
UNDER_WATER: Final = Portfolio(
    "under water", OPENED, Decimal("1000.00"), (_held("AAPL", "100", "2022-12-02", "147.00"),)
)
THE_MARKET: Final = Portfolio(
    "the market", OPENED, Decimal("100000.00"), (_held("SPX", "25", "2022-12-01", "4000.00"),)
)
NOTHING_HELD: Final = Portfolio("nothing held", OPENED, Decimal("10000.00"), ())
TROUBLED_ONLY: Final = Portfolio(
    "nothing with a history",
    OPENED,
    Decimal("30000.00"),
    (_held("FLAT", "100", "2022-11-01", "50.00"), _held("NOBODYHAS", "10", "2022-11-01", "100.00")),
)
WILD: Final = Portfolio(
    "wild",
    OPENED,
    Decimal("100000.00"),
    (
        _held("TURBO", "200", "2022-11-01", "900.00"),
        _held("RIFT1", "100", "2022-11-01", "99.00"),
        _held("RIFT2", "-90", "2022-11-01", "99.00"),
        _held("RIFT3", "110", "2022-11-01", "99.00"),
    ),
)

PORTFOLIOS: Final = {
    portfolio.name: portfolio
    for portfolio in (
        LONG_ONLY,
        LONG_SHORT,
        FUNDS_AND_PRIVATE,
        UNDER_WATER,
        THE_MARKET,
        NOTHING_HELD,
        TROUBLED_ONLY,
        WILD,
    )
}


def body_of(portfolio: Portfolio) -> Json:
    """What is sent to enter a portfolio, valued as of its first session."""
    return {
        "name": portfolio.name,
        "opening_equity": str(portfolio.opening_equity),
        "opened_on": str(portfolio.opened_on),
        "as_of": str(portfolio.opened_on),
        "positions": [_body(held) for held in portfolio.positions],
    }


def _body(held: Held) -> Json:
    option = held.option
    return {
        "symbol": held.symbol,
        "kind": held.kind_of_position,
        "quantity": str(held.quantity),
        "entry_date": str(held.entry_date),
        "entry_price": str(held.entry_price),
        "exits": [
            {"on": str(exit_.on), "price": str(exit_.price)}
            | ({} if exit_.quantity is None else {"quantity": str(exit_.quantity)})
            for exit_ in held.exits
        ],
        "option": option
        and {"underlying": option.underlying, "strike": str(option.strike), "expiration": str(option.expiration)},
    }
