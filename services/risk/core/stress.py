"""What scenarios would do to portfolios: directly, and by the factor model (methodology, 9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.risk.core.exposures import FactorExposures
from services.risk.core.factor_model import known_loadings
from services.risk.core.factor_moves import FactorMoves
from services.risk.core.holdings import NetHoldings
from services.risk.core.ratios import EMPTY_BOOK, divide, quantities, why_not_over_equity
from services.risk.core.scenarios import SCENARIOS, Scenario
from shared.arrays import BoolArray, FloatArray, IntArray, ReasonArray
from shared.conventions import FACTORS, MARKET_BETA, RATE_BETA, RISEN_VOLATILITY, RISK_FACTORS
from shared.unavailable import Quantities, Reason, Unavailable, is_available, no_reasons, reason_where

# The column of the symbol's betas that carries each risk factor in a direct P&L.
BETA_COLUMNS: Final = [
    FACTORS.index({"market": MARKET_BETA, "rate": RATE_BETA}.get(name, name)) for name in RISK_FACTORS
]
COLLINEAR: Final = Unavailable(Reason.DEGENERATE_INPUT, "the shocked factors are collinear")
NO_LOADINGS: Final = Unavailable(Reason.MISSING_DATA, "no holding has loadings on the factors")


@dataclass(frozen=True, slots=True)
class StressResults:
    """Per portfolio and scenario, shape (n_portfolios, n_scenarios), amounts in portfolio currency.

    `at_risen_volatility` is the model's P&L with volatilities of options RISEN_VOLATILITY times as high, of books that
    have any, where the market falls; NaN elsewhere. `coverage` is the smaller of `direct_coverage` and
    `model_coverage`, the parts of gross exposure that the P&L speaks for; `direct_covered` and `model_covered`
    (n_holdings, n_scenarios) tell which holdings these are, those of a direct P&L by the shocked factor that covers
    least. `extrapolated_share` is the part of the absolute contributions to the model P&L, options counted by their
    deltas, that comes from factors which move further than they ever did in their window, `realised_share` the part of
    gross exposure that counts with its own return over the episode. `beyond_gross` marks losses, of either kind, above
    the gross exposure; losses are never clipped.
    """

    direct: Quantities
    model: Quantities
    at_risen_volatility: FloatArray
    coverage: Quantities
    direct_coverage: Quantities
    model_coverage: Quantities
    direct_covered: BoolArray
    model_covered: BoolArray
    extrapolated_share: Quantities
    realised_share: Quantities
    beyond_gross: BoolArray


@dataclass(frozen=True, slots=True)
class ModelExposures:
    """What the model P&L of a scenario is made of, in portfolio currency.

    `dollars` (n_portfolios, n_factors) a unit of each factor, of the holdings without a return of their own over the
    episode, and `realised` (n_portfolios,) the P&L of those with one; `loaded` and `own` (n_portfolios,) the gross
    exposure of the former that have loadings, and of the latter, in cents; `in_model` and `with_own` (n_holdings,)
    tell which holdings these are.
    """

    dollars: FloatArray
    realised: FloatArray
    loaded: IntArray
    own: IntArray
    in_model: BoolArray
    with_own: BoolArray


def stress(
    holdings: NetHoldings,
    exposures: FactorExposures,
    model: Quantities,
    moves: FactorMoves,
    *,
    episodes: Mapping[str, FloatArray],
    scenarios: Sequence[Scenario] = SCENARIOS,
) -> StressResults:
    """Return the P&L of every portfolio in every scenario.

    Parameters
    ----------
    holdings : NetHoldings
    exposures : FactorExposures
        Columns in the order of FACTORS.
    model : Quantities of shape (n_symbols, len(MODEL_COLUMNS))
        The loadings of the symbols.
    moves : FactorMoves
        The scenarios of the session.
    episodes : mapping of scenario id to ndarray of shape (n_symbols,)
        Realised returns of the symbols over historical replays; NaN where unknown.

    Returns
    -------
    StressResults
        Direct: the sum of exposure times shock over the shocked factors. Model: the sum over holdings of exposure
        times loadings times moves, over an episode of exposure times own return where there is one. Either with what
        options add to their deltas where their underlyings move so. A cell for which nothing is known has the reason;
        the others are not touched.
    """
    shocked = np.isfinite(moves.shocks)
    dollars = np.nan_to_num(exposures.dollars.values[:, BETA_COLUMNS])
    by_beta = _sums(dollars, np.nan_to_num(moves.shocks)) + holdings.convexity(direct_returns(exposures, moves))
    direct = quantities(by_beta, _direct_reasons(exposures, shocked))

    shape = holdings.n_portfolios, len(scenarios)
    pnl, extrapolated = np.zeros(shape), np.zeros(shape)
    covered, own = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    in_model = np.zeros((holdings.symbol.size, len(scenarios)), dtype=np.bool_)
    reasons, against_all = no_reasons(shape), why_not_over_equity(holdings)
    whole = model_exposures(holdings, model)
    for column, scenario in enumerate(scenarios):
        own_returns = episodes.get(scenario.scenario_id)
        found = whole if own_returns is None else model_exposures(holdings, model, own_returns)
        by_factor = found.dollars * np.nan_to_num(moves.moves[column])
        pnl[:, column] = by_factor.sum(axis=1) + found.realised
        extrapolated[:, column] = _extrapolated_share(by_factor, found.realised, moves.extrapolated[column])
        why = _why_no_move(scenario, moves, column)
        own[:, column] = found.own
        covered[:, column] = found.own if why else found.own + found.loaded
        in_model[:, column] = found.with_own if why else found.with_own | found.in_model
        reasons[:, column] = against_all
        reasons[is_available(against_all) & (covered[:, column] == 0), column] = why or NO_LOADINGS
    returns = model_returns(model, moves, episodes, scenarios=scenarios)
    model_pnl = quantities(pnl + holdings.convexity(returns), reasons)
    gross = np.repeat(holdings.totals(holdings.gross)[:, None], len(scenarios), axis=1).astype(np.float64)
    empty = reason_where(gross == 0, EMPTY_BOOK)
    with np.errstate(invalid="ignore"):
        beyond: BoolArray = np.fmin(direct.values, model_pnl.values) < -gross / 100.0
    by_model = divide(covered.astype(np.float64), gross)
    by_betas, with_betas = _direct_coverage(holdings, exposures, shocked)
    return StressResults(
        direct=direct,
        model=model_pnl,
        at_risen_volatility=_at_risen_volatility(holdings, moves, pnl=pnl, returns=returns),
        coverage=Quantities(np.minimum(by_model, by_betas), empty),
        direct_coverage=Quantities(by_betas, empty),
        model_coverage=Quantities(by_model, empty),
        direct_covered=with_betas,
        model_covered=in_model,
        extrapolated_share=quantities(extrapolated, reasons),
        realised_share=Quantities(divide(own.astype(np.float64), gross), empty),
        beyond_gross=beyond,
    )


def direct_returns(exposures: FactorExposures, moves: FactorMoves) -> FloatArray:
    """Return what each symbol returns in each scenario by its betas, (n_symbols, n_scenarios)."""
    betas = exposures.of_symbols[:, BETA_COLUMNS]
    return _sums(np.where(np.isfinite(betas), betas, 0.0), np.nan_to_num(moves.shocks))


def model_returns(
    model: Quantities,
    moves: FactorMoves,
    episodes: Mapping[str, FloatArray],
    *,
    scenarios: Sequence[Scenario] = SCENARIOS,
) -> FloatArray:
    """Return what each symbol returns in each scenario: its own return over an episode, else by its loadings.

    Parameters
    ----------
    model, moves, episodes, scenarios
        As for `stress`.

    Returns
    -------
    ndarray of shape (n_symbols, n_scenarios)
        NaN for a symbol with neither.
    """
    loadings = known_loadings(model)
    returns = _sums(np.nan_to_num(loadings), np.nan_to_num(moves.moves))
    returns[~np.isfinite(loadings).any(axis=1)] = np.nan
    for column, scenario in enumerate(scenarios):
        own = episodes.get(scenario.scenario_id)
        if own is not None:
            returns[:, column] = np.where(np.isfinite(own), own, returns[:, column])
    return returns


def _at_risen_volatility(
    holdings: NetHoldings, moves: FactorMoves, *, pnl: FloatArray, returns: FloatArray
) -> FloatArray:
    with_options = np.isin(np.arange(holdings.n_portfolios), holdings.portfolio[holdings.options.place])
    falls = moves.moves[:, RISK_FACTORS.index("market")] < 0
    found = pnl + holdings.convexity(returns, volatility=RISEN_VOLATILITY)
    return np.where(with_options[:, None] & falls, found, np.nan)


def model_exposures(holdings: NetHoldings, model: Quantities, own_returns: FloatArray | None = None) -> ModelExposures:
    """Return what each portfolio has in the factors; holdings with a return of their own count with that.

    Parameters
    ----------
    holdings : NetHoldings
    model : Quantities of shape (n_symbols, len(MODEL_COLUMNS))
    own_returns : ndarray of shape (n_symbols,), optional
        NaN where unknown.

    Returns
    -------
    ModelExposures
    """
    loadings = known_loadings(model)
    returns = np.full(len(loadings), np.nan) if own_returns is None else own_returns
    own = np.isfinite(returns)[holdings.symbol]
    known: BoolArray = np.asarray(np.isfinite(loadings).any(axis=1))
    loaded = known[holdings.symbol] & ~own
    cents, filled = np.where(loaded, holdings.net, 0), np.nan_to_num(loadings)[holdings.symbol]
    realised = np.where(own, holdings.net * np.nan_to_num(returns)[holdings.symbol], 0.0)
    return ModelExposures(
        dollars=np.column_stack([holdings.sums(cents * column) / 100.0 for column in filled.T]),
        realised=holdings.sums(realised) / 100.0,
        loaded=holdings.totals(np.where(loaded, holdings.gross, 0)),
        own=holdings.totals(np.where(own, holdings.gross, 0)),
        in_model=loaded,
        with_own=own,
    )


def _extrapolated_share(by_factor: FloatArray, realised: FloatArray, extrapolated: BoolArray) -> FloatArray:
    sizes = np.abs(by_factor)
    everything = sizes.sum(axis=1) + np.abs(realised)
    return np.nan_to_num(divide(np.where(extrapolated, sizes, 0.0).sum(axis=1), everything))


def _why_no_move(scenario: Scenario, moves: FactorMoves, column: int) -> Unavailable | None:
    """Return why the factors have no moves in a scenario, naming the first that it shocks and that is not there."""
    if np.isfinite(moves.moves[column]).any():
        return None
    for factor in (place for place, name in enumerate(RISK_FACTORS) if name in dict(scenario.shocks)):
        missing = moves.unavailable[factor]
        if missing is not None:
            return Unavailable(missing.reason, f"{RISK_FACTORS[factor]}: {missing.detail}")
    return COLLINEAR


def _direct_reasons(exposures: FactorExposures, shocked: BoolArray) -> ReasonArray:
    """Return per portfolio and scenario the reason of the first shocked factor that it has no exposure to."""
    unavailable: ReasonArray = exposures.dollars.unavailable[:, BETA_COLUMNS]
    found = no_reasons((unavailable.shape[0], shocked.shape[0]))
    for factor in range(unavailable.shape[1])[::-1]:
        for portfolio in np.flatnonzero(~is_available(unavailable[:, factor])):
            why = unavailable[portfolio, factor]
            found[portfolio, shocked[:, factor]] = Unavailable(why.reason, f"{RISK_FACTORS[factor]}: {why.detail}")
    return found


def _direct_coverage(
    holdings: NetHoldings, exposures: FactorExposures, shocked: BoolArray
) -> tuple[FloatArray, BoolArray]:
    """Return the coverage of the shocked factor that covers least, and which holdings have its beta."""
    values, known = exposures.coverage.values[:, BETA_COLUMNS], exposures.covered[:, BETA_COLUMNS]
    least = np.column_stack([np.flatnonzero(factors)[values[:, factors].argmin(axis=1)] for factors in shocked])
    of_holdings = np.take_along_axis(known, least[holdings.portfolio], axis=1)
    return np.take_along_axis(values, least, axis=1), of_holdings


def _sums(exposures: FloatArray, sizes: FloatArray) -> FloatArray:
    """Return the sums over factors of exposure times size, (n_portfolios, n_sizes).

    Factor by factor: a matrix product would round differently with the size of the shard.
    """
    totals = np.zeros((exposures.shape[0], sizes.shape[0]))
    for exposure, size in zip(exposures.T, sizes.T, strict=True):
        totals += exposure[:, None] * size
    return totals
