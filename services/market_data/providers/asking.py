"""Asking a vendor symbol by symbol, within a time: what came, what it does not know, and what it failed on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from services.market_data.core.breaking import Failure
from services.market_data.providers.provider import ProviderError
from services.market_data.providers.vendor_errors import NotFound, OfOneSymbol, SymbolNotEntitled
from shared.unavailable import Reason, Unavailable

T = TypeVar("T")

# So many symbols in a row that cannot be read are not the symbols' fault.
FAILURES_IN_A_ROW: Final = 3


@dataclass(slots=True)
class Asked(Generic[T]):
    """What came of asking for some symbols; each is in one of the three.

    Attributes
    ----------
    found : dict of symbol to answer
    unavailable : dict of symbol to Unavailable
        What the vendor does not know.
    failed : dict of symbol to str
        On which it failed, or for which there was no time: nothing is settled of them.
    not_entitled : set of str
        Those of them that the plan does not have.
    failure : Failure or None
        On which the asking ended.
    """

    found: dict[str, T] = field(default_factory=dict)
    unavailable: dict[str, Unavailable] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    not_entitled: set[str] = field(default_factory=set)
    failure: Failure | None = None


async def ask_each(
    symbols: Sequence[str], ask: Callable[[str], Awaitable[T]], *, patience_s: float, absent: str
) -> Asked[T]:
    """Ask for one symbol after the other until the time is up or the vendor fails on more than a symbol.

    Parameters
    ----------
    symbols : sequence of str
    ask : callable
        Raises `NotFound` for what the vendor does not know, `OfOneSymbol` where only this symbol has no answer.
    patience_s : float
    absent : str
        What is said of a symbol that the vendor does not know.

    Raises
    ------
    ProviderError
        If the vendor failed before it had answered for any symbol.
    """
    asked = Asked[T]()
    why: ProviderError = ProviderError(f"there was no time left: {patience_s:g} s are for one shard")
    try:
        async with asyncio.timeout(patience_s):
            await _ask_all(symbols, ask, asked, Unavailable(Reason.MISSING_DATA, absent))
    except TimeoutError:
        pass
    except ProviderError as error:
        why = error
    answered = asked.found.keys() | asked.unavailable.keys()
    rest = [symbol for symbol in symbols if symbol not in answered and symbol not in asked.failed]
    if rest and not answered:
        raise why
    asked.failed.update(dict.fromkeys(rest, str(why)))
    asked.failure = why.failure
    return asked


async def _ask_all(
    symbols: Sequence[str], ask: Callable[[str], Awaitable[T]], asked: Asked[T], unknown: Unavailable
) -> None:
    in_a_row = 0
    for symbol in symbols:
        try:
            asked.found[symbol] = await ask(symbol)
        except NotFound:
            asked.unavailable[symbol] = unknown
        except OfOneSymbol as error:
            asked.failed[symbol] = str(error)
            if isinstance(error, SymbolNotEntitled):
                asked.not_entitled.add(symbol)
            in_a_row += 1
            if in_a_row == FAILURES_IN_A_ROW:
                raise
            continue
        in_a_row = 0
