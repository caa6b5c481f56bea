"""The price sources by name; how each is built says `services.market_data.main`."""

from typing import Final, Literal, get_args

ProviderName = Literal["files", "sample", "fmp", "fred", "massive", "tiingo", "yahoo", "yahooquery"]
PROVIDER_NAMES: Final[tuple[ProviderName, ...]] = get_args(ProviderName)
