"""Public facts about the symbols of the sample: names and GICS sectors. No betas, no market values."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.profile import ProfileFacts

_STOCKS: Final = (
    ("AAPL", "Apple Inc.", "Information Technology", "NASDAQ"),
    ("AMD", "Advanced Micro Devices, Inc.", "Information Technology", "NASDAQ"),
    ("BAC", "Bank of America Corporation", "Financials", "NYSE"),
    ("BBY", "Best Buy Co., Inc.", "Consumer Discretionary", "NYSE"),
    ("CVX", "Chevron Corporation", "Energy", "NYSE"),
    ("GE", "General Electric Company", "Industrials", "NYSE"),
    ("HD", "The Home Depot, Inc.", "Consumer Discretionary", "NYSE"),
    ("JNJ", "Johnson & Johnson", "Health Care", "NYSE"),
    ("JPM", "JPMorgan Chase & Co.", "Financials", "NYSE"),
    ("KO", "The Coca-Cola Company", "Consumer Staples", "NYSE"),
    ("LLY", "Eli Lilly and Company", "Health Care", "NYSE"),
    ("MRK", "Merck & Co., Inc.", "Health Care", "NYSE"),
    ("MSFT", "Microsoft Corporation", "Information Technology", "NASDAQ"),
    ("PEP", "PepsiCo, Inc.", "Consumer Staples", "NASDAQ"),
    ("PFE", "Pfizer Inc.", "Health Care", "NYSE"),
    ("PG", "The Procter & Gamble Company", "Consumer Staples", "NYSE"),
    ("RRC", "Range Resources Corporation", "Energy", "NYSE"),
    ("UNH", "UnitedHealth Group Incorporated", "Health Care", "NYSE"),
    ("WMT", "Walmart Inc.", "Consumer Staples", "NYSE"),
    ("XOM", "Exxon Mobil Corporation", "Energy", "NYSE"),
)
_ETFS: Final = (
    ("MTUM", "iShares MSCI USA Momentum Factor ETF"),
    ("QUAL", "iShares MSCI USA Quality Factor ETF"),
    ("SIZE", "iShares MSCI USA Size Factor ETF"),
    ("USMV", "iShares MSCI USA Min Vol Factor ETF"),
    ("VLUE", "iShares MSCI USA Value Factor ETF"),
)


def _stock(symbol: str, name: str, sector: str, exchange: str) -> ProfileFacts:
    us = ProfileFacts(symbol=symbol, country="United States", currency="USD", is_etf=False)
    return us.model_copy(update={"name": name, "sector": sector, "exchange": exchange})


def _etf(symbol: str, name: str) -> ProfileFacts:
    return ProfileFacts(symbol=symbol, name=name, country="United States", currency="USD", is_etf=True)


SAMPLE_PROFILES: Final[Mapping[str, ProfileFacts]] = MappingProxyType(
    {
        **{stock[0]: _stock(*stock) for stock in _STOCKS},
        **{symbol: _etf(symbol, name) for symbol, name in _ETFS},
        "SPX": ProfileFacts(symbol="SPX", name="S&P 500", country="United States", currency="USD", is_etf=False),
    }
)
