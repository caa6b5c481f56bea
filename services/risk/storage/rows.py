"""The tables of an assessment: from a result to their columns, and their rows as they are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np

from services.risk.core.assessment import Assessment
from services.risk.core.correlation import above_diagonal
from services.risk.core.coverage_floor import Figures
from services.risk.core.digest import CODE_VERSION
from services.risk.core.measures import MEASURES
from services.risk.core.scenarios import SCENARIOS
from shared.arrays import FloatArray, IntArray, ReasonArray
from shared.calendar import sessions_between, shift_session
from shared.conventions import FACTOR_WINDOW, FACTORS, REVERSE_LOSSES, RISK_FACTORS
from shared.db.binary import NumberRows
from shared.db.bulk import Columns
from shared.unavailable import Quantities, nullable, reason_columns


class HeadRow(NamedTuple):
    """A revision of an assessment, to which the rows of the other tables belong."""

    portfolio_id: UUID
    as_of: date
    revision: int
    known_at: datetime
    equity: Decimal
    digest: bytes
    code_version: int


class FactorRow(NamedTuple):
    """The exposure to a factor, or why there is none."""

    portfolio_id: UUID
    as_of: date
    factor: str
    beta: float | None
    dollars: float | None
    reason: str | None
    detail: str | None
    coverage: float | None
    coverage_reason: str | None
    coverage_detail: str | None
    beta_of_covered: float | None
    dollars_of_covered: float | None


class SectorRow(NamedTuple):
    """The exposure to a sector; over equity, or why not."""

    portfolio_id: UUID
    as_of: date
    sector: str
    net: Decimal
    gross: Decimal
    net_over_equity: float | None
    gross_over_equity: float | None
    reason: str | None
    detail: str | None


class MeasuresRow(NamedTuple):
    """The measures, one place each in every array."""

    portfolio_id: UUID
    as_of: date
    measures: list[str]
    values: list[float | None]
    values_reasons: list[str | None]
    values_details: list[str | None]
    values_of_covered: list[float | None] | None
    coverages: list[float | None]
    coverages_reasons: list[str | None]
    coverages_details: list[str | None]
    observations: list[int]
    window_sessions: list[int]


class StressRow(NamedTuple):
    """The scenarios, one place each in every array, and the digest of the factor moves behind them."""

    moves_digest: bytes
    scenarios: list[str]
    direct: list[float | None]
    direct_reasons: list[str | None]
    direct_details: list[str | None]
    direct_of_covered: list[float | None] | None
    model: list[float | None]
    model_reasons: list[str | None]
    model_details: list[str | None]
    model_of_covered: list[float | None] | None
    at_risen_volatility: list[float | None] | None
    coverages: list[float | None]
    coverages_reasons: list[str | None]
    coverages_details: list[str | None]
    extrapolated_shares: list[float | None] | None
    realised_shares: list[float | None] | None
    beyond_gross: list[bool]
    reverse_losses: list[float] | None
    reverse_distances: list[float | None]
    reverse_distances_reasons: list[str | None]
    reverse_distances_details: list[str | None]
    reverse_distances_of_covered: list[float | None] | None
    reverse_moves: list[float | None]
    reverse_deviations: list[float | None]
    nearest_sessions: list[date | None]
    nearest_returns: list[float | None]


class CorrelationsRow(NamedTuple):
    """The correlations above the diagonal, row by row, and the number of each symbol's cluster."""

    symbols: list[str]
    correlations: list[float | None]
    clip: float
    missing_pairs: int
    clusters: list[int]
    cluster_names: list[str]


class ContributionsRow(NamedTuple):
    """What each factor and each holding adds to the volatility."""

    factors: list[str]
    by_factor: list[float | None]
    by_specific: float | None
    symbols: list[str]
    weights: list[float | None]
    by_holding: list[float | None]
    marginal: list[float | None]


