"""A price file in memory: compact columns, sorted by symbol and day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.market_data.core.findings import Finding, Rule
from services.market_data.core.raw_bars import RawBars
from services.market_data.providers.provider import FetchedBars
from shared.arrays import DateArray, FloatArray, IntArray
from shared.symbols import one_spelling
from shared.unavailable import Reason, Unavailable

PRICES: Final = ("close", "open", "high", "low", "dividend", "adjusted")  # fields of a bar in a currency
MAX_UNREAD_ROWS: Final = 1_000  # kept one by one; of the others only the number


def canonical(symbol: str) -> str:
    """Return the spelling under which a symbol is looked up: BRK.B, brk-b and BRK/B are the same share."""
    return one_spelling(symbol).replace(".", "-")


@dataclass(frozen=True, slots=True)
class UnreadRow:
    """A row of a file that could not be turned into numbers. `key` is a canonical symbol."""

    key: str | None
    day: date | None
    rule: Rule
    detail: str
    line: int


@dataclass(frozen=True, slots=True)
class UnreadRows:
    """The first `MAX_UNREAD_ROWS` of them by line, and how many more there are."""

    rows: tuple[UnreadRow, ...] = ()
    omitted: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PriceTable:
    """The rows of a price file from some day on.

    Parameters
    ----------
    file : str
        Its name.
    position : mapping of canonical symbol to int
        Every symbol of the file, whether it has rows here or not.
    bounds : ndarray of shape (n_symbols + 1,)
        The rows of symbol i are ``bounds[i]:bounds[i + 1]``.
    day : ndarray of datetime64[D], shape (n_rows,)
        Ascending within a symbol.
    columns : mapping of bar field to ndarray of shape (n_rows,)
        The fields that the file has.
    line : ndarray of int32, shape (n_rows,)
        0 where the format has no lines.
    unread : UnreadRows
    currency : mapping of canonical symbol to str
        Of those that say one; prices in hundredths are divided already.
    """

    file: str
    position: Mapping[str, int]
    bounds: IntArray
    day: DateArray
    columns: Mapping[str, FloatArray]
    line: NDArray[np.int32]
    unread: UnreadRows
    currency: Mapping[str, str] = field(default_factory=dict)

    def fetch(
        self, provider: str, symbols: Sequence[str], *, first: date, last: date, written: date = date.max
    ) -> FetchedBars:
        """Return the rows on [first, last] of the symbols that have any.

        Rows after both `last` and the day on which the rows were `written` come along: they are from the future, and
        the checks have to see them to say so.
        """
        begin, end = np.datetime64(first, "D"), np.datetime64(last, "D")
        future = np.datetime64(max(last, written), "D")
        found: dict[str, IntArray] = {}
        unavailable: dict[str, Unavailable] = {}
        for symbol in symbols:
            place = self.position.get(canonical(symbol))
            if place is None:
                unavailable[symbol] = Unavailable(Reason.MISSING_DATA, f"not in {self.file}")
                continue
            start, stop = int(self.bounds[place]), int(self.bounds[place + 1])
            start += int(np.searchsorted(self.day[start:stop], begin))
            if start == stop or self.day[start] > end:
                detail = f"no readable row in {self.file} from {first} to {last}"
                unavailable[symbol] = Unavailable(Reason.MISSING_DATA, detail)
                continue
            inside, ahead = np.searchsorted(self.day[start:stop], [end, future], side="right") + start
            found[symbol] = np.concatenate([np.arange(start, inside), np.arange(ahead, stop)])
        findings = self._findings(provider, symbols, first, last)
        return FetchedBars(provider, self._rows(found), unavailable, findings, self.unread.omitted)

    def _rows(self, found: Mapping[str, IntArray]) -> RawBars:
        picked = list(found.values())
        rows = np.concatenate(picked or [np.empty(0, dtype=np.int64)])
        return RawBars.of(
            tuple(found),
            np.repeat(np.arange(len(picked)), [len(part) for part in picked]),
            self.day[rows],
            columns={name: values[rows] for name, values in self.columns.items()},
            line=self.line[rows].astype(np.int64),
            file=self.file,
        )

    def _findings(self, provider: str, symbols: Sequence[str], first: date, last: date) -> tuple[Finding, ...]:
        asked = {canonical(symbol): symbol for symbol in symbols}
        return tuple(
            Finding(
                symbol=None if row.key is None else asked[row.key],
                day=row.day,
                rule=row.rule,
                detail=row.detail,
                provider=provider,
                file=self.file,
                line=row.line or None,
            )
            for row in self.unread.rows
            if (row.key is None or row.key in asked) and (row.day is None or first <= row.day <= last)
        )
