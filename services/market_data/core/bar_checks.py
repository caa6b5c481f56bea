"""What keeps bad rows away from the numbers: each rejected row becomes a finding, the rest becomes `Bars`.

The order of the checks decides which rule a row is reported under: dates, events, fields, duplicates, missing adjusted
closes. Each row is looked at on its own; what bars say about one another is judged when they are beside what is stored
(`judging.py`). Nothing raises for bad data.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from services.market_data.core.bars import BAR_FIELDS, Bars
from services.market_data.core.findings import Finding, Rule, rejections
from services.market_data.core.raw_bars import RawBars
from services.market_data.core.splits import unrounded
from shared.arrays import BoolArray, DateArray, FloatArray, IntArray
from shared.unavailable import Reason, Unavailable

RANGE_TOLERANCE: Final = 0.01  # official closes come from the auction, highs and lows from the tape

Describe = Callable[[RawBars, int], str]


@dataclass(frozen=True, slots=True, eq=False)
class CheckedBars:
    """The accepted bars, on every session of the request, and why the other rows are not among them.

    Adjusted closes are NaN where their source gives none.

    `findings` are sorted by symbol, day, line and rule.
    """

    bars: Bars
    findings: tuple[Finding, ...]

    def refused(self, wanted: DateArray, unread: Sequence[Finding] = ()) -> dict[str, Unavailable]:
        """Return the symbols that lack what they are asked for because it was rejected, with the rules and how often.

        Of the wanted sessions, or of all, they have no bar, and not for want of a row; `unread` are the findings about
        rows that were never read.
        """
        served = self.bars.present[np.isin(self.bars.sessions, wanted)].any(axis=0)
        anywhere: list[bool] = np.asarray(self.bars.present.any(axis=0)).tolist()
        lacking = {finding.symbol: True for finding in unread if finding.symbol not in self.bars.symbols}
        lacking |= {self.bars.symbols[column]: not anywhere[column] for column in np.flatnonzero(~served)}
        days = set(wanted.tolist())
        rules: dict[str, Counter[Rule]] = defaultdict(Counter)
        for finding in (*unread, *self.findings):
            if (
                finding.symbol is not None
                and finding.symbol in lacking
                and (lacking[finding.symbol] or finding.day in days)
            ):
                rules[finding.symbol][finding.rule] += 1
        return {symbol: Unavailable(Reason.MISSING_DATA, rejections(counts)) for symbol, counts in rules.items()}


@dataclass(frozen=True, slots=True)
class Request:
    """What the rows were asked for.

    Parameters
    ----------
    provider : str
        Named in the findings.
    sessions : ndarray of datetime64[D]
        Every session asked for, ascending. Rows before the first or after the last are not part of the answer.
    target : date
        The last closed session. Rows after it are from the future.
    """

    provider: str
    sessions: DateArray
    target: date


class _Sieve:
    """The rows still accepted, and the findings about the others."""

    def __init__(self, rows: RawBars, provider: str) -> None:
        self.rows = rows
        self.findings: list[Finding] = []
        self._provider = provider

    def reject(self, bad: BoolArray, rule: Rule, describe: Describe) -> None:
        self.report(bad, rule, describe)
        if bad.any():
            self.rows = self.rows.take(~bad)

    def report(self, bad: BoolArray, rule: Rule, describe: Describe) -> None:
        rows = self.rows
        self.findings.extend(
            Finding(
                symbol=rows.symbols[rows.code[i]],
                day=rows.day[i].item(),
                rule=rule,
                detail=describe(rows, i),
                provider=self._provider,
                file=rows.file,
                line=int(rows.line[i]) or None,
            )
            for i in np.nonzero(bad)[0].tolist()
        )

    def drop(self, rows: BoolArray) -> None:
        self.rows = self.rows.take(~rows)


def check_rows(rows: RawBars, request: Request) -> CheckedBars:
    """Check raw rows and lay the accepted ones out as bars.

    A split or dividend of a session whose row is rejected is carried to the symbol's next accepted bar, so that neither
    the adjusted closes nor a position's quantity lose it.

    Parameters
    ----------
    rows : RawBars
        Any order; the result does not depend on it.
    request : Request

    Returns
    -------
    CheckedBars
    """
    sieve = _Sieve(_canonical_order(rows), request.provider)
    with np.errstate(all="ignore"):  # absurd magnitudes overflow on their way to being rejected
        _check_row_by_row(sieve, request)
        bars = _to_bars(sieve.rows, request.sessions)
    return CheckedBars(bars, tuple(sorted(sieve.findings, key=_finding_order)))


def _check_row_by_row(sieve: _Sieve, request: Request) -> None:
    _check_dates(sieve, request)
    _blank_unusable_fields(sieve)
    _check_events(sieve)
    with_events = sieve.rows
    _check_fields(sieve)
    _check_duplicates(sieve)
    _check_adjusted(sieve)
    sieve.rows = _carry_events(sieve.rows, with_events)


def _canonical_order(rows: RawBars) -> RawBars:
    return rows.take(np.lexsort((rows.line, rows.day, rows.code)))


def _finding_order(finding: Finding) -> tuple[str, str, int, str, str]:
    return (finding.symbol or "", str(finding.day or ""), finding.line or 0, finding.rule, finding.detail)


def _check_dates(sieve: _Sieve, request: Request) -> None:
    target = np.datetime64(request.target, "D")
    sieve.reject(sieve.rows.day > target, Rule.FUTURE_DATE, lambda _, __: f"after the last closed session {target}")
    day, sessions = sieve.rows.day, request.sessions
    if len(sessions) == 0:
        sieve.drop(np.ones(len(day), dtype=bool))
        return
    sieve.drop((day < sessions[0]) | (day > sessions[-1]))
    sieve.reject(~np.isin(sieve.rows.day, sessions), Rule.OFF_SESSION, lambda _, __: "the exchange was closed")


def _blank_unusable_fields(sieve: _Sieve) -> None:
    # vendors send 0 for an open, high or low they do not have: the close is still good
    for name in ("open", "high", "low"):
        values: FloatArray = getattr(sieve.rows, name)
        bad = ~np.isnan(values) & ~(np.isfinite(values) & (values > 0))
        sieve.report(bad, Rule.UNUSABLE_FIELD, _value_of(name))
        values = np.where(bad, np.nan, values)
        sieve.rows = _with_column(sieve.rows, name, values)


def _check_events(sieve: _Sieve) -> None:
    split, dividend = sieve.rows.split, sieve.rows.dividend
    # 0 is how vendors write "no split"
    sieve.rows = _with_column(sieve.rows, "split", np.where(np.isnan(split) | (split == 0), 1.0, unrounded(split)))
    sieve.rows = _with_column(sieve.rows, "dividend", np.where(np.isnan(dividend), 0.0, dividend))
    sieve.reject(~_positive(sieve.rows.split), Rule.BAD_SPLIT, _value_of("split"))
    dividend = sieve.rows.dividend
    sieve.reject(~(np.isfinite(dividend) & (dividend >= 0)), Rule.BAD_DIVIDEND, _value_of("dividend"))


def _check_fields(sieve: _Sieve) -> None:
    sieve.reject(~np.isfinite(sieve.rows.close), Rule.NON_FINITE_CLOSE, _value_of("close"))
    sieve.reject(sieve.rows.close <= 0, Rule.NON_POSITIVE_CLOSE, _value_of("close"))
    adjusted = sieve.rows.adjusted
    sieve.reject(~np.isnan(adjusted) & ~_positive(adjusted), Rule.BAD_ADJUSTED_CLOSE, _value_of("adjusted"))
    sieve.reject(sieve.rows.high < sieve.rows.low, Rule.HIGH_BELOW_LOW, lambda r, i: f"{r.high[i]} < {r.low[i]}")
    close, low, high = sieve.rows.close, sieve.rows.low, sieve.rows.high
    outside = (close < low * (1 - RANGE_TOLERANCE)) | (close > high * (1 + RANGE_TOLERANCE))
    sieve.reject(outside, Rule.CLOSE_OUTSIDE_RANGE, lambda r, i: f"{r.close[i]} not in [{r.low[i]}, {r.high[i]}]")
    volume = sieve.rows.volume
    sieve.reject((volume < 0) | np.isinf(volume), Rule.BAD_VOLUME, _value_of("volume"))


def _check_duplicates(sieve: _Sieve) -> None:
    rows = sieve.rows
    starts = _group_starts(rows)
    group = np.cumsum(starts) - 1
    first_row = np.nonzero(starts)[0]
    same_as_first = np.ones(len(rows), dtype=bool)
    for name in BAR_FIELDS:
        values: FloatArray = getattr(rows, name)
        reference = values[first_row][group]
        same_as_first &= (values == reference) | (np.isnan(values) & np.isnan(reference))
    conflicting = np.bincount(group, weights=~same_as_first, minlength=len(first_row))[group] > 0
    sieve.report(conflicting, Rule.DUPLICATE_CONFLICTING, _value_of("close"))
    repeated = ~starts & ~conflicting
    sieve.report(repeated, Rule.DUPLICATE_IDENTICAL, _value_of("close"))
    sieve.drop(conflicting | repeated)


def _check_adjusted(sieve: _Sieve) -> None:
    # a series is either adjusted by its source or derived here, never a mixture
    rows = sieve.rows
    given = ~np.isnan(rows.adjusted)
    symbol_has_some = np.bincount(rows.code, weights=given, minlength=len(rows.symbols)) > 0
    missing = ~given & symbol_has_some[rows.code]
    sieve.reject(missing, Rule.MISSING_ADJUSTED_CLOSE, lambda _, __: "other rows of the symbol have one")


def _carry_events(accepted: RawBars, with_events: RawBars) -> RawBars:
    # events of the dates that ended without a bar, merged into the next accepted row of the symbol
    lost = _agreed_events(with_events.take(~np.isin(_keys(with_events), _keys(accepted))))
    keys = _keys(accepted)
    target = np.searchsorted(keys, _keys(lost))
    inside = target < len(keys)
    inside[inside] = accepted.code[target[inside]] == lost.code[inside]
    split, dividend = accepted.split.copy(), accepted.dividend.copy()
    eventful = inside & ((lost.split != 1.0) | (lost.dividend != 0.0))
    # newest first: the split of the target is then the number of its shares that a share of the lost row became
    for row in np.nonzero(eventful)[0][::-1].tolist():
        dividend[target[row]] += lost.dividend[row] / split[target[row]]
        split[target[row]] *= lost.split[row]
    return _with_column(_with_column(accepted, "split", split), "dividend", dividend)


def _agreed_events(rows: RawBars) -> RawBars:
    # one row per symbol and day, of those days on which all rows tell the same event
    if len(rows) == 0:
        return rows
    first = np.nonzero(_group_starts(rows))[0]
    agreed = np.ones(len(first), dtype=bool)
    for values in (rows.split, rows.dividend):
        agreed &= np.minimum.reduceat(values, first) == np.maximum.reduceat(values, first)
    return rows.take(first[agreed])


def _to_bars(rows: RawBars, sessions: DateArray) -> Bars:
    bars = Bars.blank(sessions, rows.symbols)
    position = np.searchsorted(sessions, rows.day)
    for name in BAR_FIELDS:
        getattr(bars, name)[position, rows.code] = getattr(rows, name)
    return bars


def _keys(rows: RawBars) -> IntArray:
    return rows.code * np.int64(1 << 32) + rows.day.astype(np.int64)


def _group_starts(rows: RawBars) -> BoolArray:
    # rows are sorted by symbol and day
    keys = _keys(rows)
    starts = np.ones(len(keys), dtype=bool)
    starts[1:] = keys[1:] != keys[:-1]
    return starts


def _positive(values: FloatArray) -> BoolArray:
    return np.asarray(np.isfinite(values) & (values > 0))


def _value_of(name: str) -> Describe:
    return lambda rows, i: f"{name} {getattr(rows, name)[i]}"


def _with_column(rows: RawBars, name: str, values: FloatArray) -> RawBars:
    columns: dict[str, FloatArray] = {field: getattr(rows, field) for field in BAR_FIELDS}
    columns[name] = values
    return RawBars.of(rows.symbols, rows.code, rows.day, columns=columns, line=rows.line, file=rows.file)