class ActiveSectorsRow(NamedTuple):
    """The sectors against a benchmark, or why not."""

    benchmark: str | None
    benchmark_as_of: date | None
    sectors: list[str]
    weights: list[float | None]
    active: list[float | None]
    reason: str | None
    detail: str | None


class MovesRow(NamedTuple):
    """The factor moves of a session; scenario by scenario, a place for each factor."""

    factors: list[str]
    correlated: list[str]
    correlations: list[float | None]
    scenarios: list[str]
    basis: list[str]
    shocks: list[float | None]
    moves: list[float | None]
    extrapolated: list[bool]


@dataclass(frozen=True, slots=True)
class Written:
    """The portfolios of an assessment that got a new revision: their indices and its number, (n_written,)."""

    portfolio: IntArray
    revision: IntArray

    @classmethod
    def of(cls, assessment: Assessment, revisions: Mapping[UUID, int]) -> "Written":
        """Return the portfolios that `revisions` names."""
        ids = assessment.books.portfolio_ids
        indices = [index for index, portfolio_id in enumerate(ids) if portfolio_id in revisions]
        numbers = [revisions[ids[index]] for index in indices]
        return cls(np.array(indices, dtype=np.int64), np.array(numbers, dtype=np.int64))


def assessment_columns(assessment: Assessment, run_id: UUID) -> Columns:
    """Return one row per portfolio."""
    books = assessment.books
    return {
        "portfolio_id": books.portfolio_ids,
        "as_of": [books.as_of] * len(books.portfolio_ids),
        "digest": assessment.digests,
        "code_version": [CODE_VERSION] * len(books.portfolio_ids),
        "run_id": [run_id] * len(books.portfolio_ids),
        "equity": _money(books.holdings.equity),
    }


def factor_columns(assessment: Assessment, written: Written) -> Columns:
    """Return one row per portfolio and factor."""
    factors, rows = assessment.factors, written.portfolio
    betas, dollars = assessment.told.betas.part(rows), assessment.told.dollars.part(rows)
    return {
        **_key(assessment, written, np.repeat(np.arange(rows.size), len(FACTORS))),
        "factor": FACTORS * rows.size,
        "beta": nullable(betas.values.ravel()),
        "dollars": nullable(dollars.values.ravel()),
        **_why("", betas.unavailable.ravel()),
        "beta_of_covered": nullable(betas.of_covered.ravel()),
        "dollars_of_covered": nullable(dollars.of_covered.ravel()),
        "coverage": nullable(factors.coverage.values[rows].ravel()),
        **_why("coverage_", factors.coverage.unavailable[rows].ravel()),
    }


def sector_columns(assessment: Assessment, written: Written) -> Columns:
    """Return one row per portfolio and sector that it holds, whatever its neighbours in the shard hold."""
    sectors = assessment.sectors
    entry, sector = np.nonzero(sectors.gross_cents[written.portfolio])
    cells = written.portfolio[entry], sector
    return {
        **_key(assessment, written, entry),
        "sector": [sectors.names[index] for index in sector.tolist()],
        "net": _money(sectors.net_cents[cells]),
        "gross": _money(sectors.gross_cents[cells]),
        "net_over_equity": nullable(sectors.net.values[cells]),
        "gross_over_equity": nullable(sectors.gross.values[cells]),
        **_why("", sectors.net.unavailable[cells]),
    }


def measure_columns(assessment: Assessment, written: Written) -> Columns:
    """Return the measures of each portfolio, arrays in the order of their table."""
    rows = written.portfolio
    found = [assessment.measures[measure.name] for measure in MEASURES]
    return {
        **_key(assessment, written),
        "measures": [[measure.name for measure in MEASURES]] * rows.size,
        **_told("values", assessment.told.measures.part(rows)),
        **_arrays("coverages", Quantities.side_by_side([measured.coverage for measured in found]).part(rows)),
        "observations": np.column_stack([measured.observations for measured in found])[rows].tolist(),
        "window_sessions": np.column_stack([measured.window for measured in found])[rows].tolist(),
    }


