"""Settings of risk."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RiskSettings(BaseSettings):
    """How many shards of portfolios are assessed at once, in all processes together."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    max_portfolio_concurrency: int = Field(default=10, ge=1, validation_alias="MAX_PORTFOLIO_CONCURRENCY")
