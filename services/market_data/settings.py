"""Settings of market_data."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.providers import ProviderName


class MarketDataSettings(BaseSettings):
    """The provider chain, asked in order, and where the files are.

    Attributes
    ----------
    price_fetch_concurrency : int
        How many shards of symbols are fetched at once, in all processes together.
    skip_phase0_valuations : bool
        No provider is asked for profiles, which have the valuations.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="MARKET_DATA_", populate_by_name=True)

    providers: Annotated[tuple[ProviderName, ...], NoDecode] = ("sample",)
    files_dir: Path | None = None
    price_fetch_concurrency: int = Field(default=5, ge=1, validation_alias="PRICE_FETCH_CONCURRENCY")
    skip_phase0_valuations: bool = Field(default=False, validation_alias="SKIP_PHASE0_VALUATIONS")

    @field_validator("providers", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _files_need_a_directory(self) -> "MarketDataSettings":
        if "files" in self.providers:
            self.directory_of_files()
        return self

    def directory_of_files(self) -> Path:
        """Return where the provider `files` reads.

        Raises
        ------
        ValueError
            If nobody said where.
        """
        if self.files_dir is None:
            raise ValueError("files_dir must be set when the chain has the provider 'files', was None")
        return self.files_dir
