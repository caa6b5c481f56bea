"""From the analyses of a shard to the columns of its tables."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from services.symbol_analytics.core.analysis import Analysis
from services.symbol_analytics.core.columns import RATIOS, VALUE_COLUMNS
from services.symbol_analytics.core.digest import CODE_VERSION
from services.symbol_analytics.core.factors import FACTOR_METHODS
from shared.arrays import IntArray, ReasonArray
from shared.conventions import FACTORS
from shared.db.binary import NumberRows
from shared.db.bulk import Columns
from shared.unavailable import Quantities, nullable, reason_columns


@dataclass(frozen=True, slots=True)
class Shard:
    """Whose results they are, and of which run."""

    symbols: tuple[str, ...]
    run_id: UUID
    factor_set_id: int


def estimate_columns(shard: Shard, analyses: Sequence[Analysis]) -> Columns:
    """Return one row per session and symbol, arrays by FACTORS."""
    tables = [analysis.estimates for analysis in analyses]
    reasons, details = reason_columns(np.concatenate([table.betas.unavailable for table in tables]))
    return {
        **_made_of_factors(shard, analyses),
        "betas": NumberRows.of(np.concatenate([table.betas.values for table in tables])),
        "reasons": reasons,
        "details": details,
        "methods": [[FACTOR_METHODS[factor] for factor in FACTORS]] * (len(analyses) * len(shard.symbols)),
        "capped": np.concatenate([table.capped for table in tables]),
        "r_squared": NumberRows.of(np.concatenate([table.r_squared.values for table in tables])),
        "std_errors": NumberRows.of(np.concatenate([table.std_errors.values for table in tables])),
        "p_values": NumberRows.of(np.concatenate([table.p_values.values for table in tables])),
        "n_observations": np.concatenate([table.n_observations for table in tables]),
        "first_sessions": [row for each in analyses for row in _sessions(each, each.estimates.first_row)],
        "last_sessions": [row for each in analyses for row in _sessions(each, each.estimates.last_row)],
        "source": [source for each in analyses for source in each.provided.sources.tolist()],
        "source_date": [day for each in analyses for day in each.provided.days.tolist()],
    }


def loading_columns(shard: Shard, analyses: Sequence[Analysis]) -> Columns:
    """Return one row per session and symbol, with the digest of its factors: they are made of the same."""
    found = [analysis.loadings for analysis in analyses]
    reasons, details = reason_columns(np.concatenate([table.unavailable for table in found]))
    return {
        **_made_of_factors(shard, analyses),
        "loadings": NumberRows.of(np.concatenate([table.values for table in found])),
        "std_errors": NumberRows.of(np.concatenate([table.std_errors for table in found])),
        "r_squared": nullable(np.concatenate([table.r_squared for table in found])),
        "specific_volatility": nullable(np.concatenate([table.specific_volatility for table in found])),
        "reason": reasons,
        "detail": details,
        "n_observations": np.concatenate([table.n_observations for table in found]),
        "first_session": [day for analysis in analyses for day in _sessions(analysis, analysis.loadings.first_row)],
        "last_session": [day for analysis in analyses for day in _sessions(analysis, analysis.loadings.last_row)],
    }


def _made_of_factors(shard: Shard, analyses: Sequence[Analysis]) -> Columns:
    n_results = len(analyses) * len(shard.symbols)
    return {
        "symbol": list(shard.symbols) * len(analyses),
        "as_of": [analysis.as_of for analysis in analyses for _ in shard.symbols],
        "digest": [digest for analysis in analyses for digest in analysis.factor_digests],
        "code_version": [CODE_VERSION] * n_results,
        "run_id": [shard.run_id] * n_results,
        "factor_set_id": [shard.factor_set_id] * n_results,
    }


def metric_columns(shard: Shard, analyses: Sequence[Analysis]) -> Columns:
    """Return one row per session and symbol: its metrics, and the betas that `estimate_columns` has of them."""
    tables = [Quantities.side_by_side([analysis.metrics, analysis.estimates.betas]) for analysis in analyses]
    values = np.concatenate([table.values for table in tables])
    columns: dict[str, Any] = {
        "symbol": list(shard.symbols) * len(analyses),
        "as_of": [analysis.as_of for analysis in analyses for _ in shard.symbols],
        "digest": [digest for analysis in analyses for digest in analysis.metric_digests],
        "code_version": [CODE_VERSION] * len(values),
        "run_id": [shard.run_id] * len(values),
        "unavailable": [_why(row) for table in tables for row in table.unavailable],
        "n_observations": [row for analysis in analyses for row in analysis.measured.n_observations.tolist()],
        "first_sessions": [row for analysis in analyses for row in _sessions(analysis, analysis.measured.first_row)],
    }
    columns |= {name: nullable(values[:, column]) for column, name in enumerate(VALUE_COLUMNS)}
    for column, name in enumerate(RATIOS):
        columns[f"{name}_basis"] = [basis for analysis in analyses for basis in analysis.ratios.bases[:, column]]
        columns[f"{name}_period_end"] = [
            day for analysis in analyses for day in analysis.ratios.period_ends[:, column].tolist()
        ]
    return columns


def _why(row: ReasonArray) -> str:
    known = zip(VALUE_COLUMNS, row.tolist(), strict=True)
    return json.dumps({name: [why.reason.value, why.detail] for name, why in known if why is not None})


def _sessions(analysis: Analysis, rows: IntArray) -> list[Any]:
    """Return the days of rows as lists, nested as the array is, None for those below 0."""
    days = analysis.sessions[rows]
    days[rows < 0] = np.datetime64("NaT")
    return list(days.tolist())
