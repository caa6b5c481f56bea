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
SILENT_SESSIONS: Final = 20  # no bar for so long: delisted, renamed or unknown

COVERAGE_FLOOR: Final = 0.80  # of gross exposure: a number of a portfolio that speaks for less is withheld [1]

VOLATILITY_WINDOWS: Final = (21, 63, 252)  # sessions [4, 7]
WINDOW_MIN_SHARE: Final = 0.90  # of the sessions looked at, for a volatility: a missing print takes two returns [4, 7]

OPTION_MULTIPLIER: Final = 100  # shares per contract [5]
OPTION_VOLATILITY_WINDOW: Final = 63  # sessions of the underlying's volatility where none is implied [5]
OPTION_RISK_FREE_RATE: Final = 0.05  # a year, continuously compounded; of ratios, where nobody is asked for rates
RISK_FREE_STALE_DAYS: Final = 7  # calendar days: an older rate is none
DAYS_PER_YEAR: Final = 365  # of the time to expiration, and of annual rates of return

# Calendar days of bars kept complete before the first session of a run: two years of 252 sessions, one whose losses are
# tested and one that the VaR before the first of them is estimated on (ADR 2).
HISTORY_DAYS: Final = 760
HISTORY_SESSIONS: Final = 522  # sessions in that many days, at least

REALISED_MIN_RETURNS: Final = 60  # of a book, for what its daily returns say [5]
WORST_DRAWDOWNS: Final = 5  # of its index, that are listed

STYLE_FACTORS: Final = ("value", "growth", "momentum", "quality", "size", "low_volatility")
SPREAD_FACTORS: Final = ("growth_value_spread", "momentum_spread", "size_spread", "quality_spread")
MARKET_BETA: Final = "market_beta"
RATE_BETA: Final = "rate_beta"
PROVIDER_BETA: Final = "provider_beta"
FACTORS: Final = (*STYLE_FACTORS, *SPREAD_FACTORS, MARKET_BETA, RATE_BETA, PROVIDER_BETA)

# What is said of a factor beta beside its value or reason: its columns, query, view and export have these.
FACTOR_FIELDS: Final = (
    *("method", "capped", "r_squared", "std_error", "p_value", "n_observations"),
    *("first_session", "last_session", "source", "source_date"),
)

# What symbols are explained, and portfolios stressed and decomposed by: the market, each style beside the market, and
# the rate beside all of them [9].
RISK_FACTORS: Final = ("market", *STYLE_FACTORS, "rate")
LOADINGS: Final = tuple(f"loading_{factor}" for factor in RISK_FACTORS)
LOADING_ERRORS: Final = tuple(f"loading_error_{factor}" for factor in RISK_FACTORS)
SPECIFIC_VOLATILITY: Final = "specific_volatility"  # annualised, of what the factors leave
MODEL_COLUMNS: Final = (*LOADINGS, *LOADING_ERRORS, SPECIFIC_VOLATILITY)
SYMBOL_COLUMNS: Final = (*FACTORS, *MODEL_COLUMNS)  # what is announced of a symbol

SERIES_WINDOWS: Final = (252, 126, 63)  # sessions of a portfolio's return series, the longest that covers enough
SERIES_COVERAGE: Final = 0.95  # of gross exposure
HAR_LAGS: Final = (1, 5, 21)  # sessions, Corsi (2009) [7]
HAR_HORIZONS: Final = (1, 10, 21)  # sessions ahead: those of a VaR, and a month [7]
HAR_MIN_OBSERVATIONS: Final = 63  # returns [7]
TREND_SESSIONS: Final = 10  # volatilities in the slope [7]
PERCENTILE_SESSIONS: Final = 252  # volatilities that today's is compared with [7]

VAR_LEVELS: Final = (95, 99)  # percent [10]
VAR_HORIZONS: Final = (1, 10)  # sessions [10]
VAR_MIN_OBSERVATIONS: Final = (63, 100)  # returns, per level: at least one lies in the tail
BACKTEST_SESSIONS: Final = 252  # tested at most [10]
BACKTEST_MIN_SESSIONS: Final = (63, 250)  # per level: exceptions are to be expected [10]

CORRELATION_WINDOW: Final = 90  # sessions [8]
CORRELATION_MIN_OVERLAP: Final = 30  # [8]
CORRELATION_MIN_WEIGHT: Final = 0.01  # of gross exposure [8]
CLUSTER_CORRELATION: Final = 0.5  # where the tree is cut [8]

SECTOR_MIN_PAIRS: Final = 20  # of holdings whose residuals have a correlation, for that of a sector [10]

EWMA_DECAY: Final = 0.94  # RiskMetrics (1996) [9]
RATE_DURATION: Final = 16.5  # years, of the rate proxy by default: it returns -D dy + C dy**2 / 2 [9]
RATE_CONVEXITY: Final = 380.0  # years squared, C
RISEN_VOLATILITY: Final = 1.25  # times an option's volatility, in a second run where the market falls [9]
EXTRAPOLATION_SESSIONS: Final = 21  # a move beyond the largest in so many sessions is extrapolated [9]

REVERSE_LOSSES: Final = (0.05, 0.10, 0.20)  # of equity, of a reverse stress [9]
NEAREST_SESSIONS: Final = 3  # of its moves, that are named

EARNINGS_SETTLE_DAYS: Final = 3  # calendar days after an earnings date until the statements are fetched
# A statement whose day of publication is not known counts from so many calendar days after the end of its period: an
# annual report of the smallest companies is due after 90 (Form 10-K, General Instruction A).
REPORTING_LAG_DAYS: Final = 90
# A newest period that ended longer ago is stale: one more period and its report should have come since.
QUARTER_STALE_DAYS: Final = 190
YEAR_STALE_DAYS: Final = 465
PROFILE_STALE_DAYS: Final = 92  # a provider's market value, number of shares or yield of longer ago is stale
