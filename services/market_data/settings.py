"""Settings of market_data."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ProviderName = Literal["files", "sample"]


class MarketDataSettings(BaseSettings):
    """The provider chain, asked in order, and where the files are."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="MARKET_DATA_")

    providers: Annotated[tuple[ProviderName, ...], NoDecode] = ("sample",)
    files_dir: Path | None = None

    @field_validator("providers", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _files_need_a_directory(self) -> "MarketDataSettings":
        if "files" in self.providers and self.files_dir is None:
            raise ValueError("files_dir must be set when the chain has the provider 'files', was None")
        return self
