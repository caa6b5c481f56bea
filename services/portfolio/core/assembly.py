"""Turn labelled positions, states and flows into the arrays of a roll, and decide which session books what.

Whatever is dated on a day without session belongs to the next session.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from uuid import UUID

import numpy as np

from services.portfolio.core.cents import cents_of
from services.portfolio.core.inheritance import LastClose, PositionState, SplitHistory, inherited_state
from services.portfolio.core.marking import Holdings, MarkSource
from services.portfolio.core.options import Contracts
from services.portfolio.core.positions import CALLS, Basis, Flow, Position, PositionTerms, PositionType, multiplier
from services.portfolio.core.trades import NOT_IN_WINDOW, UNPRICED, CashFlows, Exits, PositionArrays
from shared.arrays import IntArray, days_of


@dataclass(frozen=True, slots=True)
class Window:
    """The sessions of a roll and the session before them, where its opening state stands."""

    opening: date
    sessions: tuple[date, ...]

    def __post_init__(self) -> None:
        days = [self.opening, *self.sessions]
        if not self.sessions or days != sorted(set(days)):
            raise ValueError(f"sessions must be increasing, after the opening, at least one, was {days}")

    def index_of(self, days: Sequence[date]) -> IntArray:
        """Return the session that books each day: itself or the next one; `NOT_IN_WINDOW` outside (opening, last]."""
        dates = days_of(days)
        position = np.searchsorted(days_of(self.sessions), dates).astype(np.int64)
        outside = (dates <= np.datetime64(self.opening)) | (position == len(self.sessions))
        indices: IntArray = np.where(outside, NOT_IN_WINDOW, position)
        return indices


@dataclass(frozen=True, slots=True)
class ShardArrays:
    """The positions of a shard as arrays; `position_ids[i]` is the id of position i."""

    position_ids: tuple[UUID, ...]
    positions: PositionArrays
    exits: Exits
    holdings: Holdings


@dataclass(frozen=True, slots=True)
class Known:
    """What is known at the opening: states of positions valued before, last closes and splits for the others.

    `unvalued` are the positions that are held and worth nothing that could be said.
    """

    states: Mapping[UUID, PositionState]
    last_closes: Mapping[str, LastClose]
    splits: Mapping[str, SplitHistory] = field(default_factory=dict)
    unvalued: Collection[UUID] = frozenset()


def assemble(
    positions: Sequence[Position],
    window: Window,
    *,
    portfolios: Mapping[UUID, int],
    columns: Mapping[str, int],
    known: Known,
) -> ShardArrays:
    """Return the arrays of a roll.

    A position with a state continues from it. One entered within the window starts with nothing held. One entered
    before without a state is inherited: held as its terms, splits and exits until the opening say, at the last close
    (at cost if there is none), so that its past gain is in the starting equity and never P&L.

    Parameters
    ----------
    positions : sequence of Position
        In the order that they will have.
    window : Window
        Sessions of the roll.
    portfolios, columns : mapping
        Index of each portfolio id, column of each symbol in the market; one that has none is unpriced.
    known : Known
        The opening.
    """
    entry = window.index_of([position.terms.entry_date for position in positions])
    inherited = [
        _opening_state(position, window=window, known=known) if session == NOT_IN_WINDOW else NOT_HELD
        for position, session in zip(positions, entry, strict=True)
    ]
    arrays = PositionArrays(
        portfolio=_integers(portfolios[position.portfolio_id] for position in positions),
        column=_integers(_column(position.terms, columns) for position in positions),
        split_column=_integers(_split_column(position.terms, columns) for position in positions),
        multiplier=_integers(_units(position, known) for position in positions),
        entry_session=entry,
        entry_quantity=np.array([float(position.terms.quantity) for position in positions]),
        entry_price=np.array([float(position.terms.entry_price) for position in positions]),
    )
    ids = tuple(position.position_id for position in positions)
    return ShardArrays(ids, arrays, _exits(positions, window), _holdings(inherited))


def flows_by_session(flows: Sequence[Flow], window: Window, *, portfolios: Mapping[UUID, int]) -> CashFlows:
    """Return what was paid in and taken out on each session; flows dated outside the window are not in it."""
    paid_in, taken_out = np.zeros((2, len(window.sessions), len(portfolios)), dtype=np.int64)
    sessions = window.index_of([flow.on for flow in flows])
    for flow, session in zip(flows, sessions, strict=True):
        if session != NOT_IN_WINDOW:
            cents = cents_of(flow.amount)
            direction = paid_in if cents > 0 else taken_out
            direction[session, portfolios[flow.portfolio_id]] += abs(cents)
    return CashFlows(paid_in, taken_out)


NOT_HELD = PositionState(0.0, float("nan"), MarkSource.COST, 0, 0, 0)


def _units(position: Position, known: Known) -> int:
    # Of what is not valued no unit is worth anything: its quantity goes on, and no amount of it is in any sum.
    return 0 if position.position_id in known.unvalued else multiplier(position.terms.kind)


def _opening_state(position: Position, *, window: Window, known: Known) -> PositionState:
    """Return the state of a position at the opening."""
    state = _held_state(position, window=window, known=known)
    return replace(state, market_value=0, cost=0) if position.position_id in known.unvalued else state


def _held_state(position: Position, *, window: Window, known: Known) -> PositionState:
    terms = position.terms
    stored = known.states.get(position.position_id)
    if stored is not None:
        return stored
    if terms.entry_date > window.opening:
        return NOT_HELD
    return inherited_state(
        terms,
        until=window.opening,
        last_close=None if terms.kind is PositionType.PRIVATE else known.last_closes.get(terms.symbol),
        history=known.splits.get(terms.split_as, SplitHistory()),
    )


def _column(terms: PositionTerms, columns: Mapping[str, int]) -> int:
    # A private holding is not the listed share of the same name that somebody else's book has brought in, nor is an
    # option that goes by the name of its underlying.
    if terms.kind is PositionType.PRIVATE or (terms.option is not None and terms.option.underlying == terms.symbol):
        return UNPRICED
    return columns.get(terms.symbol, UNPRICED)


def _split_column(terms: PositionTerms, columns: Mapping[str, int]) -> int:
    if terms.option is not None:
        return columns.get(terms.option.underlying, UNPRICED)
    return _column(terms, columns)


def assemble_contracts(
    positions: Sequence[Position],
    columns: Mapping[str, int],
    *,
    settles: Mapping[UUID, date],
    opened: Mapping[UUID, date],
) -> Contracts:
    """Return the options among the positions whose contract is known.

    Parameters
    ----------
    positions : sequence of Position
        In the order of their arrays.
    columns : mapping
        Column of each underlying.
    settles : mapping
        The session that settles each option.
    opened : mapping
        The first day of each portfolio: a contract entered before as of the opening is as it was then.
    """
    options = [
        (number, position, position.terms.option, opened[position.portfolio_id])
        for number, position in enumerate(positions)
        if position.terms.option is not None
    ]
    return Contracts(
        position=_integers(number for number, _, _, _ in options),
        underlying=_integers(columns[contract.underlying] for _, _, contract, _ in options),
        is_call=np.array([position.terms.kind in CALLS for _, position, _, _ in options], dtype=np.bool_),
        strike=np.array([float(contract.strike) for _, _, contract, _ in options], dtype=np.float64),
        since=days_of(_shares_of(position.terms, first) for _, position, _, first in options),
        expires=days_of(contract.expiration for _, _, contract, _ in options),
        settles=days_of(settles[position.position_id] for _, position, _, _ in options),
    )


def _shares_of(terms: PositionTerms, opened: date) -> date:
    """Return the day in whose shares a position was entered."""
    return terms.entry_date if terms.basis is Basis.AS_TRADED else max(terms.entry_date, opened - timedelta(days=1))


def _exits(positions: Sequence[Position], window: Window) -> Exits:
    pairs = [(number, exit_) for number, position in enumerate(positions) for exit_ in position.terms.exits]
    sessions = window.index_of([exit_.on for _, exit_ in pairs])
    within = sessions != NOT_IN_WINDOW
    size = [np.nan if exit_.quantity is None else float(exit_.quantity) for _, exit_ in pairs]
    return Exits(
        position=_integers(number for number, _ in pairs)[within],
        session=sessions[within],
        size=np.array(size, dtype=np.float64)[within],
        price=np.array([float(exit_.price) for _, exit_ in pairs], dtype=np.float64)[within],
    )


def _holdings(states: Sequence[PositionState]) -> Holdings:
    return Holdings(
        quantity=np.array([state.quantity for state in states], dtype=np.float64),
        mark=np.array([state.mark for state in states], dtype=np.float64),
        mark_source=_integers(int(state.mark_source) for state in states),
        mark_age=_integers(state.mark_age for state in states),
        market_value=_integers(state.market_value for state in states),
        cost=_integers(state.cost for state in states),
        splits_known=np.array([state.splits_known for state in states], dtype=np.bool_),
    )


def _integers(values: Iterable[int]) -> IntArray:
    return np.fromiter(values, dtype=np.int64)
