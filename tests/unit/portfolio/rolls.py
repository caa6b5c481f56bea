"""Write rolls of a few positions by hand: labels in, a `Valuation` out."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid5

import numpy as np

from services.portfolio.core.assembly import Known, ShardArrays, Window, assemble, flows_by_session
from services.portfolio.core.cents import cents_of
from services.portfolio.core.inheritance import LastClose
from services.portfolio.core.positions import Exit, Flow, Position, PositionTerms, PositionType
from services.portfolio.core.trades import Market
from services.portfolio.core.valuation import Opening, Valuation, roll_forward
from shared.arrays import IntArray

PORTFOLIO = UUID(int=1)
NAN = float("nan")

# A run of consecutive XNYS sessions around a weekend; 7 and 8 June 2025 are Saturday and Sunday.
JUNE = tuple(date(2025, 6, day) for day in (2, 3, 4, 5, 6, 9, 10, 11))
BEFORE_JUNE = date(2025, 5, 30)

Quoted = Mapping[str, Sequence[float]]


def position(
    symbol: str,
    quantity: str,
    price: str,
    entered: date = date(2025, 1, 2),
    *,
    kind: PositionType | None = None,
    exits: tuple[Exit, ...] = (),
) -> Position:
    side = PositionType.SHORT if Decimal(quantity) < 0 else PositionType.LONG
    terms = PositionTerms(symbol, kind or side, Decimal(quantity), entered, Decimal(price), exits)
    name = f"{symbol} {quantity} {price} {entered}"
    return Position(uuid5(PORTFOLIO, name), PORTFOLIO, terms)


def market_of(sessions: int, closes: Quoted, splits: Quoted, dividends: Quoted) -> Market:
    symbols = list(closes)
    shape = (sessions, len(symbols))
    factors, cash = np.ones(shape), np.zeros(shape)
    for array, quoted in ((factors, splits), (cash, dividends)):
        for symbol, values in quoted.items():
            array[:, symbols.index(symbol)] = values
    prices = np.array([closes[symbol] for symbol in symbols], dtype=np.float64).reshape(len(symbols), sessions)
    return Market(prices.T.copy(), factors, cash)


def roll(
    positions: Sequence[Position],
    closes: Quoted,
    *,
    equity: str = "100000",
    before: Mapping[str, float | LastClose] | None = None,
    flows: Sequence[tuple[date, str]] = (),
    splits: Quoted | None = None,
    dividends: Quoted | None = None,
) -> Valuation:
    """Value one portfolio over the first sessions of June; `before` are the closes of 30 May."""
    n_sessions = len(next(iter(closes.values())))
    window = Window(BEFORE_JUNE, JUNE[:n_sessions])
    arrays = arrays_of(positions, closes, window, before or {})
    market = market_of(n_sessions, closes, splits or {}, dividends or {})
    opening = Opening(np.array([cents_of(Decimal(equity))]), np.ones(1), arrays.holdings)
    paid = [Flow(PORTFOLIO, on, Decimal(amount)) for on, amount in flows]
    booked = flows_by_session(paid, window, portfolios={PORTFOLIO: 0})
    return roll_forward(arrays.positions, market, exits=arrays.exits, flows=booked, opening=opening)


def arrays_of(
    positions: Sequence[Position], closes: Quoted, window: Window, before: Mapping[str, float | LastClose]
) -> ShardArrays:
    known = Known(
        {}, {symbol: last if isinstance(last, LastClose) else LastClose(last) for symbol, last in before.items()}
    )
    columns = {symbol: column for column, symbol in enumerate(closes)}
    return assemble(positions, window, portfolios={PORTFOLIO: 0}, columns=columns, known=known)


def dollars(cents: IntArray) -> list[float]:
    """Return the cents of one portfolio or position over the sessions as dollars."""
    return [amount / 100 for amount in cents[:, 0].tolist()]
