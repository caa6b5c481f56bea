"""From an assessment to the columns of its tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np

from services.risk.core.assessment import Assessment
from services.risk.core.digest import CODE_VERSION
from services.risk.core.measures import MEASURES
from services.risk.core.scenarios import SCENARIOS
from shared.arrays import FloatArray, IntArray, ReasonArray
from shared.conventions import FACTORS, RISK_FACTORS, STYLE_FACTORS
from shared.db.bulk import Columns
from shared.unavailable import Quantities, nullable


@dataclass(frozen=True, slots=True)
class Written:
    """The portfolios of an assessment that got a new revision: their indices and its number, (n_written,)."""

    portfolio: IntArray
    revision: IntArray

    @classmethod
    def of(cls, assessment: Assessment, revisions: Mapping[UUID, int]) -> "Written":
        """Return the portfolios that `revisions` names."""
        ids = assessment.held.portfolio_ids
        indices = [index for index, portfolio_id in enumerate(ids) if portfolio_id in revisions]
        numbers = [revisions[ids[index]] for index in indices]
        return cls(np.array(indices, dtype=np.int64), np.array(numbers, dtype=np.int64))


def assessment_columns(assessment: Assessment, run_id: UUID) -> Columns:
    """Return one row per portfolio."""
    held = assessment.held
    return {
        "portfolio_id": held.portfolio_ids,
        "as_of": [held.as_of] * len(held.portfolio_ids),
        "digest": assessment.digests,
        "code_version": [CODE_VERSION] * len(held.portfolio_ids),
        "run_id": [run_id] * len(held.portfolio_ids),
        "equity": _money(held.books.equity),
    }


def factor_columns(assessment: Assessment, written: Written) -> Columns:
    """Return one row per portfolio and factor."""
    factors, rows = assessment.factors, written.portfolio
    return {
        **_key(assessment, written, np.repeat(np.arange(rows.size), len(FACTORS))),
        "factor": FACTORS * rows.size,
        "beta": nullable(factors.beta.values[rows].ravel()),
        "dollars": nullable(factors.dollars.values[rows].ravel()),
        **_why(factors.beta.unavailable[rows]),
        **_coverage(Quantities(factors.coverage.values[rows], factors.coverage.unavailable[rows])),
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
        **_why(sectors.net.unavailable[cells]),
    }


def _key(assessment: Assessment, written: Written, entry: IntArray) -> dict[str, Any]:
    ids = np.array(assessment.held.portfolio_ids, dtype=object)
    return {
        "portfolio_id": ids[written.portfolio[entry]],
        "as_of": [assessment.held.as_of] * entry.size,
        "revision": written.revision[entry],
    }


def _why(unavailable: ReasonArray) -> dict[str, list[str | None]]:
    flat = unavailable.ravel().tolist()
    return {
        "reason": [None if why is None else why.reason.value for why in flat],
        "detail": [None if why is None else why.detail for why in flat],
    }


def _coverage(coverage: Quantities) -> dict[str, Any]:
    why = _why(coverage.unavailable)
    return {
        "coverage": nullable(coverage.values.ravel()),
        "coverage_reason": why["reason"],
        "coverage_detail": why["detail"],
    }


def _money(cents: IntArray) -> list[Decimal]:
    return [Decimal(amount).scaleb(-2) for amount in cents.tolist()]


def measure_columns(assessment: Assessment, written: Written) -> Columns:
    """Return the measures of each portfolio, arrays in the order of their table."""
    found = [assessment.measures[measure.name] for measure in MEASURES]
    values = _side_by_side([measured.values for measured in found], written)
    coverage = _side_by_side([measured.coverage for measured in found], written)
    return {
        **_key(assessment, written, np.arange(written.portfolio.size)),
        "measures": [[measure.name for measure in MEASURES]] * written.portfolio.size,
        **_values("values", values),
        **_values("coverages", coverage),
        "observations": np.column_stack([measured.observations[written.portfolio] for measured in found]).tolist(),
        "window_sessions": np.column_stack([measured.window[written.portfolio] for measured in found]).tolist(),
    }


def stress_columns(assessment: Assessment, written: Written) -> Columns:
    """Return the scenarios of each portfolio, arrays in the order of their table."""
    stress, rows = assessment.stress, written.portfolio
    return {
        **_key(assessment, written, np.arange(written.portfolio.size)),
        "moves_digest": [assessment.moves_digest] * rows.size,
        "scenarios": [[scenario.scenario_id for scenario in SCENARIOS]] * rows.size,
        **_values("direct", _rows(stress.direct, written)),
        **_values("propagated", _rows(stress.propagated, written)),
        **_values("coverages", _rows(stress.coverage, written)),
        "beyond_gross": stress.beyond_gross[rows].tolist(),
    }


def correlation_columns(assessment: Assessment, written: Written) -> Columns:
    """Return the correlation matrix of each portfolio, the part above the diagonal row by row, and its clusters."""
    held = assessment.held
    names = np.array(held.symbols, dtype=object)
    found = [assessment.diversification.portfolios[index] for index in written.portfolio.tolist()]
    return {
        **_key(assessment, written, np.arange(written.portfolio.size)),
        "symbols": [names[held.books.symbol[entry.holdings]].tolist() for entry in found],
        "correlations": [_above(entry.matrix.values) for entry in found],
        "clip": [entry.matrix.clip for entry in found],
        "missing_pairs": [entry.matrix.missing_pairs for entry in found],
        "clusters": [entry.cluster.tolist() for entry in found],
        "cluster_names": [list(entry.cluster_names) for entry in found],
    }


def contribution_columns(assessment: Assessment, written: Written) -> Columns:
    """Return whose the volatility of each portfolio is: factors, what is specific, and holdings."""
    held, model = assessment.held, assessment.decomposition
    names = np.array(held.symbols, dtype=object)
    bounds = np.searchsorted(held.books.portfolio, np.arange(held.books.n_portfolios + 1))
    spans = [slice(bounds[index], bounds[index + 1]) for index in written.portfolio.tolist()]
    return {
        **_key(assessment, written, np.arange(written.portfolio.size)),
        "factors": [list(STYLE_FACTORS)] * written.portfolio.size,
        "by_factor": nullable(model.by_factor[written.portfolio]),
        "by_specific": nullable(model.by_specific[written.portfolio]),
        "symbols": [names[held.books.symbol[span]].tolist() for span in spans],
        "weights": [_weights(assessment, span) for span in spans],
        "by_holding": [nullable(model.by_holding[span]) for span in spans],
        "marginal": [nullable(model.marginal[span]) for span in spans],
    }


def active_columns(assessment: Assessment, written: Written) -> Columns:
    """Return the benchmark's sectors and those that each portfolio holds, whatever its neighbours in the shard hold."""
    rows, benchmark, active = written.portfolio, assessment.benchmark, assessment.active_sectors
    whys = active.unavailable[rows].tolist()
    shown = [_shown(assessment, row) for row in rows.tolist()]
    return {
        **_key(assessment, written, np.arange(written.portfolio.size)),
        "benchmark": [None if benchmark is None else benchmark.name] * rows.size,
        "benchmark_as_of": [None if benchmark is None else benchmark.as_of] * rows.size,
        "sectors": [[active.names[sector] for sector in sectors] for sectors in shown],
        "weights": [nullable(active.weights[sectors]) for sectors in shown],
        "active": [nullable(active.active[row, sectors]) for row, sectors in zip(rows, shown, strict=True)],
        "reason": [None if why is None else why.reason.value for why in whys],
        "detail": [None if why is None else why.detail for why in whys],
    }


