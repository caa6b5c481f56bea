"""What can be known about a symbol beside its prices: one list of facts for providers, tables and events."""

from datetime import date
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

DESCRIPTION_LENGTH: Final = 1_000


class ProfileFacts(BaseModel):
    """Facts about one symbol; None = not known.

    Money is in `currency`; growths, margins, returns and the dividend yield are fractions. `beta` is the provider's own
    market beta and never comes without `beta_as_of`. What belongs to a period (an estimate, the next earnings) goes
    with the end or the day of that period.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

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
    beta: float | None = Field(default=None, description="the provider's own market beta")
    beta_as_of: date | None = None
    pe_ratio: float | None = None
    forward_pe: float | None = None
    dividend_yield: float | None = None
    week_52_high: float | None = None
    week_52_low: float | None = None

    last_updated: date | None = Field(default=None, description="of when the provider says its figures are")
    description: str | None = None
    is_fund: bool | None = None
    ceo: str | None = None
    employees: int | None = None
    website: str | None = None

    target_mean_price: float | None = None
    target_high_price: float | None = None
    target_low_price: float | None = None
    number_of_analyst_opinions: int | None = None
    recommendation_mean: float | None = Field(default=None, description="1 (strong buy) to 5 (sell)")
    recommendation_key: str | None = None

    forward_eps: float | None = None
    earnings_growth: float | None = None
    revenue_growth: float | None = None
    earnings_quarterly_growth: float | None = None
    profit_margins: float | None = None
    operating_margins: float | None = None
    gross_margins: float | None = None
    return_on_assets: float | None = None
    return_on_equity: float | None = None
    total_revenue: float | None = Field(default=None, description="of the trailing twelve months")

    current_year_revenue_avg: float | None = None
    current_year_revenue_low: float | None = None
    current_year_revenue_high: float | None = None
    current_year_revenue_growth: float | None = None
    current_year_earnings_avg: float | None = None
    current_year_earnings_low: float | None = None
    current_year_earnings_high: float | None = None
    current_year_end_date: date | None = None
    next_year_revenue_avg: float | None = None
    next_year_revenue_low: float | None = None
    next_year_revenue_high: float | None = None
    next_year_revenue_growth: float | None = None
    next_year_earnings_avg: float | None = None
    next_year_earnings_low: float | None = None
    next_year_earnings_high: float | None = None
    next_year_end_date: date | None = None

    current_quarter_target_period_date: date | None = None
    current_quarter_revenue_avg: float | None = None
    current_quarter_revenue_low: float | None = None
    current_quarter_revenue_high: float | None = None
    current_quarter_eps_avg: float | None = None
    current_quarter_eps_low: float | None = None
    current_quarter_eps_high: float | None = None
    current_quarter_analyst_count: int | None = None
    next_quarter_target_period_date: date | None = None
    next_quarter_revenue_avg: float | None = None
    next_quarter_revenue_low: float | None = None
    next_quarter_revenue_high: float | None = None
    next_quarter_eps_avg: float | None = None
    next_quarter_eps_low: float | None = None
    next_quarter_eps_high: float | None = None
    next_quarter_analyst_count: int | None = None

    fiscal_year_end: str | None = Field(default=None, description="MM-DD")
    fiscal_quarter_offset: int | None = Field(
        default=None, description="months by which fiscal quarters end after calendar ones"
    )
    next_earnings_date: date | None = None
    next_earnings_expected_eps: float | None = None
    next_earnings_expected_revenue: float | None = None


FACTS: Final = tuple(name for name in ProfileFacts.model_fields if name != "symbol")
