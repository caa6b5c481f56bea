"""How the portfolios of a run are cut into parts."""

from datetime import date
from itertools import product
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.portfolio.fan_out import (
    LONG_SHARD_PORTFOLIOS,
    PART_SESSIONS,
    SHARD_CELLS,
    SHARD_PORTFOLIOS,
    SHARD_POSITIONS,
    pack_portfolios,
)
from services.portfolio.storage.repository import Progress
from shared.calendar import sessions_between, shift_session
from tests.support.runs import SESSION, make_run


def progress(number: int, positions: int, opened_on: date) -> Progress:
    """A portfolio without a snapshot."""
    return Progress(UUID(int=number), opened_on, None, None, positions, None)


@given(
    positions=st.lists(st.integers(0, 3_000), min_size=1, max_size=240),
    lengths=st.lists(st.sampled_from([1, 2, 21, 300]), min_size=1, max_size=3),
)
def test_parts_have_every_portfolio_at_every_session_once_and_are_bounded(
    positions: list[int], lengths: list[int]
) -> None:
    opened = [shift_session(SESSION, 1 - lengths[number % len(lengths)]) for number in range(len(positions))]
    books = [progress(number, count, opened[number]) for number, count in enumerate(positions)]

    shards = pack_portfolios(books, make_run(first_session=SESSION))

    told = [(owner.int, day) for shard in shards for owner, day in product(shard.portfolio_ids, shard.sessions)]
    assert sorted(told) == [
        (number, day) for number in range(len(books)) for day in sessions_between(opened[number], SESSION)
    ]
    for shard in shards:
        count = sum(max(positions[owner.int], 1) for owner in shard.portfolio_ids)
        assert count * shard.length <= SHARD_CELLS or shard.length == 1
        assert count <= SHARD_POSITIONS or len(shard.portfolio_ids) == 1
        assert len(shard.portfolio_ids) <= (SHARD_PORTFOLIOS if len(shard.sessions) == 1 else LONG_SHARD_PORTFOLIOS)


def test_year_of_a_hundred_books_is_cut_by_sessions_before_portfolios() -> None:
    books = [progress(number, 50, shift_session(SESSION, -249)) for number in range(100)]

    shards = pack_portfolios(books, make_run(first_session=SESSION))

    assert [(len(shard.portfolio_ids), shard.length) for shard in shards] == [(50, 12)] * 2


def test_parts_of_a_shard_are_of_one_length() -> None:
    (shard,) = pack_portfolios(
        [progress(0, 1, shift_session(SESSION, -PART_SESSIONS))], make_run(first_session=SESSION)
    )

    assert len(shard.sessions) == PART_SESSIONS + 1
    assert shard.length == PART_SESSIONS // 2 + 1
