"""Random books, betas and returns, and books written by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import strategies as st

from services.risk.core.factor_moves import factor_moves
from services.risk.core.holdings import NetHoldings
from services.risk.core.options import Options
from services.risk.core.risk_context import RETURN_SESSIONS, RiskContext
from services.risk.core.scenarios import RateSensitivity
from shared.arrays import BoolArray, FloatArray, IntArray, ReasonArray
from shared.black_scholes import Terms, greeks
from shared.conventions import FACTORS, MODEL_COLUMNS, OPTION_RISK_FREE_RATE, RISK_FACTORS
from shared.unavailable import Quantities, Reason, Unavailable, reason_where

N_FACTORS = len(FACTORS)
N_SESSIONS = RETURN_SESSIONS


@dataclass(frozen=True)
class Shard:
    """Positions of some portfolios, and what is known of the symbols."""

    names: tuple[str, ...]
    portfolio: IntArray
    symbol: IntArray
    exposure: IntArray
    equity: IntArray
    betas: Quantities
    returns: FloatArray
    sectors: tuple[str, ...]
    factor_returns: FloatArray
    model: Quantities
    episodes: dict[str, FloatArray]
    options: Options = field(default_factory=Options.none)

    @property
    def inputs(self) -> RiskContext:
        """Return what the measures take."""
        moves = factor_moves(self.factor_returns, RISK_FACTORS, episodes={}, rate=RateSensitivity())
        return RiskContext(
            self.holdings, self.betas, self.sectors, self.returns, self.model, moves, episodes=self.episodes
        )

    @property
    def holdings(self) -> NetHoldings:
        return NetHoldings.of(
            self.portfolio,
            self.symbol,
            exposure=self.exposure,
            equity=self.equity,
            names=self.names,
            options=self.options,
        )

    def positions(self, order: IntArray) -> "Shard":
        """Return the shard with these positions, in this order."""
        place = np.full(self.portfolio.size, -1)
        place[order] = np.arange(order.size)
        options = replace(self.options, place=place[self.options.place])
        return replace(
            self,
            portfolio=self.portfolio[order],
            symbol=self.symbol[order],
            exposure=self.exposure[order],
            options=options.part(np.random.default_rng(order.size).permutation(np.flatnonzero(options.place >= 0))),
        )

    def portfolios(self, order: IntArray) -> "Shard":
        """Return the shard with its portfolios in another order."""
        place = np.empty(self.equity.size, dtype=np.int64)
        place[order] = np.arange(self.equity.size)
        return replace(self, portfolio=place[self.portfolio], equity=self.equity[order])

    def symbols(self, order: IntArray) -> "Shard":
        """Return the shard with its symbols in another order."""
        place = np.empty(len(self.names), dtype=np.int64)
        place[order] = np.arange(len(self.names))
        return replace(
            self,
            names=tuple(self.names[index] for index in order),
            symbol=place[self.symbol],
            betas=Quantities(self.betas.values[order], self.betas.unavailable[order]),
            returns=self.returns[order],
            sectors=tuple(self.sectors[index] for index in order),
            model=self.model.part(order),
            episodes={name: returns[order] for name, returns in self.episodes.items()},
        )

    def alone(self, portfolio: int) -> "Shard":
        """Return the shard of one portfolio and only the symbols it holds."""
        mine = self.positions(np.flatnonzero(self.portfolio == portfolio))
        held = np.unique(mine.symbol)
        place = np.full(len(self.names), -1)
        place[held] = np.arange(held.size)
        return Shard(
            tuple(self.names[index] for index in held),
            np.zeros_like(mine.portfolio),
            place[mine.symbol],
            mine.exposure,
            self.equity[[portfolio]],
            Quantities(self.betas.values[held], self.betas.unavailable[held]),
            self.returns[held],
            tuple(self.sectors[index] for index in held),
            self.factor_returns,
            self.model.part(held),
            {name: returns[held] for name, returns in self.episodes.items()},
            mine.options,
        )


def shards() -> st.SearchStrategy[Shard]:
    return st.builds(shard_of, st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(1, 5), st.integers(1, 20))


def small_shards() -> st.SearchStrategy[Shard]:
    """Return two or three portfolios with enough in them that options are among it: what searches does for each."""
    return st.builds(shard_of, st.integers(0, 2**32 - 1), st.integers(8, 20), st.integers(2, 3), st.integers(2, 8))


def shard_of(seed: int, n_positions: int, n_portfolios: int, n_symbols: int) -> Shard:
    rng = np.random.default_rng(seed)
    equity = rng.integers(1_000_000, 100_000_000, n_portfolios)
    equity[rng.random(n_portfolios) < 0.1] *= -1
    factor_returns = rng.normal(0, 0.01, (len(RISK_FACTORS), N_SESSIONS))
    returns = rng.normal(0.5, 0.5, (n_symbols, 1)) * factor_returns[0] + rng.normal(0, 0.02, (n_symbols, N_SESSIONS))
    returns[rng.random(n_symbols) < 0.2, rng.integers(0, N_SESSIONS)] = np.nan
    returns[rng.random(n_symbols) < 0.1, : rng.integers(0, N_SESSIONS)] = np.nan
    portfolio, symbol = rng.integers(0, n_portfolios, n_positions), rng.integers(0, n_symbols, n_positions)
    exposure = rng.integers(-5_000_000, 5_000_000, n_positions)
    return Shard(
        tuple(f"S{index:02d}" for index in range(n_symbols)),
        portfolio,
        symbol,
        exposure,
        equity,
        _betas(rng, n_symbols),
        returns,
        tuple(rng.choice(["Technology", "Energy", "Unclassified"], n_symbols).tolist()),
        factor_returns,
        _model(rng, n_symbols),
        {"covid_crash_2020": np.where(rng.random(n_symbols) < 0.5, rng.normal(-0.3, 0.1, n_symbols), np.nan)},
        _options(np.random.default_rng(seed), exposure),
    )


def _options(rng: np.random.Generator, exposure: IntArray) -> Options:
    """Return options at the places of some positions, with the exposures that these have."""
    place = np.flatnonzero(rng.random(exposure.size) < 0.2)
    strike, years, is_call = rng.uniform(80, 120, place.size), rng.uniform(0.01, 1, place.size), rng.random(place.size)
    dividends, rates = np.full(place.size, 0.01), np.full(place.size, OPTION_RISK_FREE_RATE)
    terms = Terms(np.full(place.size, 100.0), strike, years, dividends, rates, is_call < 0.5)
    volatility = rng.uniform(0.1, 0.6, place.size)
    delta = greeks(terms, volatility).delta
    return Options(place, exposure[place] / 10_000.0 / delta, exposure[place] / 100.0, terms, volatility)


def with_options(
    *contracts: tuple[float, float, float, float, bool], equity: float = 100_000.0, shares: float = 0.0
) -> NetHoldings:
    """Return one portfolio of shares at 100 of one symbol, and of options on it.

    A contract has units, strike, years, volatility and whether it is a call.
    """
    units, strike, years, volatility, is_call = (np.array(column) for column in zip(*contracts, strict=True))
    rates = np.full(units.size, OPTION_RISK_FREE_RATE)
    terms = Terms(np.full(units.size, 100.0), strike, years, np.zeros(units.size), rates, is_call)
    deltas = units * greeks(terms, volatility).delta * 100.0
    exposure = np.array([round(amount * 100) for amount in (*deltas.tolist(), shares * 100.0)])
    nothing = np.zeros(exposure.size, dtype=np.int64)
    options = Options(np.arange(units.size), units, exposure[:-1] / 100.0, terms, volatility)
    return NetHoldings.of(
        nothing, nothing, exposure=exposure, equity=np.array([round(equity * 100)]), names=["S"], options=options
    )


def _model(rng: np.random.Generator, n_symbols: int) -> Quantities:
    values = np.abs(rng.normal(0.5, 0.3, (n_symbols, len(MODEL_COLUMNS))))
    return Quantities.of(values).withheld(_whole_rows(rng.random(n_symbols) < 0.2, len(MODEL_COLUMNS)))


def _whole_rows(missing: BoolArray, n_columns: int) -> ReasonArray:
    why = Unavailable(Reason.INSUFFICIENT_HISTORY, "42 of 60 sessions")
    return reason_where(np.repeat(missing[:, None], n_columns, axis=1), why)


def _betas(rng: np.random.Generator, n_symbols: int) -> Quantities:
    values = rng.normal(1, 0.5, (n_symbols, N_FACTORS))
    reasons: ReasonArray = np.full(values.shape, None, dtype=object)
    for cell in zip(*np.nonzero(rng.random(values.shape) < 0.3), strict=True):
        reasons[cell] = Unavailable(list(Reason)[int(rng.integers(0, len(Reason)))], "n of m sessions")
        values[cell] = np.nan
    return Quantities(values, reasons)


def book(positions: Sequence[tuple[str, float]], *, equity: float = 100_000.0) -> tuple[NetHoldings, list[str]]:
    """Return one portfolio from (symbol, dollars), and its symbols in the order of their first mention."""
    names = list(dict.fromkeys(symbol for symbol, _ in positions))
    symbol = np.array([names.index(name) for name, _ in positions], dtype=np.int64)
    exposure = np.array([round(amount * 100) for _, amount in positions], dtype=np.int64)
    cents = np.array([round(equity * 100)])
    return NetHoldings.of(np.zeros_like(symbol), symbol, exposure=exposure, equity=cents, names=names), names


def betas_of(rows: Sequence[Sequence[float | Unavailable]]) -> Quantities:
    """Return betas written as numbers and reasons, one row a symbol."""
    reasons: ReasonArray = np.full((len(rows), len(rows[0])), None, dtype=object)
    values = np.full(reasons.shape, np.nan)
    for cell in np.ndindex(reasons.shape):
        entry = rows[cell[0]][cell[1]]
        if isinstance(entry, Unavailable):
            reasons[cell] = entry
        else:
            values[cell] = entry
    return Quantities(values, reasons)


def why(quantities: Quantities, index: int | tuple[int, ...] = 0) -> Unavailable:
    """Return the reason of an entry that must have one."""
    entry = quantities.at(index)
    assert isinstance(entry, Unavailable), entry
    return entry


def loadings_of(*rows: dict[str, float], specific: float = 0.2) -> Quantities:
    """Return loadings written by factor, zero where nothing is said, one row a symbol."""
    values = np.zeros((len(rows), len(MODEL_COLUMNS)))
    for symbol, row in enumerate(rows):
        values[symbol, : len(RISK_FACTORS)] = [row.get(factor, 0.0) for factor in RISK_FACTORS]
    values[:, -1] = specific
    return Quantities.of(values)
