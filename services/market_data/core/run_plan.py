"""Which sessions each symbol lacks, what to fetch for it, and how the work is cut into shards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

import numpy as np

from shared.arrays import BoolArray, DateArray, IntArray
from shared.conventions import SILENT_SESSIONS

GAP_FILL_SESSIONS: Final = 30  # more missing than this: the whole window
RECENT_SESSIONS: Final = 5  # holes this recent are asked for again
SILENT_RETRY_SESSIONS: Final = 5  # a silent symbol is asked for once a week
SHARD_CELLS: Final = 20_000
SHARD_SYMBOLS: Final = 520  # 500 and the proxies of a factor set, which would be a shard of their own

NOTHING_TO_FETCH: Final = -1


class Mode(StrEnum):
    """How much a symbol lacks."""

    NOTHING = "nothing"
    INCREMENTAL = "incremental"
    GAP_FILL = "gap_fill"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True, eq=False)
class SettledSessions:
    """Per symbol the interval of sessions that are settled: each is stored, or the providers did not have it.

    Parameters
    ----------
    first, through : ndarray of datetime64[D], shape (n_symbols,)
        Both inclusive, both NaT where the providers were never asked.
    """

    first: DateArray
    through: DateArray

    @classmethod
    def never(cls, count: int) -> "SettledSessions":
        """Return the knowledge about symbols that no provider was asked for."""
        nowhere = np.full(count, "NaT", dtype="datetime64[D]")
        return cls(nowhere, nowhere.copy())

    def among(self, sessions: DateArray) -> BoolArray:
        """Tell which of these sessions are settled, shape (n_symbols, n_sessions)."""
        return (sessions >= self.first[:, None]) & (sessions <= self.through[:, None])  # NaT compares false

    def after(self, sessions: DateArray, answered: BoolArray) -> "SettledSessions":
        """Return what is known once the window was fetched for the symbols that are `answered`.

        Parameters
        ----------
        sessions : ndarray of datetime64[D]
            The window of the plan.
        answered : ndarray of bool, shape (n_symbols,)
            The plan fetched the symbol and no provider failed on it.
        """
        first, last = sessions[0], sessions[-1]
        # an interval that does not touch the window says nothing about the sessions in between
        touching = (self.first <= last) & (self.through >= first)
        joined_first = np.where(touching, np.minimum(self.first, first), first)
        joined_through = np.where(touching, np.maximum(self.through, last), last)
        return SettledSessions(
            np.where(answered, joined_first, self.first),
            np.where(answered, joined_through, self.through),
        )


@dataclass(frozen=True, slots=True, eq=False)
class RunPlan:
    """Per symbol what is missing of the window and from where to fetch.

    Parameters
    ----------
    symbols : tuple of str
        Sorted.
    sessions : ndarray of datetime64[D], shape (n_sessions,)
        The window, ascending.
    missing : ndarray of bool, shape (n_symbols, n_sessions)
        The sessions to ask for.
    modes : tuple of Mode
        One per symbol.
    fetch_from : ndarray of int64, shape (n_symbols,)
        Position in `sessions` of the first session to fetch, `NOTHING_TO_FETCH` where nothing is missing. Always up to
        the end of the window, and from the last stored session before the first missing one: the stored sessions in the
        range show whether the adjustment history has changed.
    """

    symbols: tuple[str, ...]
    sessions: DateArray
    missing: BoolArray
    modes: tuple[Mode, ...]
    fetch_from: IntArray


@dataclass(frozen=True, slots=True)
class Shard:
    """Symbols of one mode that are fetched and announced together.

    `fetch_first` and `fetch_last` are None if everything is stored. `cells` = symbols x announced sessions.
    """

    symbols: tuple[str, ...]
    mode: Mode
    fetch_first: date | None
    fetch_last: date | None
    cells: int


def plan_symbols(symbols: Sequence[str], sessions: DateArray, stored: BoolArray, known: SettledSessions) -> RunPlan:
    """Return per symbol the missing sessions of the window.

    A session is missing if it is not stored and not settled. Settled sessions among the last `RECENT_SESSIONS` are
    asked for again, unless the symbol is silent (no bar in the last `SILENT_SESSIONS`): then only once
    `SILENT_RETRY_SESSIONS` are unsettled. A symbol without any bar in the window is asked for the whole of it.

    Parameters
    ----------
    symbols : sequence of str
        Distinct, any order.
    sessions : ndarray of datetime64[D], shape (n_sessions,)
        Every session of [first_session - HISTORY_DAYS, last_session], ascending.
    stored : ndarray of bool, shape (n_symbols, n_sessions)
        In the order of `symbols` and `sessions`.
    known : SettledSessions
        In the order of `symbols`.

    Returns
    -------
    RunPlan
        Symbols sorted.

    Raises
    ------
    ValueError
        If the window is empty, a symbol occurs twice, or the shapes do not agree.
    """
    _check_shapes(symbols, sessions, stored, known)
    order = np.array(sorted(range(len(symbols)), key=symbols.__getitem__), dtype=np.int64)
    stored = stored[order]

    settled = known.among(sessions)[order]
    unsettled = np.sum(~settled & ~stored, axis=1)
    silent = ~stored[:, -SILENT_SESSIONS:].any(axis=1) & settled.any(axis=1) & (unsettled < SILENT_RETRY_SESSIONS)
    settled[:, -RECENT_SESSIONS:] = False

    missing = ~stored & ~settled
    missing[silent] = False
    missing |= ~np.any(stored, axis=1, keepdims=True) & np.any(missing, axis=1, keepdims=True)

    counts = np.sum(missing, axis=1)
    modes = tuple(_mode(int(count)) for count in counts)
    begin = _last_stored_before(stored, np.argmax(missing, axis=1))
    fetch_from = np.select([counts == 0, counts > GAP_FILL_SESSIONS], [NOTHING_TO_FETCH, 0], begin)
    return RunPlan(tuple(symbols[i] for i in order), sessions, missing, modes, fetch_from.astype(np.int64))


def pack_shards(plan: RunPlan, first_announced: date, order: Sequence[str] = ()) -> tuple[Shard, ...]:
    """Group the symbols of a plan into shards of bounded size, within each mode in an order, else by symbol.

    A shard announces for all of its symbols the union of their missing sessions and of the run's own sessions; symbols
    times that union stays within `SHARD_CELLS`, symbols within `SHARD_SYMBOLS`. A single symbol is never cut.

    Parameters
    ----------
    plan : RunPlan
    first_announced : date
        First session of the run; it and the sessions after it are announced whether newly stored or not.
    order : sequence of str
        Every symbol, what matters most first; empty: sorted.
    """
    row_of = {symbol: row for row, symbol in enumerate(plan.symbols)}
    ordered = [row_of[symbol] for symbol in order or plan.symbols]
    own = plan.sessions >= np.datetime64(first_announced, "D")
    shards: list[Shard] = []
    for mode in Mode:
        rows = [row for row in ordered if plan.modes[row] is mode]
        shards.extend(_shard(plan, group, own) for group in _groups(plan.missing, rows, own))
    return tuple(shards)


def _groups(missing: BoolArray, rows: list[int], own: BoolArray) -> list[list[int]]:
    groups: list[list[int]] = []
    announced = own
    for row in rows:
        wider = announced | missing[row]
        size = len(groups[-1]) + 1 if groups else 0
        if not groups or size > SHARD_SYMBOLS or size * int(wider.sum()) > SHARD_CELLS:
            groups.append([row])
            announced = own | missing[row]
        else:
            groups[-1].append(row)
            announced = wider
    return groups


def _shard(plan: RunPlan, rows: list[int], own: BoolArray) -> Shard:
    begin = int(plan.fetch_from[rows].min())
    announced = own | plan.missing[rows].any(axis=0)
    nothing = begin == NOTHING_TO_FETCH
    return Shard(
        symbols=tuple(plan.symbols[row] for row in rows),
        mode=plan.modes[rows[0]],
        fetch_first=None if nothing else plan.sessions[begin].item(),
        fetch_last=None if nothing else plan.sessions[-1].item(),
        cells=len(rows) * int(announced.sum()),
    )


def _last_stored_before(stored: BoolArray, positions: IntArray) -> IntArray:
    # 0 where none is stored; the session just before may be a settled hole, which shows no adjustment
    columns = np.arange(stored.shape[1])
    earlier = stored & (columns < positions[:, None])
    last: IntArray = np.max(np.where(earlier, columns, 0), axis=1, initial=0)
    return last


def _mode(missing: int) -> Mode:
    if missing == 0:
        return Mode.NOTHING
    if missing == 1:
        return Mode.INCREMENTAL
    return Mode.GAP_FILL if missing <= GAP_FILL_SESSIONS else Mode.BACKFILL


def _check_shapes(symbols: Sequence[str], sessions: DateArray, stored: BoolArray, known: SettledSessions) -> None:
    if len(sessions) == 0:
        raise ValueError("window must hold at least one session, was empty")
    if len(set(symbols)) != len(symbols):
        raise ValueError("symbols must be distinct")
    if stored.shape != (len(symbols), len(sessions)):
        raise ValueError(f"stored must have shape {(len(symbols), len(sessions))}, was {stored.shape}")
    if len(known.first) != len(symbols) or len(known.through) != len(symbols):
        raise ValueError(f"known must have {len(symbols)} entries, was {len(known.first)}, {len(known.through)}")
