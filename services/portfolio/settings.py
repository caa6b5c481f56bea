"""Settings of portfolio."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class PortfolioSettings(BaseSettings):
    """How many shards of portfolios are valued at once, in all processes together."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    portfolio_refresh_concurrency: int = Field(default=10, ge=1, validation_alias="PORTFOLIO_REFRESH_CONCURRENCY")
