"""The books of a portfolio kept in decimals, session after session and position after position (methodology, 5)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from tests.system.plain.known import DEGENERATE, MISSING, NOT_APPLICABLE, STALE, Number
from tests.system.plain.options import (
    Option,
    Revalued,
    realised_volatility,
    settlement_session,
    strike_at,
    valuation_of,
)
from tests.system.plain.prices import Prices

NOTHING = Decimal("0.00")
# Without a close for so many sessions nobody trades it any more.
GONE_AFTER = 20
OLD = ("CARRIED", "DELISTED")


@dataclass(frozen=True)
class Exit:
    """Part of a position closed at a price; without a quantity, what is left."""

    on: date
    price: Decimal
    quantity: Decimal | None = None


@dataclass(frozen=True)
class Held:
    """A position as it was entered; a negative quantity is short."""

    symbol: str
    quantity: Decimal
    entry_date: date
    entry_price: Decimal
    exits: tuple[Exit, ...] = ()
    kind: str = ""
    option: Option | None = None
    as_traded: bool = True

    @property
    def is_split(self) -> bool:
        return self.as_traded and self.kind != "PRIVATE"

    @property
    def splits_as(self) -> str:
        return self.option.underlying if self.option else self.symbol

    @property
    def units(self) -> int:
        return 100 if self.option else 1

    @property
    def kind_of_position(self) -> str:
        return self.kind or ("LONG" if self.quantity > 0 else "SHORT")


@dataclass(frozen=True)
class Portfolio:
    """What a person enters."""

    name: str
    opened_on: date
    opening_equity: Decimal
    positions: tuple[Held, ...]
    flows: tuple[tuple[date, Decimal], ...] = ()


@dataclass
class PositionDay:
    """A position on a session; amounts in cents precision."""

    held: Held
    active: bool
    quantity: Decimal
    mark: Decimal
    source: str
    age: int
    value: Decimal
    cost: Decimal
    pnl: Decimal = NOTHING
    exit_pnl: Decimal = NOTHING
    realised: Decimal = NOTHING
    dividends: Decimal = NOTHING
    oversold: bool = False
    splits_known: bool = True
    exposure: Decimal = NOTHING
    delta: Number | None = None
    greeks: dict[str, float] = field(default_factory=dict)
    implied: Number | None = None
    assumed: float | None = None
    revalued: Revalued | None = None
    delivers: Decimal = Decimal(0)  # shares, signed, at `delivered_at`
    delivered_at: Decimal = Decimal(0)

    @property
    def name_in_book(self) -> str:
        """Under which name the position is exposed: an option with a delta under that of its underlying."""
        if self.source == "DELISTED":
            return f"DELISTED:{self.held.symbol}"
        if self.held.option is not None:
            return self.held.option.underlying if isinstance(self.delta, float) else f"OPTION:{self.held.symbol}"
        return f"PRIVATE:{self.held.symbol}" if self.held.kind == "PRIVATE" else self.held.symbol


@dataclass
class Day:
    """A portfolio at the close of a session."""

    session: date
    equity: Decimal
    pnl: Decimal
    contributions: Decimal
    withdrawals: Decimal
    daily_return: Number
    index: Number
    positions: list[PositionDay] = field(default_factory=list)

    @property
    def flow(self) -> Decimal:
        return self.contributions - self.withdrawals

    def total(self, amount: str, *, sign: int = 0) -> Decimal:
        """The sum of an amount over the positions, or of its positive or negative ones only."""
        amounts = [getattr(position, amount) for position in self.positions]
        return sum((a for a in amounts if not sign or a * sign > 0), NOTHING)

    def count(self, *sources: str, sign: int = 0) -> int:
        """How many positions are held, of those marked from these sources, of that sign."""
        held = [p for p in self.positions if p.quantity * (sign or p.quantity) > 0]
        return sum(not sources or position.source in sources for position in held)


def cents(amount: Decimal) -> Decimal:
    """An amount of money, ties to the even cent."""
    return amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)


def days_of(portfolio: Portfolio, prices: Prices, last: date) -> list[Day]:
    """Value a portfolio on each session from its first to the last."""
    eve = prices.session_before(portfolio.opened_on)
    before = [_at_opening(held, prices, eve) for held in portfolio.positions]
    equity, index = portfolio.opening_equity, 1.0
    broken = False
    days = []
    for session in prices.sessions(portfolio.opened_on, last):
        after = [_next(position, portfolio, prices, eve, session) for position in before]
        shares = [_shares_of(position, session) for position in after if position.delivers]
        after += [_next(_at_opening(held, prices, eve), portfolio, prices, eve, session) for held in shares]
        dated = [amount for day, amount in portfolio.flows if eve < day <= session]
        paid_in, taken_out = (sum((abs(a) for a in dated if a * side > 0), NOTHING) for side in (1, -1))
        pnl = sum((position.pnl for position in after), NOTHING)
        base = equity + paid_in
        equity = base + pnl - taken_out
        daily: Number = float(pnl / base) if base > 0 else DEGENERATE
        broken = broken or (base <= 0 and pnl != 0) or (isinstance(daily, float) and daily < -1)
        index = index * (1 + daily) if isinstance(daily, float) else index
        sources = {position.source for position in after if position.quantity}
        daily = STALE if sources & {*OLD} and "CLOSE" not in sources else daily
        days.append(Day(session, equity, pnl, paid_in, taken_out, daily, DEGENERATE if broken else index, after))
        before, eve = after, session
    return days


def _at_opening(held: Held, prices: Prices, eve: date) -> PositionDay:
    """A position before the first session: inherited at the last close, at cost without one, or not there yet."""
    if held.entry_date > eve:
        return PositionDay(held, False, Decimal(0), held.entry_price, "COST", 0, NOTHING, NOTHING)
    since = prices.sessions(held.entry_date, eve)
    quantity, price = _carried_over(held, prices, since)
    cost = cents(quantity * price * held.units)
    first = prices.first_close(held.splits_as)
    known = not held.is_split or (first is not None and first <= since[0])
    for age, session in enumerate(since[::-1]):
        close = _close(held, prices, session)
        if close is not None and quantity != 0:
            value = cents(quantity * close * held.units)
            source = "CLOSE" if age == 0 else "DELISTED" if age >= GONE_AFTER else "CARRIED"
            return PositionDay(held, False, quantity, close, source, age, value, cost, splits_known=known)
    return PositionDay(held, False, quantity, price, "COST", 0, cost, cost, splits_known=known)


def _carried_over(held: Held, prices: Prices, since: Sequence[date]) -> tuple[Decimal, Decimal]:
    """Quantity and price after the splits and exits of the sessions since the entry, the oldest first."""
    quantity, price = held.quantity, held.entry_price
    for before, session in zip([date.min, *since], since, strict=False):
        if held.is_split and session > since[0]:
            factor = prices.split_on(session, held.splits_as)
            quantity, price = quantity * factor, price / factor
        for exit_ in (exit_ for exit_ in held.exits if before < exit_.on <= session):
            size = abs(quantity) if exit_.quantity is None else min(exit_.quantity, abs(quantity))
            quantity -= size.copy_sign(quantity)
    return round(quantity, 10), price


def _close(held: Held, prices: Prices, session: date) -> Decimal | None:
    return None if held.kind == "PRIVATE" else prices.printed_close(held.symbol, session)


def _next(before: PositionDay, portfolio: Portfolio, prices: Prices, eve: date, session: date) -> PositionDay:
    """Take a position from one close to the next: split, dividend, entry, exits, close."""
    held = before.held
    split, dividend = _events(held, prices, session)
    quantity = before.quantity if split == 1 else round(before.quantity * split, 10)
    dividends = cents(dividend * quantity * held.units)
    entered = eve < held.entry_date <= session
    now = PositionDay(
        held, entered or quantity != 0, quantity, before.mark / split, before.source, before.age + 1,
        before.value, before.cost, dividends=dividends, splits_known=entered or before.splits_known,
    )  # fmt: skip
    if entered:
        outlay = cents(held.quantity * held.units * held.entry_price)
        now.quantity, now.mark, now.source, now.age = held.quantity, held.entry_price, "COST", 0
        now.value = now.cost = outlay
    begin = now.value
    proceeds = sum((_sell(now, exit_) for exit_ in _exits(now, portfolio, prices, eve, session)), NOTHING)
    _mark(now, _close(held, prices, session))
    now.pnl = now.value + proceeds - begin + dividends
    _expose(now, portfolio, prices, session)
    return now


def _events(held: Held, prices: Prices, session: date) -> tuple[Decimal, Decimal]:
    """The split and the dividend of a session; a contract is split as its underlying is."""
    if held.kind == "PRIVATE":
        return Decimal(1), Decimal(0)
    return prices.split_on(session, held.splits_as), prices.dividend_on(session, held.symbol)


def _exits(now: PositionDay, portfolio: Portfolio, prices: Prices, eve: date, session: date) -> Iterator[Exit]:
    yield from (exit_ for exit_ in now.held.exits if eve < exit_.on <= session)
    option = now.held.option
    if option is None or settlement_session(option, prices) != session:
        return
    spot = prices.printed_close(option.underlying, session)
    if spot is not None:
        strike = strike_at(option, _strike_since(now.held, portfolio), prices, session)
        side = 1 if option.is_call else -1
        if (spot - strike) * side > 0:
            now.delivers, now.delivered_at = now.quantity * 100 * side, strike
        yield Exit(session, Decimal(0))


def _shares_of(option: PositionDay, session: date) -> Held:
    """What an option in the money ends in: a trade of its shares at the strike."""
    assert option.held.option is not None
    kind = "LONG" if option.delivers > 0 else "SHORT"
    return Held(option.held.option.underlying, option.delivers, session, option.delivered_at, kind=kind)


def _sell(now: PositionDay, exit_: Exit) -> Decimal:
    """Close part of a position, or buy back part of a short one, and return what it brings."""
    size = abs(now.quantity) if exit_.quantity is None else exit_.quantity
    now.oversold |= size > abs(now.quantity)
    if now.quantity == 0:
        return NOTHING
    closed = min(size, abs(now.quantity)).copy_sign(now.quantity)
    left = round(now.quantity - closed, 10)
    value_left, cost_left = cents(now.value * left / now.quantity), cents(now.cost * left / now.quantity)
    proceeds = cents(closed * now.held.units * exit_.price)
    now.exit_pnl += proceeds - (now.value - value_left)
    now.realised += proceeds - (now.cost - cost_left)
    now.quantity, now.value, now.cost = left, value_left, cost_left
    if left == 0:
        now.mark, now.source, now.age = exit_.price, "EXIT", 0
    return proceeds


def _mark(now: PositionDay, close: Decimal | None) -> None:
    """At the close; without one the last mark and the last value stay, and the age says so."""
    if now.quantity == 0:
        now.value, now.cost, now.age = NOTHING, NOTHING, 0
    elif close is not None:
        now.mark, now.source, now.age = close, "CLOSE", 0
        now.value = cents(now.quantity * now.held.units * close)
    elif now.source in ("CLOSE", "CARRIED"):
        now.source = "DELISTED" if now.age >= GONE_AFTER else "CARRIED"


def _expose(now: PositionDay, portfolio: Portfolio, prices: Prices, session: date) -> None:
    """The market value, of an option the shares that its delta stands for."""
    now.exposure = now.value
    option = now.held.option
    if option is None:
        return
    if settlement_session(option, prices) <= session:
        now.delta = now.implied = NOT_APPLICABLE
        return
    strike = float(strike_at(option, _strike_since(now.held, portfolio), prices, session))
    valuation = valuation_of(option, prices, session, strike=strike)
    if valuation is None:
        now.delta = now.implied = MISSING
        return
    now.implied = valuation.implied(prices.printed_close(now.held.symbol, session))
    volatility = now.implied if isinstance(now.implied, float) else realised_volatility(option, prices, session)
    if isinstance(volatility, str):
        now.delta = volatility
        return
    now.assumed = None if volatility is now.implied else volatility
    now.greeks = valuation.greeks(volatility)
    now.delta = now.greeks.pop("delta")
    now.exposure = cents(Decimal(now.delta) * now.quantity * 100 * Decimal(valuation.spot))
    now.revalued = Revalued(option.underlying, float(now.quantity) * 100, float(now.exposure), valuation, volatility)


def _strike_since(held: Held, portfolio: Portfolio) -> date:
    return held.entry_date if held.as_traded else max(held.entry_date, portfolio.opened_on - timedelta(days=1))
