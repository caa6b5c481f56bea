"""The lower bound of a night: the same numerics and the same rows, without services, events or revisions."""

import time
from typing import Any

import asyncpg
import numpy as np

from services.portfolio.core.marking import Holdings
from services.portfolio.core.trades import Exits, Lots, Market
from services.portfolio.core.valuation import Opening, roll_forward
from services.risk.core.books import Books
from services.risk.core.factor_moves import factor_moves
from services.risk.core.measures import MEASURES
from services.risk.core.risk_inputs import RETURN_SESSIONS, RiskInputs
from services.symbol_analytics.core.factors import estimate_factors
from services.symbol_analytics.core.metrics import horizon_returns, realised_volatilities
from shared.conventions import FACTORS, RISK_FACTORS
from shared.factor_set import FactorSet
from shared.returns import simple_returns
from shared.unavailable import Quantities
from tests.benchmarks.universe import Universe

_SESSIONS = 265


async def bound_s(universe: Universe, admin: Any, *, portfolios: int, size: int) -> float:
    """Return the seconds that one process needs for a night's numbers and rows: NumPy, then COPY."""
    started = time.perf_counter()
    tables = _numbers(universe, portfolios, size)
    connection: asyncpg.Connection[Any] = admin
    async with connection.transaction():
        for name, columns in tables.items():
            kinds = ", ".join(f"c{index} {kind}" for index, kind in enumerate(_kinds(columns)))
            await connection.execute(f"CREATE TEMP TABLE {name} ({kinds}) ON COMMIT DROP")
            lists = [column.tolist() if isinstance(column, np.ndarray) else column for column in columns]
            await connection.copy_records_to_table(name, records=zip(*lists, strict=True))
    return time.perf_counter() - started


def _kinds(columns: list[Any]) -> list[str]:
    return ["text" if isinstance(column, list) else "double precision" for column in columns]


def _numbers(universe: Universe, portfolios: int, size: int) -> dict[str, list[Any]]:
    closes = universe.close[-_SESSIONS:]
    factor_set = FactorSet()
    column = {symbol: index for index, symbol in enumerate(universe.symbols)}
    proxies = {ticker: closes[:, column[ticker]] for ticker in factor_set.tickers()}
    provider = Quantities.available(np.ones(closes.shape[1]))
    estimates = estimate_factors(closes, proxies, factor_set=factor_set, provider_betas=provider)
    sessions = np.array(universe.sessions[-_SESSIONS:], dtype="datetime64[D]")
    metrics = (*(horizon_returns(closes, sessions) for _ in range(2)), realised_volatilities(closes))

    lots, books = _books(universe, portfolios, size)
    positions = portfolios * size
    opening = Opening(np.full(portfolios, 10**8), np.ones(portfolios), Holdings.none(positions))
    blank = np.ones((1, closes.shape[1]))
    market = Market(closes[-1:], blank, blank - 1.0)
    none = np.zeros(0, dtype=np.int64)
    flows = np.zeros((1, portfolios), dtype=np.int64)
    valued = roll_forward(
        lots, market, exits=Exits(none, none, none.astype(float), none.astype(float)), flows=flows, opening=opening
    )
    returns = np.ascontiguousarray(simple_returns(universe.close[-RETURN_SESSIONS - 1 :]).T)
    tickers = tuple(factor_set.proxy(factor) for factor in RISK_FACTORS)
    factor_returns = returns[[column[ticker or ""] for ticker in tickers]]
    moves = factor_moves(factor_returns, tickers, episodes={})
    inputs = RiskInputs(books, estimates.betas, ["Technology"] * len(universe.symbols), returns, factor_returns, moves)
    measures = [measure.compute(inputs).values.values for measure in MEASURES]
    return {
        "bound_bars": [list(universe.symbols), closes[-1]],
        "bound_factors": [
            [symbol for symbol in universe.symbols for _ in FACTORS],
            list(FACTORS) * len(universe.symbols),
            estimates.betas.values.ravel(),
            estimates.r_squared.values.ravel(),
            estimates.std_errors.values.ravel(),
            estimates.p_values.values.ravel(),
        ],
        "bound_metrics": [list(universe.symbols), *(row for table in metrics for row in table.values.T)],
        "bound_values": [
            valued.positions.quantity[0],
            valued.positions.mark[0],
            valued.positions.value[0].astype(float),
            valued.positions.pnl[0].astype(float),
        ],
        "bound_snapshots": [valued.portfolios.equity[0].astype(float), valued.portfolios.pnl[0].astype(float)],
        "bound_risk": [inputs.exposures.beta.values.ravel(), inputs.exposures.coverage.values.ravel()],
        "bound_stress": [inputs.stress.direct.values.ravel(), inputs.stress.propagated.values.ravel()],
        "bound_measures": [np.concatenate(measures)],
    }


def _books(universe: Universe, portfolios: int, size: int) -> tuple[Lots, Books]:
    generator = np.random.default_rng(11)
    positions = portfolios * size
    symbol = generator.integers(len(FactorSet().tickers()), len(universe.symbols), positions)
    owner = np.repeat(np.arange(portfolios), size)
    ones = np.ones(positions)
    lots = Lots(owner, symbol, ones.astype(np.int64), np.zeros(positions, dtype=np.int64), ones * 100.0, ones * 100.0)
    exposure = np.round(universe.close[-1, symbol] * 10_000).astype(np.int64)
    books = Books.of(owner, symbol, exposure=exposure, equity=np.full(portfolios, 10**8), names=universe.symbols)
    return lots, books