def _shown(assessment: Assessment, portfolio: int) -> list[int]:
    if assessment.benchmark is None:
        return []
    amounts = zip(assessment.sectors.names, assessment.sectors.gross_cents[portfolio], strict=True)
    named = {*assessment.benchmark.weights, *(name for name, gross in amounts if gross)}
    return [place for place, name in enumerate(assessment.active_sectors.names) if name in named]


def moves_columns(assessment: Assessment) -> Columns:
    """Return the one row of the session's factor moves."""
    moves = assessment.moves
    whys = moves.unavailable
    return {
        "as_of": [assessment.held.as_of],
        "digest": [assessment.moves_digest],
        "factors": [list(RISK_FACTORS)],
        "proxies": [list(assessment.proxies)],
        "reasons": [[None if why is None else why.reason.value for why in whys]],
        "details": [[None if why is None else why.detail for why in whys]],
        "covariance": [nullable(moves.covariance.ravel())],
        "correlated": [[name for name, why in zip(RISK_FACTORS, whys, strict=True) if why is None]],
        "correlations": [_above(moves.correlations.values)],
        "largest": [nullable(moves.largest)],
        "scenarios": [[scenario.scenario_id for scenario in SCENARIOS]],
        "basis": [list(moves.basis)],
        "shocks": [nullable(moves.shocks.ravel())],
        "moves": [nullable(moves.moves.ravel())],
        "extrapolated": [moves.extrapolated.ravel().tolist()],
    }


def _rows(quantities: Quantities, written: Written) -> Quantities:
    return Quantities(quantities.values[written.portfolio], quantities.unavailable[written.portfolio])


def _side_by_side(measures: Sequence[Quantities], written: Written) -> Quantities:
    return Quantities(
        np.column_stack([quantities.values[written.portfolio] for quantities in measures]),
        np.column_stack([quantities.unavailable[written.portfolio] for quantities in measures]),
    )


def _values(name: str, quantities: Quantities) -> dict[str, Any]:
    return {
        name: nullable(quantities.values),
        f"{name}_reasons": _texts(quantities.unavailable, "reason"),
        f"{name}_details": _texts(quantities.unavailable, "detail"),
    }


def _texts(unavailable: ReasonArray, part: str) -> list[list[str | None]]:
    # Most rows have no reason at all.
    nothing: list[str | None] = [None] * unavailable.shape[1]
    return [
        [None if why is None else str(getattr(why, part)) for why in row] if row.any() else nothing
        for row in unavailable
    ]


def _above(matrix: FloatArray) -> list[Any]:
    return nullable(matrix[np.triu_indices(len(matrix), 1)])


def _weights(assessment: Assessment, span: slice) -> list[Any]:
    books = assessment.held.books
    equity = books.equity[books.portfolio[span]].astype(np.float64)
    weights = np.full(equity.shape, np.nan)
    np.divide(books.net[span].astype(np.float64), equity, out=weights, where=equity > 0)
    return nullable(weights)
