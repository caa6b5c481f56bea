"""Settings of risk."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.risk.core.scenarios import RateSensitivity
from shared.conventions import RATE_CONVEXITY, RATE_DURATION


class RiskSettings(BaseSettings):
    """How many shards of portfolios are assessed at once in all processes together, and what moves the rate's proxy."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    max_portfolio_concurrency: int = Field(default=10, ge=1, validation_alias="MAX_PORTFOLIO_CONCURRENCY")
    # Of the rate's proxy, in years and in years squared.
    rate_duration: float = Field(default=RATE_DURATION, validation_alias="RATE_DURATION")
    rate_convexity: float = Field(default=RATE_CONVEXITY, validation_alias="RATE_CONVEXITY")

    @property
    def rate(self) -> RateSensitivity:
        """How the rate's proxy answers to a change of yield."""
        return RateSensitivity(self.rate_duration, self.rate_convexity)