def stress_columns(assessment: Assessment, written: Written) -> Columns:
    """Return the scenarios of each portfolio, arrays in the order of their table."""
    stress, rows = assessment.stress, written.portfolio
    return {
        **_key(assessment, written),
        "moves_digest": [assessment.moves_digest] * rows.size,
        "scenarios": [[scenario.scenario_id for scenario in SCENARIOS]] * rows.size,
        **_told("direct", assessment.told.direct.part(rows)),
        **_told("model", assessment.told.model.part(rows)),
        "at_risen_volatility": NumberRows.of(_where_told(stress.at_risen_volatility, assessment.told.model)[rows]),
        **_arrays("coverages", stress.coverage.part(rows)),
        "extrapolated_shares": nullable(stress.extrapolated_share.values[rows]),
        "realised_shares": nullable(stress.realised_share.values[rows]),
        "beyond_gross": stress.beyond_gross[rows].tolist(),
        **_reverse(assessment, written),
    }


def _where_told(values: FloatArray, figures: Figures) -> FloatArray:
    return np.where(np.isfinite(figures.values), values, np.nan)


def _reverse(assessment: Assessment, written: Written) -> dict[str, Sequence[Any]]:
    """Return the columns of reverse stress, arrays by loss, and within by factor or by session."""
    found, rows = assessment.reverse_stress, written.portfolio
    flat = len(rows), -1
    as_of = assessment.books.as_of
    days = sessions_between(shift_session(as_of, 1 - FACTOR_WINDOW), as_of)
    nearest = found.nearest[rows].reshape(flat).tolist()
    return {
        "reverse_losses": [list(REVERSE_LOSSES)] * rows.size,
        **_told("reverse_distances", assessment.told.reverse.part(rows)),
        "reverse_moves": NumberRows.of(found.moves[rows].reshape(flat)),
        "reverse_deviations": NumberRows.of(found.deviations[rows].reshape(flat)),
        "nearest_sessions": [[days[place] if place >= 0 else None for place in row] for row in nearest],
        "nearest_returns": NumberRows.of(found.nearest_returns[rows].reshape(flat)),
    }


def correlation_columns(assessment: Assessment, written: Written) -> Columns:
    """Return the correlation matrix of each portfolio, the part above the diagonal row by row, and its clusters."""
    names, holdings = np.array(assessment.books.symbols, dtype=object), assessment.books.holdings
    found = [assessment.diversification.portfolios[index] for index in written.portfolio.tolist()]
    return {
        **_key(assessment, written),
        "symbols": [names[holdings.symbol[entry.rows]].tolist() for entry in found],
        "correlations": NumberRows.of_each([_above(entry.matrix.values) for entry in found]),
        "clip": [entry.matrix.clip for entry in found],
        "missing_pairs": [entry.matrix.missing_pairs for entry in found],
        "clusters": [entry.cluster.tolist() for entry in found],
        "cluster_names": [list(entry.cluster_names) for entry in found],
    }


def contribution_columns(assessment: Assessment, written: Written) -> Columns:
    """Return whose the volatility of each portfolio is: factors, what is specific, and holdings."""
    holdings, model, rows = assessment.books.holdings, assessment.decomposition, written.portfolio
    names, weights = np.array(assessment.books.symbols, dtype=object), holdings.weights()
    bounds = holdings.bounds()
    spans = [slice(bounds[index], bounds[index + 1]) for index in rows.tolist()]
    return {
        **_key(assessment, written),
        "factors": [list(RISK_FACTORS)] * rows.size,
        "by_factor": NumberRows.of(model.by_factor[rows]),
        "by_specific": nullable(model.by_specific[rows]),
        "symbols": [names[holdings.symbol[span]].tolist() for span in spans],
        "weights": NumberRows.of_each([weights[span] for span in spans]),
        "by_holding": NumberRows.of_each([model.by_holding[span] for span in spans]),
        "marginal": NumberRows.of_each([model.marginal[span] for span in spans]),
    }


