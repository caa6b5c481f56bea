"""The lower bound of a night: the same numerics and the same rows, without services, events or revisions."""

import time
from dataclasses import dataclass
from typing import Any

import asyncpg
import numpy as np

from shared.conventions import FACTORS
from tests.benchmarks.numerics import Night, Stopwatch, compute_night
from tests.benchmarks.universe import Universe

_REPETITIONS = 3


@dataclass(frozen=True, slots=True)
class Bound:
    """Seconds that one process needs for a night's numbers and rows, and the CPU seconds of each family of numbers."""

    seconds: float
    numerics: dict[str, float]


async def measure_bound(universe: Universe, admin: Any, *, portfolios: int, size: int) -> Bound:
    """Return the least of some repetitions: NumPy, then COPY."""
    runs = [await _bound(universe, admin, portfolios=portfolios, size=size) for _ in range(_REPETITIONS)]
    families = {name: min(run.numerics[name] for run in runs) for name in runs[0].numerics}
    return Bound(min(run.seconds for run in runs), families)


async def _bound(universe: Universe, admin: Any, *, portfolios: int, size: int) -> Bound:
    watch = Stopwatch()
    started = time.perf_counter()
    tables = _tables(universe, compute_night(universe, portfolios=portfolios, size=size, watch=watch))
    connection: asyncpg.Connection[Any] = admin
    async with connection.transaction():
        for name, columns in tables.items():
            kinds = ", ".join(f"c{index} {kind}" for index, kind in enumerate(_kinds(columns)))
            await connection.execute(f"CREATE TEMP TABLE {name} ({kinds}) ON COMMIT DROP")
            lists = [column.tolist() if isinstance(column, np.ndarray) else column for column in columns]
            await connection.copy_records_to_table(name, records=zip(*lists, strict=True))
    return Bound(time.perf_counter() - started, watch.seconds)


def _kinds(columns: list[Any]) -> list[str]:
    return ["text" if isinstance(column, list) else "double precision" for column in columns]


def _tables(universe: Universe, night: Night) -> dict[str, list[Any]]:
    estimates, valued, risk = night.estimates, night.valuation, night.risk
    return {
        "bound_bars": [list(universe.symbols), universe.close[-1]],
        "bound_factors": [
            [symbol for symbol in universe.symbols for _ in FACTORS],
            list(FACTORS) * len(universe.symbols),
            estimates.betas.values.ravel(),
            estimates.r_squared.values.ravel(),
            estimates.std_errors.values.ravel(),
            estimates.p_values.values.ravel(),
        ],
        "bound_metrics": [list(universe.symbols), *(row for table in night.metrics for row in table.values.T)],
        "bound_values": [
            valued.positions.quantity[0],
            valued.positions.mark[0],
            valued.positions.market_value[0].astype(float),
            valued.positions.pnl[0].astype(float),
        ],
        "bound_snapshots": [valued.portfolios.equity[0].astype(float), valued.portfolios.pnl[0].astype(float)],
        "bound_risk": [risk.exposures.beta.values.ravel(), risk.exposures.coverage.values.ravel()],
        "bound_stress": [risk.stress.direct.values.ravel(), risk.stress.model.values.ravel()],
        "bound_measures": [night.measures],
    }
