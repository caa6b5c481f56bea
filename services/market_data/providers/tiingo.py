"""The `tiingo` provider: histories of bars as traded, with dividends and splits, one request a symbol."""

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any, Final

from services.market_data.providers.asking import ask_each
from services.market_data.providers.http_session import HttpSession, Received, retry_after
from services.market_data.providers.json_fields import day
from services.market_data.providers.provider import FetchedBars, Kind
from services.market_data.providers.vendor_errors import NoNewSymbols, RateLimited
from services.market_data.providers.vendor_rows import RowReader, absent, rows_of
from services.market_data.settings import Access

_FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{name: name for name in ("close", "open", "high", "low", "volume")},
        "adjusted": "adjClose",
        "split": "splitFactor",
        "dividend": "divCash",
    }
)
# Under 429 and under 200, in JSON and in plain text. Symbols that were asked for in a month before the allowance of new
# ones was spent are still answered.
_QUOTA: Final = "You have run over your"
_NEW_SYMBOLS: Final = "symbol look up"


class TiingoProvider:
    """Asks Tiingo for one symbol after the other."""

    name: Final = "tiingo"

    def __init__(self, access: Access) -> None:
        headers = {"Authorization": f"Token {access.key.get_secret_value()}"}
        self._session = HttpSession(access, headers, _refusal)
        self._reader = RowReader(self.name, _FIELDS, lambda row: day(row.get("date")))

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def edition(self, _: Kind) -> str:
        """Return a constant: the history does not grow backward."""
        return "1"

    async def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> FetchedBars:
        """Return the histories, see `BarProvider`."""

        async def ask(symbol: str) -> list[Any]:
            path = f"/tiingo/daily/{symbol}/prices"
            return rows_of((await self._session.get(path, startDate=str(first), endDate=str(last))).body)

        said = absent(self.name, first, last)
        asked = await ask_each(symbols, ask, patience_s=self._session.patience_s, absent=said)
        return self._reader.read(asked, first, last)


def _refusal(received: Received, said: str) -> Exception | None:
    if _QUOTA not in said:
        return None
    return NoNewSymbols(said) if _NEW_SYMBOLS in said else RateLimited(said, retry_after(received.headers))