def active_columns(assessment: Assessment, written: Written) -> Columns:
    """Return the benchmark's sectors and those that each portfolio holds, whatever its neighbours in the shard hold."""
    rows, benchmark, active = written.portfolio, assessment.benchmark, assessment.active_sectors
    shown = [_shown_sectors(assessment, row) for row in rows.tolist()]
    return {
        **_key(assessment, written),
        "benchmark": [None if benchmark is None else benchmark.name] * rows.size,
        "benchmark_as_of": [None if benchmark is None else benchmark.as_of] * rows.size,
        "sectors": [[active.names[sector] for sector in sectors] for sectors in shown],
        "weights": NumberRows.of_each([active.weights[sectors] for sectors in shown]),
        "active": NumberRows.of_each([active.active[row, sectors] for row, sectors in zip(rows, shown, strict=True)]),
        **_why("", active.unavailable[rows]),
    }


def moves_columns(assessment: Assessment) -> Columns:
    """Return the one row of the session's factor moves."""
    moves = assessment.moves
    reasons, details = reason_columns(np.array(moves.unavailable, dtype=object))
    return {
        "as_of": [assessment.books.as_of],
        "digest": [assessment.moves_digest],
        "factors": [list(RISK_FACTORS)],
        "proxies": [list(assessment.proxies)],
        "reasons": [reasons],
        "details": [details],
        "covariance": [nullable(moves.covariance.ravel())],
        "correlated": [list(moves.correlated)],
        "correlations": NumberRows.of_each([_above(moves.correlations.values)]),
        "largest": [nullable(moves.largest)],
        "scenarios": [[scenario.scenario_id for scenario in SCENARIOS]],
        "basis": [list(moves.basis)],
        "shocks": [nullable(moves.shocks.ravel())],
        "moves": [nullable(moves.moves.ravel())],
        "extrapolated": [moves.extrapolated.ravel().tolist()],
    }


def _key(assessment: Assessment, written: Written, entry: IntArray | None = None) -> dict[str, Any]:
    """Return the key of rows that belong to these entries of `written`; none given: one row an entry."""
    entries = np.arange(written.portfolio.size) if entry is None else entry
    ids = np.array(assessment.books.portfolio_ids, dtype=object)
    return {
        "portfolio_id": ids[written.portfolio[entries]],
        "as_of": [assessment.books.as_of] * entries.size,
        "revision": written.revision[entries],
    }


def _why(prefix: str, unavailable: ReasonArray) -> dict[str, list[Any]]:
    reasons, details = reason_columns(unavailable)
    return {f"{prefix}reason": reasons, f"{prefix}detail": details}


def _arrays(name: str, quantities: Quantities) -> dict[str, Sequence[Any]]:
    reasons, details = reason_columns(quantities.unavailable)
    return {name: NumberRows.of(quantities.values), f"{name}_reasons": reasons, f"{name}_details": details}


def _told(name: str, figures: Figures) -> dict[str, Sequence[Any]]:
    quantities = Quantities(figures.values, figures.unavailable)
    return {**_arrays(name, quantities), f"{name}_of_covered": NumberRows.of(figures.of_covered)}


def _money(cents: IntArray) -> list[Decimal]:
    return [Decimal(amount).scaleb(-2) for amount in cents.tolist()]


def _above(matrix: FloatArray) -> FloatArray:
    return matrix[above_diagonal(len(matrix))]


def _shown_sectors(assessment: Assessment, portfolio: int) -> list[int]:
    if assessment.benchmark is None:
        return []
    amounts = zip(assessment.sectors.names, assessment.sectors.gross_cents[portfolio], strict=True)
    named = {*assessment.benchmark.weights, *(name for name, gross in amounts if gross)}
    return [place for place, name in enumerate(assessment.active_sectors.names) if name in named]
