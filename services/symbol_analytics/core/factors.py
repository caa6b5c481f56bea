"""Every factor of conventions.FACTORS for the symbols of a shard, each a value or a reason (methodology, 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from services.symbol_analytics.core.estimates import FactorColumn, FactorEstimates, absent, assembled, withheld
from services.symbol_analytics.core.freshness import checked_closes
from services.symbol_analytics.core.ols import fit_lines
from services.symbol_analytics.core.panel import Panel, panel_of
from services.symbol_analytics.core.parameters import FactorParameters, RegressionWindow
from services.symbol_analytics.core.ridge import fit_ridges
from services.symbol_analytics.core.rows import RowsUsed
from shared.arrays import FloatArray, IntArray
from shared.conventions import FACTORS, MARKET_BETA, PROVIDER_BETA, RATE_BETA, SPREAD_FACTORS, STYLE_FACTORS
from shared.factor_set import SPREAD_LEGS, FactorSet
from shared.unavailable import Quantities, Reason, Unavailable, is_available

FACTOR_METHODS: Final[Mapping[str, str]] = {
    **dict.fromkeys(STYLE_FACTORS, "ridge"),
    **dict.fromkeys((*SPREAD_FACTORS, MARKET_BETA, RATE_BETA), "ols"),
    PROVIDER_BETA: "provider",
}

LINE_LEGS: Final[Mapping[str, tuple[str, ...]]] = {**SPREAD_LEGS, MARKET_BETA: ("market",), RATE_BETA: ("rate",)}

NO_RIDGE_ERROR: Final = Unavailable(Reason.NOT_APPLICABLE, "ridge has no standard error")
FROM_PROFILE: Final = Unavailable(Reason.NOT_APPLICABLE, "taken from the profile")

CONVENTIONS: Final = FactorParameters()


def estimate_factors(
    closes: FloatArray,
    proxies: Mapping[str, FloatArray],
    *,
    factor_set: FactorSet,
    provider_betas: Quantities,
    parameters: FactorParameters = CONVENTIONS,
) -> FactorEstimates:
    """Return every factor beta of the symbols of a shard as of the last session given.

    Style betas are one joint ridge per symbol on all configured style proxies; spreads, market and rate betas are
    least-squares lines of their own; the provider beta is passed through. In order of precedence an estimate is
    `NOT_APPLICABLE` without a configured proxy, has the symbol's own reason if its prices are missing or stale, is
    `MISSING_DATA` or `STALE_INPUT` naming the proxies without prices, or has the reason of its regression.

    Parameters
    ----------
    closes : ndarray of shape (n_sessions, n_symbols)
        Total-return adjusted closes on consecutive sessions, oldest first, the last row at as_of; NaN where there is
        none. At least ``parameters.required_sessions`` rows.
    proxies : mapping of str to ndarray of shape (n_sessions,)
        Adjusted closes of the factor set's tickers on the same sessions; a ticker without prices may be left out.
    factor_set : FactorSet
        Which ticker stands for which factor.
    provider_betas : Quantities of shape (n_symbols,)
        The profile's beta or the reason why there is none.
    parameters : FactorParameters, default=CONVENTIONS
        Windows, minimal observations, penalty, cap and the limit of staleness.

    Returns
    -------
    FactorEstimates

    Raises
    ------
    ValueError
        If the shapes disagree, there are too few sessions, a price is infinite or not positive, or a provider beta is
        neither finite nor has a reason.

    Notes
    -----
    NaN policy: a missing close leaves out the returns on both its sides and nothing else; gaps are never bridged. A
    return beyond the range of a float is missing. A symbol's numbers are the same bits whatever symbols share its
    shard, and in whatever order.
    """
    prices = checked_closes(closes)
    if len(prices) < parameters.required_sessions:
        raise ValueError(f"closes must hold {parameters.required_sessions} sessions, was {len(prices)}")
    panel = panel_of(prices, proxies, factor_set, stale_after=parameters.stale_after)
    columns = {
        **_style_columns(panel, factor_set, parameters),
        **_line_columns(panel, factor_set, parameters),
        PROVIDER_BETA: _provider_column(provider_betas, prices.shape[1]),
    }
    return assembled([columns[factor] for factor in FACTORS])


def _style_columns(panel: Panel, factor_set: FactorSet, parameters: FactorParameters) -> dict[str, FactorColumn]:
    styles = factor_set.style_proxies()
    tickers = [ticker for _, ticker in styles]
    columns = {factor: _not_configured(panel, [factor]) for factor in STYLE_FACTORS}
    if not styles:
        return columns
    why = panel.why_no_regressor(tickers, parameters.style)
    if why is not None:
        missing = withheld(absent(len(panel.returns), why), panel.not_current)
        return columns | {factor: missing for factor, _ in styles}
    return columns | _ridge_columns(panel, dict(styles), parameters)


def _ridge_columns(panel: Panel, styles: Mapping[str, str], parameters: FactorParameters) -> dict[str, FactorColumn]:
    window = parameters.style
    fits = fit_ridges(
        panel.returns[:, -window.sessions :],
        np.stack([panel.proxies[ticker][-window.sessions :] for ticker in styles.values()]),
        min_observations=window.min_observations,
        alpha=parameters.alpha,
        begun=panel.begun_before(window),
        cap=parameters.cap,
    )
    n_observations, first_row, last_row = _by_close(fits.rows, panel.returns.shape[1] - window.sessions)
    undefined = np.full(len(panel.returns), np.nan)
    columns = {
        factor: FactorColumn(
            betas=fits.betas[:, j],
            unavailable=fits.unavailable,
            capped=fits.capped[:, j],
            r_squared=fits.r_squared,
            std_errors=undefined,
            p_values=undefined,
            n_observations=n_observations,
            first_row=first_row,
            last_row=last_row,
            undefined=NO_RIDGE_ERROR,
        )
        for j, factor in enumerate(styles)
    }
    return {factor: withheld(column, panel.not_current) for factor, column in columns.items()}


def _line_columns(panel: Panel, factor_set: FactorSet, parameters: FactorParameters) -> dict[str, FactorColumn]:
    columns = {}
    for factor, legs in LINE_LEGS.items():
        window = parameters.spread if factor in SPREAD_FACTORS else parameters.beta
        proxies = {leg: factor_set.proxy(leg) for leg in legs}
        unset = [leg for leg, ticker in proxies.items() if ticker is None]
        tickers = [ticker for ticker in proxies.values() if ticker is not None]
        if unset:
            columns[factor] = _not_configured(panel, unset)
        else:
            columns[factor] = withheld(_line_column(panel, tickers, window, parameters.cap), panel.not_current)
    return columns


def _line_column(panel: Panel, tickers: Sequence[str], window: RegressionWindow, cap: float) -> FactorColumn:
    """Fit on one proxy's returns, or on those of the first less those of the second."""
    why = panel.why_no_regressor(tickers, window)
    if why is not None:
        return absent(len(panel.returns), why)
    long_leg, *short_leg = (panel.proxies[ticker][-window.sessions :] for ticker in tickers)
    fits = fit_lines(
        panel.returns[:, -window.sessions :],
        long_leg - short_leg[0] if short_leg else long_leg,
        min_observations=window.min_observations,
        cap=cap,
        begun=panel.begun_before(window),
    )
    n_observations, first_row, last_row = _by_close(fits.rows, panel.returns.shape[1] - window.sessions)
    return FactorColumn(
        betas=fits.betas,
        unavailable=fits.unavailable,
        capped=fits.capped,
        r_squared=fits.r_squared,
        std_errors=fits.std_errors,
        p_values=fits.p_values,
        n_observations=n_observations,
        first_row=first_row,
        last_row=last_row,
    )


def _by_close(rows: RowsUsed, skipped: int) -> tuple[IntArray, IntArray, IntArray]:
    """Return n and the first and last row as rows of the closes: the return in column 0 ends on close 1."""
    first, last = (np.where(column < 0, -1, column + skipped + 1) for column in (rows.first, rows.last))
    return rows.n_observations, first, last


def _not_configured(panel: Panel, roles: Sequence[str]) -> FactorColumn:
    why = Unavailable(Reason.NOT_APPLICABLE, f"no proxy configured for {', '.join(roles)}")
    return absent(len(panel.returns), why)


def _provider_column(provider_betas: Quantities, n_symbols: int) -> FactorColumn:
    values, unavailable = provider_betas.values, provider_betas.unavailable
    if values.shape != (n_symbols,):
        raise ValueError(f"provider_betas must have the shape ({n_symbols},), was {values.shape}")
    finite_or_reason = np.where(is_available(unavailable), np.isfinite(values), np.isnan(values))
    if not finite_or_reason.all():
        raise ValueError(f"provider_betas must be finite or have a reason, was {values[~finite_or_reason][0]}")
    column = absent(n_symbols, FROM_PROFILE)
    return replace(column, betas=values, unavailable=unavailable, undefined=FROM_PROFILE)
