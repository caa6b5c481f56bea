"""Settings of symbol_analytics."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SymbolAnalyticsSettings(BaseSettings):
    """How many shards of symbols are analysed at once, in all processes together."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    factor_calc_concurrency: int = Field(default=10, ge=1, validation_alias="FACTOR_CALC_CONCURRENCY")
