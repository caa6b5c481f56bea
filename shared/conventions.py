"""Numbers that everybody must agree on, each with its source (methodology sections in brackets)."""

from typing import Final

SESSIONS_PER_YEAR: Final = 252  # annualisation [7]

FACTOR_WINDOW: Final = 252  # sessions of the ridge and spread regressions [3]
FACTOR_MIN_OBSERVATIONS: Final = 60  # [3]
BETA_WINDOW: Final = 90  # sessions of the market and rate regressions [3]
BETA_MIN_OBSERVATIONS: Final = 30  # [3]
RIDGE_ALPHA: Final = 1.0  # not scaled by n [3]
BETA_CAP: Final = 5.0  # estimates beyond are capped and say so [3]
STALE_AFTER_SESSIONS: Final = 5  # a last price older than this is STALE_INPUT [3]

VOLATILITY_WINDOWS: Final = (21, 63, 252)  # sessions [4, 7]

OPTION_MULTIPLIER: Final = 100  # shares per contract [5]

# Calendar days of bars kept complete before the first session of a run. 365 would leave the one-year return without
# a base (last close on or before the anniversary), the 252-session windows two closes short, and a 21-session
# volatility without its own trailing year (ADR 2).
HISTORY_DAYS: Final = 420
HISTORY_SESSIONS: Final = 290  # sessions in that many days

STYLE_FACTORS: Final = ("value", "growth", "momentum", "quality", "size", "low_volatility")
SPREAD_FACTORS: Final = ("growth_value_spread", "momentum_spread", "size_spread", "quality_spread")
MARKET_BETA: Final = "market_beta"
RATE_BETA: Final = "rate_beta"
PROVIDER_BETA: Final = "provider_beta"
FACTORS: Final = (*STYLE_FACTORS, *SPREAD_FACTORS, MARKET_BETA, RATE_BETA, PROVIDER_BETA)
