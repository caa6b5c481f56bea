"""Options that end in shares: by hand, against the same options settled in cash, and looked at twice."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portfolio.core.delivery import ends_in_shares, shares_id
from services.portfolio.core.positions import Exit, OptionTerms, Position, PositionType
from services.portfolio.core.roll import Rolled, RollInputs, roll
from tests.unit.portfolio.rolls import position
from tests.unit.portfolio.shards import owned_by, portfolio, prices_of, shard_of

LC, LP, SC, SP = PositionType.LC, PositionType.LP, PositionType.SC, PositionType.SP


def option(
    kind: PositionType, contracts: str, strike: float, expires: date, *, underlying: str = "AAA", number: int = 1
) -> Position:
    terms = OptionTerms(underlying, Decimal(str(strike)), expires)
    held = position(f"{underlying}-{kind}-{strike}-{number}", contracts, "3", kind=kind)
    return owned_by(1, held, option=terms)


def rolled(*positions: Position, closes: list[float], splits: list[float] | None = None) -> Rolled:
    prices = prices_of({"AAA": closes}, {"AAA": splits or [1.0] * len(closes)})
    return roll(shard_of([portfolio(1)], list(positions), prices))


def sessions(n: int) -> tuple[date, ...]:
    return shard_of([portfolio(1)], [], prices_of({"AAA": [1.0] * n})).window.sessions


@pytest.mark.parametrize(
    ("kind", "contracts", "close", "shares", "gain"),
    [
        # Two calls at 100 buy 200 shares that close at 108; they cost 600.
        (LC, "2", 108.0, 200, 1_000),
        # Two puts sell 200 that close at 90.
        (LP, "2", 90.0, -200, 1_400),
        # Written calls are assigned: 200 are sold at 100. They had brought 600.
        (SC, "-2", 108.0, -200, -1_000),
        # Written puts are assigned: 200 are bought at 100.
        (SP, "-2", 90.0, 200, -1_400),
    ],
)
def test_option_in_the_money_ends_in_shares_at_the_strike(
    kind: PositionType, contracts: str, close: float, shares: int, gain: int
) -> None:
    second = sessions(3)[1]

    found = rolled(option(kind, contracts, 100, second), closes=[100.0, close, close])

    (delivered,) = found.delivered
    terms = delivered.terms
    assert (terms.symbol, terms.quantity, terms.entry_date, terms.entry_price) == (
        "AAA",
        Decimal(shares),
        second,
        Decimal(100),
    )
    assert terms.kind is (PositionType.LONG if shares > 0 else PositionType.SHORT)
    values = found.valuation.positions
    assert values.quantity[:, 0].tolist() == [float(contracts), 0.0, 0.0]
    assert values.quantity[:, 1].tolist() == [0.0, shares, shares]
    assert values.market_value[1, 1] == shares * close * 100
    book = found.valuation.portfolios
    assert book.pnl[:2].sum() == gain * 100
    # The money for the shares has been paid, or has come in.
    paid = 3 * 100 * int(contracts) + 100 * shares
    assert book.cash[1, 0] == book.equity[1, 0] - book.net[1, 0]
    assert book.cash[1, 0] == round(float(portfolio(1).opening_equity) * 100) - paid * 100


@pytest.mark.parametrize(("kind", "close"), [(LC, 100.0), (LP, 100.0), (SC, 95.0), (SP, 105.0)])
def test_option_out_of_the_money_ends_in_nothing(kind: PositionType, close: float) -> None:
    contracts = "-2" if kind in {SC, SP} else "2"

    found = rolled(option(kind, contracts, 100, sessions(2)[1]), closes=[100.0, close])

    assert found.delivered == ()
    assert found.valuation.portfolios.net[1, 0] == 0


def test_what_is_left_after_exits_and_splits_is_delivered_at_the_strike_of_the_day() -> None:
    # Three calls at 90, one sold; a split of 3 makes six at 30, which buy 600.
    first, _, third = sessions(3)
    call = option(LC, "3", 90, third)
    call = replace(call, terms=replace(call.terms, exits=(Exit(first, Decimal(4), Decimal(1)),)))

    found = rolled(call, closes=[93.0, 94.0, 33.0], splits=[1.0, 1.0, 3.0])

    (delivered,) = found.delivered
    assert (delivered.terms.quantity, delivered.terms.entry_price) == (Decimal(600), Decimal(30))


def test_option_that_was_closed_before_its_end_delivers_nothing() -> None:
    first, second = sessions(2)
    call = option(LC, "3", 90, second)
    call = replace(call, terms=replace(call.terms, exits=(Exit(first, Decimal(4)),)))

    assert rolled(call, closes=[93.0, 94.0]).delivered == ()


@pytest.mark.parametrize("underlying", ["SPX", "^GSPC", "NDX"])
def test_option_on_an_index_is_settled_in_cash(underlying: str) -> None:
    prices = prices_of({underlying: [100.0, 108.0]})
    call = option(LC, "2", 100, prices.sessions[-1], underlying=underlying)

    found = roll(shard_of([portfolio(1)], [call], prices))

    assert not ends_in_shares(call.terms)
    assert found.delivered == ()
    assert found.valuation.positions.mark[1, 0] == 8.0


def books(seed: int) -> RollInputs:
    """Return a book of shares and options of every kind on one symbol, that end within its sessions."""
    rng = np.random.default_rng(seed)
    closes = np.round(rng.uniform(60, 140, 4), 2).tolist()
    splits = np.where(rng.random(4) < 0.2, rng.choice([2.0, 0.5, 1.5], 4), 1.0).tolist()
    prices = prices_of({"AAA": closes}, {"AAA": splits})
    held = [
        option(
            kind,
            str(int(rng.integers(1, 9)) * (-1 if kind in {SC, SP} else 1)),
            float(np.round(rng.uniform(60, 140), 2)),
            prices.sessions[-int(rng.integers(1, 4))],
            number=number,
        )
        for number, kind in enumerate(rng.choice(np.array([LC, LP, SC, SP], dtype=object), 5).tolist())
    ]
    return shard_of([portfolio(1)], [*held, owned_by(1, position("AAA", "40", "100"))], prices)


def in_cash(inputs: RollInputs) -> RollInputs:
    """Return the book with the same options on an index of the same closes."""
    underlying = replace(inputs.underlyings, symbols=("^AAA",))
    during = replace(
        inputs.during,
        symbols=(*inputs.during.symbols, "^AAA"),
        **{
            name: np.column_stack([getattr(inputs.during, name), getattr(inputs.underlyings, name)[-4:]])
            for name in ("close", "adjusted", "split", "dividend")
        },
    )
    positions = tuple(
        replace(entry, terms=replace(entry.terms, option=replace(entry.terms.option, underlying="^AAA")))
        if entry.terms.option
        else entry
        for entry in inputs.positions
    )
    return replace(inputs, positions=positions, during=during, underlyings=underlying)


@given(st.integers(0, 2**32 - 1))
def test_shares_at_the_strike_are_worth_what_cash_would_have_been(seed: int) -> None:
    inputs = books(seed)

    delivered, cash = roll(inputs), roll(in_cash(inputs))

    first = min((entry.terms.entry_date for entry in delivered.delivered), default=inputs.window.sessions[-1])
    until = inputs.window.sessions.index(first) + 1
    ours, theirs = (each.valuation.portfolios.equity[:until, 0] for each in (delivered, cash))
    # A cent a position and split, of rounding.
    assert np.abs(ours - theirs).max() <= 12


@given(st.integers(0, 2**32 - 1))
def test_shares_that_are_there_already_are_delivered_once(seed: int) -> None:
    inputs = books(seed)
    once = roll(inputs)

    again = roll(replace(inputs, positions=once.positions))

    assert again.delivered == once.delivered
    assert again.digests == once.digests
    assert sorted(entry.position_id for entry in again.positions) == sorted(
        entry.position_id for entry in once.positions
    )


def test_shares_keep_the_exits_that_they_have_when_their_delivery_is_looked_at_again() -> None:
    second = sessions(3)[1]
    call = option(LC, "2", 100, second)
    inputs = shard_of([portfolio(1)], [call], prices_of({"AAA": [100.0, 108.0, 109.0]}))
    (delivered,) = roll(inputs).delivered
    sold = replace(delivered, terms=replace(delivered.terms, exits=(Exit(sessions(3)[2], Decimal(110)),)))

    again = roll(replace(inputs, positions=(call, sold)))

    assert again.delivered == (sold,)
    assert again.valuation.positions.quantity[2].tolist() == [0.0, 0.0]


def test_shares_that_nothing_ends_in_any_more_are_gone() -> None:
    second = sessions(2)[1]
    call = option(LC, "2", 100, second)
    (delivered,) = rolled(call, closes=[100.0, 108.0]).delivered

    corrected = shard_of([portfolio(1)], [call, delivered], prices_of({"AAA": [100.0, 98.0]}))

    assert roll(corrected).positions == (call,)
    assert delivered.position_id == shares_id(call.position_id)
