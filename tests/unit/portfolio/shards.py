"""Shards as a handler gathers them, written by hand: books of several portfolios on one price panel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import numpy as np

from services.portfolio.core.assembly import Window
from services.portfolio.core.portfolios import OpeningState, Portfolio
from services.portfolio.core.positions import Exit, Flow, OptionTerms, Position, PositionTerms, PositionType
from services.portfolio.core.roll import RollInputs
from shared.arrays import FloatArray
from shared.calendar import sessions_between, shift_session
from shared.prices.window import PriceWindow
from tests.unit.portfolio.rolls import BEFORE_JUNE, JUNE

HISTORY = 70  # sessions of prices before the roll


def portfolio(number: int, equity: str = "100000") -> Portfolio:
    return Portfolio(UUID(int=number), f"book {number}", JUNE[0], Decimal(equity))


def owned_by(number: int, position: Position, *, option: OptionTerms | None = None) -> Position:
    """Return the position in another portfolio, under an id of its own, with the contract behind it."""
    identity = UUID(int=(position.position_id.int + number) % 2**128)
    return Position(identity, UUID(int=number), replace(position.terms, option=option))


@dataclass(frozen=True)
class Prices:
    """Prices of symbols over the HISTORY sessions before the roll and those of the roll, (n_sessions, n_symbols)."""

    sessions: tuple[date, ...]
    symbols: tuple[str, ...]
    close: FloatArray
    split: FloatArray

    def window(self, symbols: Sequence[str], rows: slice) -> PriceWindow:
        columns = [self.symbols.index(symbol) if symbol in self.symbols else -1 for symbol in symbols]
        # In the layout of the real panel: what NumPy sums in which order depends on it.
        close = np.ascontiguousarray(np.pad(self.close, ((0, 0), (0, 1)), constant_values=np.nan)[rows][:, columns])
        split = np.ascontiguousarray(np.pad(self.split, ((0, 0), (0, 1)), constant_values=1.0)[rows][:, columns])
        days = np.array(self.sessions[rows], dtype="datetime64[D]")
        return PriceWindow(days, tuple(symbols), close, close, split, np.zeros_like(close))


def prices_of(closes: Mapping[str, Sequence[float]], splits: Mapping[str, Sequence[float]] | None = None) -> Prices:
    """Return prices with the given ones on the sessions of the roll, and a walk of its own before for each symbol."""
    n_sessions = len(next(iter(closes.values())))
    sessions = (*sessions_between(shift_session(BEFORE_JUNE, 1 - HISTORY), BEFORE_JUNE), *JUNE[:n_sessions])
    close, split = np.empty((len(sessions), len(closes))), np.ones((len(sessions), len(closes)))
    for column, (symbol, during) in enumerate(closes.items()):
        walk = 1 + np.random.default_rng(sum(symbol.encode())).normal(0, 0.02, HISTORY)
        close[:, column] = [*(100 * np.cumprod(walk)), *during]
        split[-n_sessions:, column] = (splits or {}).get(symbol, 1.0)
    return Prices(sessions, tuple(closes), close, split)


def shard_of(
    portfolios: Sequence[Portfolio], positions: Sequence[Position], prices: Prices, *, flows: Sequence[Flow] = ()
) -> RollInputs:
    """Return the inputs of a roll over the sessions of June that have prices."""
    contracts = [entry.terms.option for entry in positions if entry.terms.option is not None]
    underlyings = sorted({contract.underlying for contract in contracts})
    symbols = sorted({*underlyings, *(entry.terms.symbol for entry in positions)})
    settles = {
        entry.position_id: shift_session(entry.terms.option.expiration, 0)
        for entry in positions
        if entry.terms.option is not None
    }
    return RollInputs(
        portfolios=tuple(portfolios),
        positions=tuple(positions),
        flows=tuple(flows),
        opening=OpeningState(),
        closed=frozenset(),
        sectors=dict.fromkeys(symbols, "Energy"),
        splits={},
        window=Window(BEFORE_JUNE, prices.sessions[HISTORY:]),
        before=prices.window(symbols, slice(HISTORY)),
        during=prices.window(symbols, slice(HISTORY, None)),
        underlyings=prices.window(underlyings, slice(None)),
        settles=settles,
    )


SYMBOLS = ("AAA", "BBB", "CCC", "DDD")


def random_prices(seed: int) -> Prices:
    """Return five sessions of four symbols, some without a close and some with a split."""
    rng = np.random.default_rng(seed)
    closes = rng.integers(1_000, 30_000, (4, 5)) / 100
    closes[rng.random(closes.shape) < 0.15] = np.nan
    splits = np.where(rng.random(closes.shape) < 0.1, rng.choice([2.0, 3.0, 0.1, 1.5], closes.shape), 1.0)
    return prices_of(dict(zip(SYMBOLS, closes.tolist(), strict=True)), dict(zip(SYMBOLS, splits.tolist(), strict=True)))


def random_shard(seed: int) -> RollInputs:
    """Return three portfolios of shares, options on them and private holdings, with exits and flows."""
    rng = np.random.default_rng(seed)
    portfolios = [portfolio(number, str(int(rng.integers(-(10**5), 10**6)))) for number in (1, 2, 3)]
    positions = [_random_position(rng, number) for number in range(int(rng.integers(1, 15)))]
    flows = [
        Flow(UUID(int=int(rng.integers(1, 4))), JUNE[int(rng.integers(0, 5))], Decimal(int(rng.integers(-999, 9_999))))
        for _ in range(int(rng.integers(0, 5)))
    ]
    return shard_of(portfolios, positions, random_prices(seed), flows=flows)


def _random_position(rng: np.random.Generator, number: int) -> Position:
    symbol, kind = SYMBOLS[int(rng.integers(0, 4))], list(PositionType)[int(rng.integers(0, len(PositionType)))]
    sign = -1 if kind in {PositionType.SHORT, PositionType.SC, PositionType.SP} else 1
    entered = (BEFORE_JUNE, *JUNE[:5])[int(rng.integers(0, 6))]
    exits = (Exit(JUNE[4], Decimal("12.5"), Decimal(1)), Exit(JUNE[4], Decimal(13)))[: int(rng.integers(0, 3))]
    contract = None
    if kind not in {PositionType.LONG, PositionType.SHORT, PositionType.PRIVATE}:
        # Within the roll, on the Saturday after it, or long after it.
        days = (date(2025, 6, 4), date(2025, 6, 7), date(2026, 1, 16))
        contract = OptionTerms(SYMBOLS[int(rng.integers(0, 4))], Decimal(100), days[int(rng.integers(0, 3))])
        entered = min(entered, contract.expiration)
    terms = PositionTerms(
        symbol, kind, Decimal(sign * int(rng.integers(2, 500))), entered, Decimal("12.34"), exits, option=contract
    )
    return Position(UUID(int=2**64 + number), UUID(int=int(rng.integers(1, 4))), terms)
