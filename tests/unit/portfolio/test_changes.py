"""What changed the value of a portfolio: by hand, and for every book and pair of its sessions."""

from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portfolio.core.cents import decimal_of
from services.portfolio.core.changes import (
    Earned,
    Held,
    PositionChange,
    ValueChange,
    Valued,
    between_revisions,
    between_sessions,
)
from tests.unit.portfolio.worlds import World, worlds

KEPT, BOUGHT, SOLD = (UUID(int=number) for number in (1, 2, 3))
PARTS = ("flows", "positions", "dividends", "prices", "corrections", "code")


def _earned(symbol: str, pnl: str, exit_pnl: str, dividends: str, *, entered: bool = False) -> Earned:
    position_id = {"KEPT": KEPT, "BOUGHT": BOUGHT, "SOLD": SOLD}[symbol]
    return Earned(position_id, symbol, Decimal(pnl), Decimal(exit_pnl), Decimal(dividends), entered)


def _cents(*amounts: str) -> list[Decimal]:
    return [Decimal(amount) for amount in amounts]


def _parts(change: ValueChange) -> dict[str, Decimal]:
    return {part: getattr(change, part) for part in PARTS if getattr(change, part)}


def _valued(equity: str, flow: str = "0", *, code_version: int = 7) -> Valued:
    return Valued(Decimal(equity), Decimal(flow), code_version)


def _held(quantity: str, mark: str, pnl: str, *, exit_pnl: str = "0", dividends: str = "0") -> Held:
    return Held("KEPT", *_cents(quantity, mark, pnl, exit_pnl, dividends))


def test_change_since_the_session_before_by_hand() -> None:
    # Kept: 100 shares from 50 to 51, and a dividend of 0.30. Bought: 10 at 20, closing at 22. Sold: 5, whose last mark
    # was 40, at 38. Paid in: 500. 100 + 30 + 20 - 10 + 500 = 640.
    change = between_sessions(
        _valued("10000.00"),
        _valued("10640.00"),
        flows=Decimal(500),
        earned=[
            _earned("KEPT", "130.00", "0", "30.00"),
            _earned("BOUGHT", "20.00", "0", "0", entered=True),
            _earned("SOLD", "-10.00", "-10.00", "0"),
        ],
    )

    assert change.total == 640
    assert _parts(change) == {"flows": 500, "positions": 10, "dividends": 30, "prices": 100}
    assert change.by_position == (
        PositionChange(KEPT, "KEPT", *_cents("0", "30", "100")),
        PositionChange(BOUGHT, "BOUGHT", *_cents("20", "0", "0")),
        PositionChange(SOLD, "SOLD", *_cents("-10", "0", "0")),
    )


@pytest.mark.parametrize(("version", "part"), [(7, "corrections"), (8, "code")])
def test_close_that_was_revised_after_the_next_was_rolled_from_it_is_told(version: int, part: str) -> None:
    earned = [_earned("KEPT", "100.00", "0", "0")]

    change = between_sessions(
        _valued("9990.00"), _valued("10100.00", code_version=version), flows=Decimal(0), earned=earned
    )

    assert _parts(change) == {"prices": 100, part: 10}


def test_another_quantity_and_another_close_are_told_apart() -> None:
    # 100 shares made 200, 2 each. 120 of them would have made 240; at a close that is 0.50 higher they made 300.
    change = between_revisions(
        _valued("10200.00"),
        _valued("10300.00"),
        old={KEPT: _held("100", "52", "200.00")},
        new={KEPT: _held("120", "52.5", "300.00")},
    )

    assert _parts(change) == {"positions": 40, "prices": 60}


def test_position_that_is_new_and_one_that_is_taken_away_are_positions() -> None:
    change = between_revisions(
        _valued("10200.00"),
        _valued("10235.00"),
        old={SOLD: _held("5", "40", "-15.00")},
        new={BOUGHT: _held("10", "22", "20.00")},
    )

    assert _parts(change) == {"positions": 35}


def test_another_close_of_the_session_before_moves_no_equity_of_this_one() -> None:
    # The close before was 1 too high: 100 less then, 100 more of P&L now.
    change = between_revisions(
        _valued("10200.00"),
        _valued("10200.00"),
        old={KEPT: _held("100", "52", "200.00")},
        new={KEPT: _held("100", "52", "300.00")},
    )

    assert _parts(change) == {}


def test_flow_dividend_and_earlier_correction_of_a_revision_have_their_parts() -> None:
    change = between_revisions(
        _valued("10000.00", "0"),
        _valued("10337.00", "300"),
        old={KEPT: _held("100", "52", "200.00")},
        new={KEPT: _held("100", "52", "230.00", dividends="30.00")},
    )

    assert _parts(change) == {"flows": 300, "dividends": 30, "corrections": 7}


@given(worlds(), st.data())
def test_parts_of_any_change_of_any_book_add_up_and_nothing_was_corrected(world: World, data: st.DataObject) -> None:
    rolled = world.roll()
    portfolio = data.draw(st.integers(0, world.opening.equity.size - 1))
    last = data.draw(st.integers(0, world.market.n_sessions - 1))
    first = data.draw(st.integers(-1, last - 1))
    equity = rolled.portfolios.equity[:, portfolio]
    before = world.opening.equity[portfolio] if first < 0 else equity[first]
    over = slice(first + 1, last + 1)
    mine = np.flatnonzero(world.positions.portfolio == portfolio).tolist()
    held = world.opening.holdings.quantity if first < 0 else rolled.positions.quantity[first]

    def over_all(name: str, position: int) -> Decimal:
        return decimal_of(int(getattr(rolled.positions, name)[over, position].sum()))

    earned = [
        Earned(
            UUID(int=position),
            f"S{position}",
            over_all("pnl", position),
            over_all("exit_pnl", position),
            over_all("dividends", position),
            entered=bool(held[position] == 0),
        )
        for position in mine
    ]

    change = between_sessions(
        Valued(decimal_of(int(before)), Decimal(0), 1),
        Valued(decimal_of(int(equity[last])), Decimal(0), 1),
        flows=decimal_of(int(world.flows.net[over, portfolio].sum())),
        earned=earned,
    )

    assert sum(_parts(change).values()) == change.total
    assert change.corrections == change.code == Decimal(0)
    assert sum(entry.total for entry in change.by_position) + change.flows == change.total
