"""The columns of the daily metrics, in the order in which they are stored and announced, and the betas beside them."""

from typing import Final

from services.symbol_analytics.core.anchors import HORIZONS
from shared.conventions import FACTORS, VOLATILITY_WINDOWS

PRICE_RETURNS: Final = tuple(f"price_return_{horizon}" for horizon in HORIZONS)
TOTAL_RETURNS: Final = tuple(f"total_return_{horizon}" for horizon in HORIZONS)
VOLATILITIES: Final = tuple(f"volatility_{window}d" for window in VOLATILITY_WINDOWS)
RATIOS: Final = ("market_cap", "pe_ratio", "pb_ratio", "ps_ratio", "ev_to_ebitda", "dividend_yield")
FROM_PRICES: Final = (*PRICE_RETURNS, *TOTAL_RETURNS, *VOLATILITIES)
METRICS: Final = (*FROM_PRICES, *RATIOS)
FACTOR_COLUMNS: Final = tuple(f"factor_{factor}" for factor in FACTORS)
VALUE_COLUMNS: Final = (*METRICS, *FACTOR_COLUMNS)  # of a row
