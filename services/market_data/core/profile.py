"""What a provider says about a company or fund."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Profile:
    """Facts about one symbol; None = the provider says nothing about it.

    Money is in `currency`. `dividend_yield` is a fraction of the price. `beta` is the provider's own one-year beta and
    never comes without `beta_as_of`.
    """

    symbol: str
    name: str | None = None
    sector: str | None = None
    industry: str | None = None
    country: str | None = None
    exchange: str | None = None
    currency: str | None = None
    is_etf: bool | None = None
    market_cap: float | None = None
    shares_outstanding: float | None = None
    beta: float | None = None
    beta_as_of: date | None = None
    pe_ratio: float | None = None
    forward_pe: float | None = None
    dividend_yield: float | None = None
    week_52_high: float | None = None
    week_52_low: float | None = None
