"""Rows of vendors' answers as bars that are to be checked."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from services.market_data.core.findings import Finding, Rule
from services.market_data.core.raw_bars import RawBars
from services.market_data.providers.asking import Asked
from services.market_data.providers.json_fields import number
from services.market_data.providers.provider import FetchedBars
from services.market_data.providers.vendor_errors import Malformed
from shared.unavailable import Reason, Unavailable

Row = Mapping[str, Any]
DayOf = Callable[[Row], date | None]


def rows_of(body: Any) -> list[Any]:
    """Return the rows of an answer.

    Raises
    ------
    Malformed
        If it is no list.
    """
    if not isinstance(body, list):
        raise Malformed(f"no list of rows but {type(body).__name__}")
    return body


class RowReader:
    """Reads rows of one vendor.

    Parameters
    ----------
    provider : str
    fields : mapping of bar field to the vendor's name of it
    day_of : callable
        The day of a row, None where it says none.
    """

    def __init__(self, provider: str, fields: Mapping[str, str], day_of: DayOf) -> None:
        self._provider = provider
        self._fields = fields
        self._day_of = day_of

    def read(
        self, asked: Asked[list[Any]], first: date, last: date, *, findings: Sequence[Finding] = ()
    ) -> FetchedBars:
        """Return the rows on [first, last]; a symbol without any is unavailable there.

        `findings` are what was set aside before.
        """
        kept: dict[str, list[tuple[date, Row]]] = {}
        found = list(findings)
        unavailable = dict(asked.unavailable)
        for symbol, rows in asked.found.items():
            dated = [self._dated(symbol, row, found) for row in rows]
            inside = [(day, row) for day, row in dated if day is not None and first <= day <= last]
            if inside:
                kept[symbol] = inside
            else:
                unavailable[symbol] = Unavailable(Reason.MISSING_DATA, absent(self._provider, first, last))
        return FetchedBars(
            self._provider,
            self._raw(kept),
            unavailable,
            tuple(found),
            failed=asked.failed,
            failure=asked.failure,
            not_entitled=asked.not_entitled,
        )

    def _dated(self, symbol: str, row: Any, findings: list[Finding]) -> tuple[date | None, Row]:
        day = self._day_of(row) if isinstance(row, Mapping) else None
        if day is None:
            findings.append(Finding(symbol, None, Rule.UNPARSABLE_DATE, f"{str(row)[:100]!r}", self._provider))
        return day, row

    def _raw(self, kept: Mapping[str, Sequence[tuple[date, Row]]]) -> RawBars:
        rows = [row for rows in kept.values() for _, row in rows]
        return RawBars.of(
            tuple(kept),
            np.repeat(np.arange(len(kept)), [len(rows) for rows in kept.values()]),
            np.array([day for rows in kept.values() for day, _ in rows], dtype="datetime64[D]"),
            columns={
                name: np.array([number(row.get(field)) for row in rows], dtype=np.float64)
                for name, field in self._fields.items()
            },
        )


def absent(provider: str, first: date, last: date) -> str:
    """Return what is said of a symbol that a vendor has no bar of."""
    return f"not in {provider} from {first} to {last}"
