"""The price that a number was made from: of a symbol the last bar until a session, and who gave it."""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

_LOAD = sa.text(
    """
    SELECT symbol, b.session, b.close, source FROM price_symbols p, LATERAL (
        SELECT session, close FROM price_bars
        WHERE price_bars.symbol_id = p.symbol_id AND session <= :until AND close IS NOT NULL
        ORDER BY session DESC LIMIT 1) b
    WHERE symbol = ANY(CAST(:symbols AS text[]))
    """
)


class LastPrice(BaseModel):
    """The last bar of a symbol until a session: its close as traded, and the provider of the symbol's history."""

    symbol: str
    session: date | None = None
    close: float | None = None
    source: str | None = None


async def load_last_prices(connection: AsyncConnection, symbols: Sequence[str], until: date) -> list[LastPrice]:
    """Return one entry a symbol, in their order; of a symbol without any bar nothing but its name."""
    rows = await connection.execute(_LOAD, {"symbols": list(symbols), "until": until})
    known = {row.symbol: LastPrice.model_validate(row, from_attributes=True) for row in rows}
    return [known.get(symbol, LastPrice(symbol=symbol)) for symbol in symbols]
