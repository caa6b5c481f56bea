"""Bars judged beside one another: which of them count, and with which splits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np

from services.market_data.core.adjustment import previous_bar, total_return_adjusted
from services.market_data.core.bars import Bars
from services.market_data.core.findings import Rule
from services.market_data.core.jumps import JUMP_FACTOR, used_bars
from services.market_data.core.series import Series, far_apart
from services.market_data.core.splits import ORDINARY_MOVE, judge_split
from shared.arrays import BoolArray, DateArray, IntArray
from shared.calendar import session_ordinals
from shared.unavailable import Reason, Unavailable

# A ruling is about the number that was seen: what a vendor changed since is judged anew.
SAME_VALUE: Final = 1e-6  # relative


class Decision(StrEnum):
    """What an operator, or another provider, says of a held close or of an inferred split."""

    ACCEPT = "accept"
    REFUSE = "refuse"


class Place(NamedTuple):
    """What a ruling is about."""

    symbol: str
    session: date
    rule: Rule


@dataclass(frozen=True, slots=True)
class Ruling:
    """The newest decision about a place, and the close or the split that it was made about."""

    decision: Decision
    value: float


Rulings = Mapping[Place, Ruling]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a bar; `value` is its close where it is held, the split that it shows or is given elsewhere."""

    symbol: str
    session: date
    rule: Rule
    value: float
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Bars as they were delivered, and as they are used.

    Parameters
    ----------
    delivered, used : Bars
        On the same sessions, of the same symbols. Of the used ones a held bar is none, and its events are those of the
        next bar that counts.
    verdicts : tuple of Verdict
        By symbol and session.
    whole : bool
        These are whole histories; else nothing is to be said of any bar, stored ones included.
    """

    delivered: Bars
    used: Bars
    verdicts: tuple[Verdict, ...] = ()
    whole: bool = True

    @property
    def held(self) -> BoolArray:
        """Where a bar was delivered that does not count, shape (n_sessions, n_symbols)."""
        return self.delivered.present & ~self.used.present

    @property
    def altered(self) -> BoolArray:
        """Where a bar is not used as it was delivered, or something is said of it; same shape."""
        delivered, used = self.delivered, self.used
        altered = (delivered.split != used.split) | (delivered.dividend != used.dividend) | self.held
        column = {symbol: number for number, symbol in enumerate(delivered.symbols)}
        for verdict in self.verdicts:
            row = np.searchsorted(delivered.sessions, np.datetime64(verdict.session, "D"))
            altered[row, column[verdict.symbol]] = True
        return np.asarray(altered & delivered.present)


def notable(bars: Bars) -> BoolArray:
    """Tell of which symbols something may have to be said: a jump, a split, or a change of the adjustment.

    Of the others every bar counts as it was delivered, whatever else is known of them.
    """
    close, adjusted = previous_bar(bars.close), previous_bar(bars.adjusted)
    with np.errstate(all="ignore"):  # absurd magnitudes are notable
        expected = close / bars.split - bars.dividend
        kept = 1.0 - bars.dividend * bars.split / close
        change = np.abs((close / adjusted) / (bars.close / bars.adjusted) * kept - 1.0) > ORDINARY_MOVE
    jumps = far_apart(bars.close, expected, JUMP_FACTOR) | far_apart(bars.adjusted, adjusted, JUMP_FACTOR)
    return np.asarray((jumps | change | (bars.split != 1.0)).any(axis=0))


def given_symbols(delivered: Bars) -> list[str]:
    """Return the symbols whose source gives adjusted closes."""
    return [delivered.symbols[column] for column in np.flatnonzero(np.isfinite(delivered.adjusted).any(axis=0))]


def derived_symbols(delivered: Bars) -> list[str]:
    """Return the symbols that have bars and whose source gives no adjusted closes."""
    ours = delivered.present.any(axis=0) & ~np.isfinite(delivered.adjusted).any(axis=0)
    return [delivered.symbols[column] for column in np.flatnonzero(ours)]


def rebased(fetched: Bars, around: Bars) -> set[str]:
    """Return the symbols whose adjusted closes are ours and rest on events of both the fetched and the stored bars.

    An event scales every adjusted close before it: of the bars stored before those that were fetched, and of those that
    were fetched before the stored ones.
    """
    eventful = ((fetched.split != 1.0) | (fetched.dividend != 0.0)).any(axis=0)
    with_events = {fetched.symbols[column] for column in np.flatnonzero(eventful)}
    stored_later = around.present[around.sessions > fetched.sessions[-1]].any(axis=0)
    before_stored = {around.symbols[column] for column in np.flatnonzero(stored_later)}
    return set(derived_symbols(fetched)) & {*around.symbols} & (with_events | before_stored)


def with_derived(bars: Bars) -> Bars:
    """Return the bars with total-return adjusted closes also where their source gives none."""
    used = bars.copy()
    ours = np.isnan(bars.adjusted).all(axis=0)
    used.adjusted[:, ours] = total_return_adjusted(bars.close[:, ours], bars.split[:, ours], bars.dividend[:, ours])
    return used


def judge(delivered: Bars, rulings: Rulings) -> Judged:
    """Judge whole histories.

    Parameters
    ----------
    delivered : Bars
        Bars that were accepted one by one; adjusted closes NaN where their source gives none.
    rulings : mapping of Place to Ruling

    Returns
    -------
    Judged
        The same for the same bars and rulings, however they came.
    """
    used, verdicts = delivered.copy(), list[Verdict]()
    for column in np.flatnonzero(notable(delivered) | _ruled(delivered, rulings)).tolist():
        verdicts += _judge_symbol(delivered, used, column, rulings)
    return Judged(delivered, with_derived(used), tuple(verdicts))


def held_back(judged: Iterable[Judged], wanted: DateArray) -> dict[str, Unavailable]:
    """Return the symbols that have no bar on the sessions that were wanted of them but held ones, and why."""
    held: dict[str, Unavailable] = {}
    for each in judged:
        inside = np.isin(each.used.sessions, wanted)
        lacking = each.held[inside].any(axis=0) & ~each.used.present[inside].any(axis=0)
        names = {each.used.symbols[column] for column in np.flatnonzero(lacking)}
        for verdict in each.verdicts:
            if verdict.symbol in names and verdict.rule is Rule.UNEXPLAINED_JUMP:
                why = f"held as {verdict.rule} of {verdict.session}: {verdict.detail}"
                held[verdict.symbol] = Unavailable(Reason.MISSING_DATA, why)
    return held


def _ruled(bars: Bars, rulings: Rulings) -> BoolArray:
    named = {place.symbol for place in rulings}
    return np.array([symbol in named for symbol in bars.symbols], dtype=bool)


def _judge_symbol(delivered: Bars, used: Bars, column: int, rulings: Rulings) -> list[Verdict]:
    symbol, rows = delivered.symbols[column], np.flatnonzero(delivered.present[:, column])
    days = delivered.sessions[rows].tolist()
    verdicts = _judge_splits(used, column, rulings)
    series = _series(used, column)
    decisions = [
        _decision(rulings, Place(symbol, day, Rule.UNEXPLAINED_JUMP), close)
        for day, close in zip(days, series.close.tolist(), strict=True)
    ]
    kept = np.flatnonzero([decision is not Decision.REFUSE for decision in decisions])
    counts = np.zeros(len(rows), dtype=bool)
    if len(kept):
        vouched = np.array([decisions[row] is Decision.ACCEPT for row in kept.tolist()], dtype=bool)
        counts[kept] = used_bars(series.take(kept), confirmed=vouched)
    for row in np.flatnonzero(~counts).tolist():
        verdicts.append(
            Verdict(symbol, days[row], Rule.UNEXPLAINED_JUMP, float(series.close[row]), _jump(series, counts, row))
        )
    _hold_back(used, column, rows, counts)
    return sorted(verdicts, key=lambda verdict: (verdict.session, verdict.rule))


def _judge_splits(used: Bars, column: int, rulings: Rulings) -> list[Verdict]:
    symbol, series, verdicts = used.symbols[column], _series(used, column), list[Verdict]()
    rows = np.flatnonzero(used.present[:, column]).tolist()
    for number, row in enumerate(rows):
        found = judge_split(series, number)
        if found is None:
            continue
        value = float(series.split[number]) if found.rule is Rule.SPLIT_WITHOUT_MOVE else found.factor
        verdict = Verdict(symbol, used.sessions[row].item(), found.rule, value, found.detail)
        verdicts.append(verdict)
        refused = _decision(rulings, Place(symbol, verdict.session, found.rule), value) is Decision.REFUSE
        used.split[row, column] = series.split[number] if refused else found.factor
    return verdicts


def _series(bars: Bars, column: int) -> Series:
    rows = np.flatnonzero(bars.present[:, column])
    ordinals = session_ordinals(bars.sessions[rows].tolist())
    return Series(ordinals, *(getattr(bars, name)[rows, column] for name in ("close", "adjusted", "split", "dividend")))


def _decision(rulings: Rulings, place: Place, value: float) -> Decision | None:
    ruling = rulings.get(place)
    if ruling is None or abs(ruling.value - value) > SAME_VALUE * abs(value):
        return None
    return ruling.decision


def _jump(series: Series, counts: BoolArray, row: int) -> str:
    before = np.flatnonzero(counts[:row])
    if not len(before):
        return f"close {series.close[row]} is no beginning of what follows"
    events = f"split {series.split[row]:.6g}, dividend {series.dividend[row]}"
    return f"close {series.close[row]} after {series.close[before[-1]]}, {events}"


def _hold_back(used: Bars, column: int, rows: IntArray, counts: BoolArray) -> None:
    # newest first: the split of the target is then the number of its shares that a share of the held bar became
    target: int | None = None
    for row, counted in zip(rows[::-1].tolist(), counts[::-1].tolist(), strict=True):
        if counted:
            target = row
            continue
        if target is not None:
            used.dividend[target, column] += used.dividend[row, column] / used.split[target, column]
            used.split[target, column] *= used.split[row, column]
        used.remove(row, column)
