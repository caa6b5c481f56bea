"""The factor set: which traded proxy stands for which factor. One configuration value (methodology, 3)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, model_validator

from shared.conventions import STYLE_FACTORS

# spread -> (long leg, short leg); a leg is a style factor or "market"
SPREAD_LEGS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "growth_value_spread": ("growth", "value"),
        "momentum_spread": ("momentum", "market"),
        "size_spread": ("size", "market"),
        "quality_spread": ("quality", "market"),
    }
)


class FactorSet(BaseModel):
    """Proxy tickers of the style factors, of the market and of the rate.

    A style factor without a proxy is left out of the joint solve and reported as `NOT_APPLICABLE`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: str | None = "VTV"
    growth: str | None = "VUG"
    momentum: str | None = "MTUM"
    quality: str | None = "QUAL"
    size: str | None = "IWM"
    low_volatility: str | None = "USMV"
    market: str = "SPY"
    rate: str | None = "TLT"

    @model_validator(mode="after")
    def _proxies_are_distinct(self) -> Self:
        styles = [proxy for _, proxy in self.style_proxies()]
        if len(set(styles)) != len(styles):
            raise ValueError(f"each style factor must have a proxy of its own, was {styles}")
        return self

    def proxy(self, factor: str) -> str | None:
        """Return the ticker that stands for a style factor or for "market" or "rate", or None."""
        ticker: str | None = getattr(self, factor)
        return ticker

    def style_proxies(self) -> tuple[tuple[str, str], ...]:
        """Return (factor, ticker) of the configured style factors, in the order of `STYLE_FACTORS`."""
        return tuple((factor, proxy) for factor in STYLE_FACTORS if (proxy := self.proxy(factor)) is not None)

    def tickers(self) -> tuple[str, ...]:
        """Return every proxy once, sorted."""
        proxies = {proxy for _, proxy in self.style_proxies()} | {self.market} | ({self.rate} if self.rate else set())
        return tuple(sorted(proxies))


SAMPLE_FACTOR_SET: Final = FactorSet(
    value="VLUE",
    growth=None,
    momentum="MTUM",
    quality="QUAL",
    size="SIZE",
    low_volatility="USMV",
    market="SPX",
    rate=None,
)

# The sets that have a name; any other one is written in JSON.
FACTOR_SETS: Final[Mapping[str, FactorSet]] = MappingProxyType({"default": FactorSet(), "sample": SAMPLE_FACTOR_SET})
