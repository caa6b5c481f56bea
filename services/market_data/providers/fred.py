"""The `fred` provider: interest rates from the data base of the Federal Reserve Bank of St. Louis."""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from services.market_data.core.findings import Finding, Rule
from services.market_data.providers.asking import ask_each
from services.market_data.providers.http_session import HttpSession, Received
from services.market_data.providers.json_fields import day, number
from services.market_data.providers.provider import FetchedRates, Kind
from services.market_data.providers.vendor_errors import KeyRefused, Malformed, NotFound
from services.market_data.providers.vendor_rows import rows_of
from services.market_data.settings import Access

_PATH: Final = "/fred/series/observations"
_MISSING: Final = "."  # a day on which nothing was quoted
_PERCENT: Final = 100.0
MOST: Final = 1.0  # no rate of a dollar was ever a fifth of it


class FredProvider:
    """Asks FRED for one series after the other."""

    name: Final = "fred"

    def __init__(self, access: Access) -> None:
        query = {"api_key": access.key.get_secret_value(), "file_type": "json"}
        self._session = HttpSession(access, {}, _refusal, query=query)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def edition(self, _: Kind) -> str:
        """Return a constant: the history does not grow backward."""
        return "1"

    async def fetch_rates(self, series: Sequence[str], first: date, last: date) -> FetchedRates:
        """Return the rates, see `RateProvider`."""
        findings: list[Finding] = []

        async def ask(name: str) -> dict[date, float]:
            span = {"observation_start": str(first), "observation_end": str(last)}
            body = (await self._session.get(_PATH, series_id=name, **span)).body
            if not isinstance(body, Mapping):
                raise Malformed(f"no object but {type(body).__name__}")
            rates = _rates(name, rows_of(body.get("observations")), findings)
            if not any(first <= on <= last for on in rates):
                raise NotFound(name)
            return {on: rate for on, rate in rates.items() if first <= on <= last}

        said = f"not in {self.name} from {first} to {last}"
        asked = await ask_each(series, ask, patience_s=self._session.patience_s, absent=said)
        return FetchedRates(
            self.name, asked.found, asked.unavailable, tuple(findings), asked.failed, failure=asked.failure
        )


def _rates(series: str, rows: Sequence[Any], findings: list[Finding]) -> dict[date, float]:
    rates: dict[date, float] = {}
    for row in rows:
        on, value = (day(row.get("date")), row.get("value")) if isinstance(row, Mapping) else (None, None)
        rate = number(value) / _PERCENT
        if on is None:
            findings.append(Finding(series, None, Rule.UNPARSABLE_DATE, f"{str(row)[:100]!r}", FredProvider.name))
        elif not math.isfinite(rate) or abs(rate) > MOST:
            if value != _MISSING:
                findings.append(Finding(series, on, Rule.UNPARSABLE_NUMBER, f"{str(value)[:100]!r}", FredProvider.name))
        else:
            rates[on] = rate
    return rates


def _refusal(received: Received, said: str) -> Exception | None:
    # All under 400, in JSON that is called XML.
    if received.status != 400:
        return None
    if "api_key" in said:
        return KeyRefused(said)
    return NotFound(said) if "series does not exist" in said else None
