"""The assessment of the books of a shard at one session: what it takes and what it gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from uuid import UUID

import numpy as np

from services.risk.core.active_share import Constituents
from services.risk.core.coverage_floor import Figures, told
from services.risk.core.digest import benchmark_digest, factor_digest, portfolio_digests, symbol_digests
from services.risk.core.diversification import Diversifications
from services.risk.core.exposures import FactorExposures
from services.risk.core.factor_model import Decomposition, known_loadings
from services.risk.core.factor_moves import FactorMoves, factor_moves
from services.risk.core.holdings import NetHoldings
from services.risk.core.measures import MEASURES, Measured
from services.risk.core.ratios import coverage_of
from services.risk.core.reverse_stress import ReverseStress
from services.risk.core.risk_context import RiskContext
from services.risk.core.scenarios import RateSensitivity
from services.risk.core.sectors import ActiveSectors, Benchmark, SectorExposures
from services.risk.core.stress import StressResults
from shared.arrays import BoolArray, FloatArray
from shared.unavailable import Quantities


@dataclass(frozen=True, slots=True)
class Books:
    """The books of some portfolios as of a session; `holdings` points into `portfolio_ids` and `symbols`."""

    as_of: date
    portfolio_ids: tuple[UUID, ...]
    symbols: tuple[str, ...]
    holdings: NetHoldings


@dataclass(frozen=True, slots=True)
class FactorHistory:
    """What is known of the risk factors at a session, the same for every portfolio.

    `proxies` has a ticker or None per risk factor, `returns` (n_factors, RETURN_SESSIONS) their total returns,
    `episodes` those over the historical replays, (n_factors,) by scenario id; `rate` how the rate's proxy answers to
    changes of yield.
    """

    proxies: tuple[str | None, ...]
    returns: FloatArray
    episodes: Mapping[str, FloatArray]
    rate: RateSensitivity


@dataclass(frozen=True, slots=True)
class AssessmentInputs:
    """The books and what is known of their symbols and of the factors.

    `betas` (n_symbols, n_factors), `model` (n_symbols, len(MODEL_COLUMNS)), `sectors` one a symbol, `returns`
    (n_symbols, RETURN_SESSIONS), `episodes` those over the historical replays, (n_symbols,) by scenario id; `taints`
    say by symbol in words what is held of its closes.
    """

    books: Books
    betas: Quantities
    model: Quantities
    sectors: tuple[str, ...]
    returns: FloatArray
    episodes: Mapping[str, FloatArray]
    factors: FactorHistory
    benchmark: Benchmark | None = None
    constituents: Constituents | None = None
    taints: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """The numbers of the portfolios as they are told, (n_portfolios, ...): measures, factors, scenarios, losses."""

    measures: Figures
    betas: Figures
    dollars: Figures
    direct: Figures
    model: Figures
    reverse: Figures


@dataclass(frozen=True, slots=True)
class Assessment:
    """The results of all portfolios; `measures` by name, `digests` of the inputs one a portfolio.

    `moves` are those of the session, with the digest of what they were made of. Numbers of the book are `told`, and
    those beside it what was computed of its covered part.
    """

    books: Books
    digests: tuple[bytes, ...]
    proxies: tuple[str | None, ...]
    moves: FactorMoves
    moves_digest: bytes
    told: Told
    factors: FactorExposures
    sectors: SectorExposures
    benchmark: Benchmark | None
    active_sectors: ActiveSectors
    measures: dict[str, Measured]
    stress: StressResults
    reverse_stress: ReverseStress
    diversification: Diversifications
    decomposition: Decomposition


def assess(inputs: AssessmentInputs) -> Assessment:
    """Return exposures, every line of the table of measures, stress, correlations and contributions."""
    holdings, history, compared = inputs.books.holdings, inputs.factors, inputs.constituents
    moves_digest = factor_digest(history.proxies, history.returns, history.episodes, rate=history.rate)
    moves = factor_moves(history.returns, history.proxies, episodes=history.episodes, rate=history.rate)
    risk = RiskContext(
        holdings,
        inputs.betas,
        inputs.sectors,
        inputs.returns,
        inputs.model,
        moves,
        episodes=inputs.episodes,
        benchmark=inputs.benchmark,
        index=None if compared is None else compared.of(inputs.books.symbols),
    )
    symbols = symbol_digests(
        [f"{symbol} {inputs.taints[symbol]}" if symbol in inputs.taints else symbol for symbol in inputs.books.symbols],
        known=Quantities.side_by_side([inputs.betas, inputs.model]),
        sectors=inputs.sectors,
        returns=np.column_stack([inputs.returns, *(inputs.episodes[name] for name in sorted(inputs.episodes))]),
    )
    common = moves_digest + benchmark_digest(inputs.benchmark, compared)
    measures = {measure.name: measure.compute(risk) for measure in MEASURES}
    return Assessment(
        books=inputs.books,
        digests=portfolio_digests(holdings, symbols, common=common),
        proxies=history.proxies,
        moves=moves,
        moves_digest=moves_digest,
        told=_told(risk, list(measures.values()), inputs),
        factors=risk.exposures,
        sectors=risk.sector_exposures,
        benchmark=inputs.benchmark,
        active_sectors=risk.active_sectors,
        measures=measures,
        stress=risk.stress,
        reverse_stress=risk.reverse_stress,
        diversification=risk.diversification,
        decomposition=risk.decomposition,
    )


def _told(risk: RiskContext, measures: Sequence[Measured], inputs: AssessmentInputs) -> Told:
    books = inputs.books
    tell = partial(told, holdings=books.holdings, symbols=books.symbols, taints=inputs.taints)
    exposures, stress, distances = risk.exposures, risk.stress, risk.reverse_stress.distance
    loaded: BoolArray = np.asarray(np.isfinite(known_loadings(risk.model)).any(axis=1))[books.holdings.symbol]
    in_model = coverage_of(books.holdings, loaded)
    n_losses = distances.values.shape[1]
    return Told(
        measures=tell(
            Quantities.side_by_side([each.values for each in measures]),
            Quantities.side_by_side([each.coverage for each in measures]),
            np.column_stack([each.covered for each in measures]),
        ),
        betas=tell(exposures.beta, exposures.coverage, exposures.covered),
        dollars=tell(exposures.dollars, exposures.coverage, exposures.covered),
        direct=tell(stress.direct, stress.direct_coverage, stress.direct_covered),
        model=tell(stress.model, stress.model_coverage, stress.model_covered),
        reverse=tell(distances, Quantities.side_by_side([in_model] * n_losses), np.column_stack([loaded] * n_losses)),
    )
