"""Asking symbol by symbol: what is settled of a symbol, and what is not."""

import asyncio
from collections.abc import Mapping

import pytest

from services.market_data.providers.asking import ask_each
from services.market_data.providers.provider import ProviderError
from services.market_data.providers.vendor_errors import Blocked, Malformed, NotFound, RateLimited

SYMBOLS = ["A", "B", "C", "D", "E", "F"]


async def _ask(trouble: Mapping[str, Exception], *, hangs_on: str = "") -> tuple[set[str], set[str], dict[str, str]]:
    async def ask(symbol: str) -> str:
        if symbol in trouble:
            raise trouble[symbol]
        if symbol == hangs_on:
            await asyncio.Event().wait()
        return symbol.lower()

    asked = await ask_each(SYMBOLS, ask, patience_s=0.01 if hangs_on else 60.0, absent="not in x")
    return set(asked.found), set(asked.unavailable), asked.failed


async def test_symbol_that_cannot_be_read_or_is_unknown_keeps_no_other_from_its_answer() -> None:
    found, unknown, failed = await _ask({"B": NotFound(), "D": Malformed("no JSON")})

    assert (found, unknown, failed) == ({"A", "C", "E", "F"}, {"B"}, {"D": "no JSON"})


async def test_vendor_that_fails_is_not_asked_further_and_nothing_is_settled_of_the_rest() -> None:
    found, unknown, failed = await _ask({"B": NotFound(), "C": RateLimited("spent"), "D": AssertionError("asked")})

    assert (found, unknown) == ({"A"}, {"B"})
    assert failed == dict.fromkeys("CDEF", "rate limited: spent")


async def test_three_symbols_in_a_row_that_cannot_be_read_are_the_vendors_fault() -> None:
    bad = Malformed("no JSON")
    found, _, failed = await _ask({"B": bad, "C": bad, "D": bad, "E": AssertionError("asked")})

    assert (found, failed) == ({"A"}, dict.fromkeys("BCDEF", "no JSON"))


async def test_what_there_was_no_time_for_is_not_settled() -> None:
    found, _, failed = await _ask({}, hangs_on="C")

    assert found == {"A", "B"}
    assert failed == dict.fromkeys("CDEF", "there was no time left: 0.01 s are for one shard")


@pytest.mark.parametrize("trouble", [Blocked("a page"), RateLimited("spent")])
async def test_vendor_that_answers_for_nobody_has_failed(trouble: ProviderError) -> None:
    with pytest.raises(type(trouble)):
        await _ask({"A": trouble})
