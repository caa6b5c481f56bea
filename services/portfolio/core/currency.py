"""What is quoted in another currency than its book is in: held, and not valued."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from services.portfolio.core.portfolios import Portfolio
from services.portfolio.core.positions import Position, PositionType


class ValueReason(StrEnum):
    """Why a position is held and not valued."""

    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"


@dataclass(frozen=True, slots=True)
class Unvalued:
    """Stands where the value of a position would: nothing of it is in any sum."""

    reason: ValueReason
    detail: str


def mismatches(
    positions: Sequence[Position], portfolios: Sequence[Portfolio], currencies: Mapping[str, str]
) -> dict[UUID, Unvalued]:
    """Return why positions cannot be valued: their instruments are quoted in another currency than their books.

    An option is quoted as its underlying is, a private holding as its book. An instrument whose currency nobody says is
    taken for one in the currency of the book.

    Parameters
    ----------
    positions, portfolios
        Of a shard.
    currencies : mapping
        Of the symbols where they are known, as they are quoted: pence (GBp) are not pounds (GBP).
    """
    books = {portfolio.portfolio_id: portfolio.currency for portfolio in portfolios}
    found: dict[UUID, Unvalued] = {}
    for position in positions:
        terms, book = position.terms, books[position.portfolio_id]
        symbol = terms.symbol if terms.option is None else terms.option.underlying
        quoted = currencies.get(symbol, book)
        if quoted != book and terms.kind is not PositionType.PRIVATE:
            detail = f"{symbol} is quoted in {quoted}, the book is in {book}, and nothing is converted"
            found[position.position_id] = Unvalued(ValueReason.CURRENCY_MISMATCH, detail)
    return found
