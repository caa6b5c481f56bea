"""From the analyses of a shard to the columns of its tables."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np

from services.symbol_analytics.core.analysis import Analysis
from services.symbol_analytics.core.columns import RATIOS, VALUE_COLUMNS
from services.symbol_analytics.core.digest import CODE_VERSION
from services.symbol_analytics.core.factors import FACTOR_METHODS
from shared.arrays import ReasonArray
from shared.conventions import FACTORS, PROVIDER_BETA
from shared.db.bulk import Columns
from shared.unavailable import Quantities, nullable, reason_columns


@dataclass(frozen=True, slots=True)
class Shard:
    """Whose results they are, and of which run."""

    symbols: tuple[str, ...]
    run_id: UUID
    factor_set_id: int


def factor_columns(shard: Shard, analyses: Sequence[Analysis]) -> Columns:
    """Return one row per session, symbol and factor."""
    n_results = len(analyses) * len(shard.symbols)
    betas = [analysis.estimates.betas for analysis in analyses]
    reasons, details = reason_columns(np.concatenate([table.unavailable.ravel() for table in betas]))
    return {
        "symbol": [symbol for symbol in shard.symbols for _ in FACTORS] * len(analyses),
        "as_of": [analysis.as_of for analysis in analyses for _ in range(len(shard.symbols) * len(FACTORS))],
        "factor": FACTORS * n_results,
        "digest": [digest for analysis in analyses for digest in analysis.factor_digests for _ in FACTORS],
        "code_version": [CODE_VERSION] * (n_results * len(FACTORS)),
        "run_id": [shard.run_id] * (n_results * len(FACTORS)),
        "factor_set_id": [shard.factor_set_id] * (n_results * len(FACTORS)),
        "beta": nullable(np.concatenate([table.values.ravel() for table in betas])),
        "reason": reasons,
        "detail": details,
        **_evidence(analyses, n_results),
    }


def _evidence(analyses: Sequence[Analysis], n_results: int) -> dict[str, Any]:
    """Return the columns of FACTOR_FIELDS."""
    tables = [analysis.estimates for analysis in analyses]
    origins = [origin for analysis in analyses for origin in _origins(analysis)]
    return {
        "method": [FACTOR_METHODS[factor] for factor in FACTORS] * n_results,
        "capped": np.concatenate([table.capped.ravel() for table in tables]),
        "r_squared": nullable(np.concatenate([table.r_squared.values.ravel() for table in tables])),
        "std_error": nullable(np.concatenate([table.std_errors.values.ravel() for table in tables])),
        "p_value": nullable(np.concatenate([table.p_values.values.ravel() for table in tables])),
        "n_observations": np.concatenate([table.n_observations.ravel() for table in tables]),
        "first_session": [
            day for analysis in analyses for day in _sessions(analysis, analysis.estimates.first_row.ravel())
        ],
        "last_session": [
            day for analysis in analyses for day in _sessions(analysis, analysis.estimates.last_row.ravel())
        ],
        "source": [source for source, _ in origins],
        "source_date": [day for _, day in origins],
    }


def loading_columns(shard: Shard, analyses: Sequence[Analysis]) -> Columns:
    """Return one row per session and symbol, with the digest of its factors: they are made of the same."""
    n_results = len(analyses) * len(shard.symbols)
    found = [analysis.loadings for analysis in analyses]
    reasons, details = reason_columns(np.concatenate([table.unavailable for table in found]))
    return {
        "symbol": list(shard.symbols) * len(analyses),
        "as_of": [analysis.as_of for analysis in analyses for _ in shard.symbols],
        "digest": [digest for analysis in analyses for digest in analysis.factor_digests],
        "code_version": [CODE_VERSION] * n_results,
        "run_id": [shard.run_id] * n_results,
        "factor_set_id": [shard.factor_set_id] * n_results,
        "loadings": nullable(np.concatenate([table.values for table in found])),
        "std_errors": nullable(np.concatenate([table.std_errors for table in found])),
        "r_squared": nullable(np.concatenate([table.r_squared for table in found])),
        "specific_volatility": nullable(np.concatenate([table.specific_volatility for table in found])),
        "reason": reasons,
        "detail": details,
        "n_observations": np.concatenate([table.n_observations for table in found]),
        "first_session": [day for analysis in analyses for day in _sessions(analysis, analysis.loadings.first_row)],
        "last_session": [day for analysis in analyses for day in _sessions(analysis, analysis.loadings.last_row)],
    }


def metric_columns(shard: Shard, analyses: Sequence[Analysis]) -> Columns:
    """Return one row per session and symbol: its metrics, and the betas that `factor_columns` has of them."""
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
        "first_sessions": [_sessions(analysis, row) for analysis in analyses for row in analysis.measured.first_row],
    }
    columns |= {name: nullable(values[:, column]) for column, name in enumerate(VALUE_COLUMNS)}
    for column, name in enumerate(RATIOS):
        columns[f"{name}_basis"] = [basis for analysis in analyses for basis in analysis.ratios.bases[:, column]]
        columns[f"{name}_period_end"] = [
            day for analysis in analyses for day in analysis.ratios.period_ends[:, column].tolist()
        ]
    return columns


def _origins(analysis: Analysis) -> list[tuple[str | None, date | None]]:
    provided = zip(analysis.provided.sources.tolist(), analysis.provided.days.tolist(), strict=True)
    return [origin if factor == PROVIDER_BETA else (None, None) for origin in provided for factor in FACTORS]


def _why(row: ReasonArray) -> str:
    known = zip(VALUE_COLUMNS, row.tolist(), strict=True)
    return json.dumps({name: [why.reason.value, why.detail] for name, why in known if why is not None})


def _sessions(analysis: Analysis, rows: Any) -> list[date | None]:
    days = analysis.sessions.tolist()
    return [days[row] if row >= 0 else None for row in rows.tolist()]
