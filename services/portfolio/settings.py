"""Settings of portfolio."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class PortfolioSettings(BaseSettings):
    """What bounds the work.

    Attributes
    ----------
    portfolio_refresh_concurrency : int
        How many shards of portfolios are valued at once, in all processes together.
    symbol_onboarding_max_queue : int
        How many runs for books may wait for their turn; then no more portfolios and positions are taken.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    portfolio_refresh_concurrency: int = Field(default=10, ge=1, validation_alias="PORTFOLIO_REFRESH_CONCURRENCY")
    symbol_onboarding_max_queue: int = Field(default=50, ge=0, validation_alias="SYMBOL_ONBOARDING_MAX_QUEUE")
