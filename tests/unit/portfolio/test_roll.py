"""A shard of portfolios: what is wrong with one of them stays with it, and none of them changes a bit of another."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portfolio.core.cents import AmountOutOfRange
from services.portfolio.core.positions import OptionTerms, Position, PositionType
from services.portfolio.core.roll import RollInputs, roll, roll_shard
from tests.unit.portfolio.rolls import position
from tests.unit.portfolio.shards import owned_by, portfolio, prices_of, random_prices, random_shard, shard_of

FAR = date(2025, 12, 19)
CALM = {"AAA": [100.0, 101.0, 102.0], "BBB": [50.0, 49.0, 48.0]}


def option(
    number: int, symbol: str, underlying: str, *, quantity: str = "2", kind: PositionType = PositionType.LC
) -> Position:
    terms = OptionTerms(underlying, Decimal(100), FAR)
    return owned_by(number, position(symbol, quantity, "3", kind=kind), option=terms)


def broken_by(price: float) -> RollInputs:
    """Return a shard of three portfolios, of which the second holds what costs so much."""
    closes = {**CALM, "HUGE": [price] * 3}
    held = [
        owned_by(1, position("AAA", "10", "90")),
        owned_by(2, position("AAA", "10", "90")),
        owned_by(2, position("HUGE", "1000000", "1")),
        owned_by(3, position("BBB", "-5", "60")),
    ]
    return shard_of([portfolio(number) for number in (1, 2, 3)], held, prices_of(closes))


def test_portfolio_whose_amounts_cannot_be_counted_costs_only_itself() -> None:
    rolled, refused = roll_shard(broken_by(1e12))

    calm = roll(broken_by(1e12).only([portfolio(1).portfolio_id, portfolio(3).portfolio_id]))
    assert rolled.portfolio_ids == (portfolio(1).portfolio_id, portfolio(3).portfolio_id)
    assert rolled.digests == calm.digests
    assert rolled.valuation.portfolios.pnl.tolist() == calm.valuation.portfolios.pnl.tolist()
    assert list(refused) == [portfolio(2).portfolio_id]
    assert "was 1e+20" in str(refused[portfolio(2).portfolio_id])


def test_price_of_a_trillion_is_a_value_where_cents_can_hold_it() -> None:
    # A million shares at 10^9: 10^17 cents would be too many, at 9 x 10^8 they are not.
    rolled, refused = roll_shard(broken_by(9e8))

    assert refused == {}
    assert rolled.valuation.portfolios.net[-1, 1] == 9 * 10**16 + 102_000


def test_shard_of_broken_portfolios_only_has_failures_only() -> None:
    inputs = broken_by(1e12)
    alone = inputs.only([portfolio(2).portfolio_id])

    rolled, refused = roll_shard(alone)

    assert (rolled.portfolio_ids, len(refused)) == ((), 1)
    assert rolled.digests == [[], [], []]


def test_many_lots_whose_sum_leaves_63_bits_are_refused_and_not_wrapped_around() -> None:
    # 200 lots of 9 x 10^16 cents each: 1.8 x 10^19, twice what fits.
    lots = [owned_by(1, position("HUGE", str(900_000 + number), "1")) for number in range(200)]
    inputs = shard_of([portfolio(1)], lots, prices_of({"HUGE": [1e9]}))

    with pytest.raises(AmountOutOfRange, match="sums must be"):
        roll(inputs)


def test_option_is_split_as_its_underlying_whatever_it_is_called() -> None:
    # Called like its underlying, like a share that somebody else holds, or by a name of its own.
    held = [option(1, "AAA", "AAA"), option(2, "BBB", "AAA"), option(3, "AAAC", "AAA")]
    shares = owned_by(4, position("BBB", "10", "40"))
    prices = prices_of({"AAA": [100.0, 51.0], "BBB": [50.0, 50.0]}, {"AAA": [1.0, 2.0]})

    rolled = roll(shard_of([portfolio(number) for number in (1, 2, 3, 4)], [*held, shares], prices))

    assert rolled.valuation.positions.quantity[1].tolist() == [4.0, 4.0, 4.0, 10.0]
    assert (
        rolled.valuation.portfolios.pnl[:, 3].tolist()
        == roll(shard_of([portfolio(4)], [shares], prices)).valuation.portfolios.pnl[:, 0].tolist()
    )


@given(st.integers(0, 2**32 - 1))
def test_batch_mates_change_no_bit_of_digests_options_included(seed: int) -> None:
    whole = random_shard(seed)
    together = roll(whole)

    for column, owner in enumerate(whole.portfolios):
        mine = whole.only([owner.portfolio_id])
        alone = roll(shard_of(mine.portfolios, mine.positions, random_prices(seed), flows=mine.flows))
        assert [row[0] for row in alone.digests] == [row[column] for row in together.digests]
        held = together.arrays.positions.portfolio == column
        np.testing.assert_array_equal(alone.exposures, together.exposures[:, held])
        options = together.options.contracts.position
        owned = np.flatnonzero(held[options])
        np.testing.assert_array_equal(alone.options.delta.values, together.options.delta.values[:, owned])


@given(st.integers(0, 2**32 - 1))
def test_order_of_positions_portfolios_and_flows_changes_no_digest(seed: int) -> None:
    whole = random_shard(seed)
    order = np.random.default_rng(seed).permutation(len(whole.positions)).tolist()
    shuffled = shard_of(
        whole.portfolios[::-1],
        [whole.positions[index] for index in order],
        random_prices(seed),
        flows=whole.flows[::-1],
    )

    digests = roll(shuffled).digests

    assert [row[::-1] for row in digests] == roll(whole).digests
