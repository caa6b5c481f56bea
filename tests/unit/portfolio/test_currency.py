"""What is quoted in another currency than its book is held, and nothing of it is in any sum."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portfolio.core.currency import Unvalued, ValueReason, mismatches
from services.portfolio.core.inheritance import PositionState
from services.portfolio.core.marking import MarkSource
from services.portfolio.core.positions import OptionTerms, Position, PositionType
from services.portfolio.core.roll import RollInputs, roll
from tests.unit.portfolio.rolls import JUNE, position
from tests.unit.portfolio.shards import owned_by, portfolio, prices_of, random_shard, shard_of

WHY = Unvalued(ValueReason.CURRENCY_MISMATCH, "of another currency")
CALL = OptionTerms("VOD.L", Decimal(70), date(2026, 1, 16))


@pytest.mark.parametrize(
    ("currency", "quoted", "kind", "detail"),
    [
        ("USD", "USD", "LONG", None),
        ("USD", None, "LONG", None),
        ("USD", "GBp", "LONG", "VOD.L is quoted in GBp, the book is in USD, and nothing is converted"),
        ("GBP", "GBp", "SHORT", "VOD.L is quoted in GBp, the book is in GBP, and nothing is converted"),
        ("EUR", "USD", "LONG", "VOD.L is quoted in USD, the book is in EUR, and nothing is converted"),
        ("EUR", "EUR", "LONG", None),
        ("USD", "GBP", "PRIVATE", None),
    ],
)
def test_position_is_valued_in_the_currency_of_its_book_only(
    currency: str, quoted: str | None, kind: str, detail: str | None
) -> None:
    quantity = "-1" if kind == "SHORT" else "1"
    held = owned_by(1, position("VOD.L", quantity, "70", JUNE[0], kind=PositionType(kind)))
    book = replace(portfolio(1), currency=currency)

    found = mismatches([held], [book], {} if quoted is None else {"VOD.L": quoted})

    assert [why.detail for why in found.values()] == ([] if detail is None else [detail])


def test_option_is_quoted_as_its_underlying_is() -> None:
    held = owned_by(1, position("VOD_C70", "1", "3", JUNE[0], kind=PositionType.LC), option=CALL)

    assert mismatches([held], [portfolio(1)], {"VOD.L": "GBP", "VOD_C70": "USD"}).keys() == {held.position_id}


def unvalued(inputs: RollInputs, *positions: Position) -> RollInputs:
    return replace(inputs, unvalued=dict.fromkeys([entry.position_id for entry in positions], WHY))


def test_unvalued_position_keeps_its_quantity_and_moves_no_money() -> None:
    held = owned_by(1, position("AAA", "10", "50", JUNE[0]))
    prices = prices_of({"AAA": [55, 60, 25, 26, 27]}, {"AAA": [1, 1, 2, 1, 1]})

    rolled = roll(unvalued(shard_of([portfolio(1)], [held], prices), held))

    book, values = rolled.valuation.portfolios, rolled.valuation.positions
    assert values.quantity[:, 0].tolist() == [10, 10, 20, 20, 20]
    assert values.mark[:, 0].tolist() == [55, 60, 25, 26, 27]
    for amounts in (values.market_value, values.cost, values.pnl, book.gross, book.pnl, rolled.exposures):
        assert not amounts.any()
    assert book.equity[:, 0].tolist() == book.cash[:, 0].tolist() == [10_000_000] * 5
    assert book.unvalued_positions[:, 0].tolist() == [1] * 5
    assert book.at_cost_positions[:, 0].tolist() == [0] * 5


def _state(quantity: float, mark: float) -> PositionState:
    return PositionState(quantity, mark, MarkSource.CLOSE, 0, round(quantity * mark * 100), 50_000)


def test_position_that_loses_its_value_takes_none_of_the_equity() -> None:
    held = owned_by(1, position("AAA", "10", "50", JUNE[0]))
    inputs = shard_of([portfolio(1)], [held], prices_of({"AAA": [55, 60, 61, 62, 63]}))
    before = roll(inputs).valuation.closing
    states = {held.position_id: _state(before.holdings.quantity[0], before.holdings.mark[0])}
    opening = replace(inputs.opening, positions=states, equity={UUID(int=1): 10_013_000})

    book = roll(unvalued(replace(inputs, opening=opening), held)).valuation.portfolios

    assert not book.pnl.any()
    assert set(book.equity[:, 0].tolist()) == {10_013_000}


def test_reason_why_a_position_is_not_valued_is_part_of_the_digest() -> None:
    held = owned_by(1, position("AAA", "10", "50", JUNE[0]))
    inputs = shard_of([portfolio(1)], [held], prices_of({"AAA": [55, 60, 61, 62, 63]}))
    other = {held.position_id: replace(WHY, detail="of a third currency")}
    digests = [roll(entry).digests[0][0] for entry in (unvalued(inputs, held), replace(inputs, unvalued=other))]
    assert digests[0] != digests[1]


@given(st.integers(0, 10_000), st.data())
def test_unvalued_positions_of_any_book_leave_it_as_it_is_without_them(seed: int, data: st.DataObject) -> None:
    inputs = random_shard(seed)
    chosen = data.draw(st.lists(st.sampled_from(inputs.positions), unique_by=lambda entry: entry.position_id))
    left = {entry.position_id for entry in inputs.positions} - {entry.position_id for entry in chosen}
    rest = replace(inputs, positions=tuple(entry for entry in inputs.positions if entry.position_id in left))

    with_them, without = roll(unvalued(inputs, *chosen)), roll(rest)

    for name in ("equity", "pnl", "cash", "gross", "net", "exit_pnl", "realised_pnl", "dividends"):
        ours, theirs = (getattr(rolled.valuation.portfolios, name) for rolled in (with_them, without))
        assert ours.tolist() == theirs.tolist(), name
    assert with_them.exposures.sum(axis=1).tolist() == without.exposures.sum(axis=1).tolist()
