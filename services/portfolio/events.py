"""From a roll to the event."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from uuid import UUID

import numpy as np

from services.portfolio.core.cents import AmountOutOfRange, decimal_of
from services.portfolio.core.delivery import ends_in_shares
from services.portfolio.core.positions import Position, PositionTerms, PositionType, is_option
from services.portfolio.core.roll import Rolled
from services.portfolio.storage.rows import Revisions
from shared.arrays import IntArray, ObjectArray
from shared.calendar import next_session, sessions_between
from shared.contracts.event import Failure
from shared.contracts.portfolio import Book, HeldOption, Holding, PortfolioDue, PortfoliosValued, Snapshot
from shared.contracts.run import Part
from shared.conventions import OPTION_MULTIPLIER
from shared.db.unit_of_work import UnitOfWork
from shared.unavailable import Reason


def portfolios_valued(
    event: PortfolioDue, rolled: Rolled, revisions: Revisions, *, refused: Mapping[UUID, AmountOutOfRange]
) -> PortfoliosValued:
    """Return the announcement: every session's snapshots, and the books of the run's own and of revised sessions."""
    return PortfoliosValued(
        run=event.run,
        part=event.part,
        subjects=len(rolled.portfolio_ids),
        failures=event.failures
        + tuple(
            Failure(subject=str(portfolio_id), reason=Reason.DEGENERATE_INPUT, detail=str(why))
            for portfolio_id, why in refused.items()
        )
        + tuple(_stale(event, rolled)),
        unchanged=int(np.sum(~revisions.changed)),
        snapshots=tuple(_snapshots(rolled, revisions)),
        books=tuple(_books(event, rolled, revisions)),
    )


def _stale(event: PortfolioDue, rolled: Rolled) -> Iterator[Failure]:
    """Yield the portfolios of whose session, the last of the run, no close is known."""
    if event.run.last_session not in rolled.sessions:
        return
    row = rolled.sessions.index(event.run.last_session)
    for portfolio_id, why in zip(
        rolled.portfolio_ids, rolled.valuation.portfolios.daily_return.unavailable[row], strict=True
    ):
        if why is not None and why.reason is Reason.STALE_INPUT:
            yield Failure(subject=str(portfolio_id), reason=why.reason, detail=why.detail)


def _snapshots(rolled: Rolled, revisions: Revisions) -> Iterator[Snapshot]:
    values, delisted = rolled.valuation.portfolios, _delisted(rolled)
    for row, session in enumerate(rolled.sessions):
        for column, portfolio_id in enumerate(rolled.portfolio_ids):
            yield Snapshot(
                portfolio_id=portfolio_id,
                as_of=session,
                revision=int(revisions.number[row, column]),
                equity=decimal_of(int(values.equity[row, column])),
                pnl=decimal_of(int(values.pnl[row, column])),
                flow=decimal_of(int(values.flow[row, column])),
                cash=decimal_of(int(values.cash[row, column])),
                gross=decimal_of(int(values.gross[row, column])),
                net=decimal_of(int(values.net[row, column])),
                stale_positions=int(values.stale_positions[row, column]),
                delisted=delisted.get((row, column), ()),
            )


def _delisted(rolled: Rolled) -> dict[tuple[int, int], tuple[str, ...]]:
    # by session and portfolio the symbols that are held and traded no more
    symbols: dict[tuple[int, int], set[str]] = {}
    for row, position in np.argwhere(rolled.valuation.positions.delisted).tolist():
        column = int(rolled.arrays.positions.portfolio[position])
        symbols.setdefault((row, column), set()).add(rolled.positions[position].terms.symbol)
    return {place: tuple(sorted(named)) for place, named in symbols.items()}


def _exposed_to(rolled: Rolled) -> ObjectArray:
    """Return the name under which each position is in the book of each session, (n_sessions, n_positions).

    No listed symbol has a colon: what is private or traded no more, and an option without a delta, get nobody's
    betas by their names, and count as what is not covered.
    """
    names = np.empty((len(rolled.sessions), len(rolled.positions)), dtype=object)
    names[:] = [_own_name(position.terms) for position in rolled.positions]
    contracts, delta = rolled.options.contracts, rolled.options.delta
    for option, position in enumerate(contracts.position.tolist()):
        contract = rolled.positions[position].terms.option
        known = delta.available[:, option]
        names[known, position] = contract.underlying if contract is not None else None
    for row, position in np.argwhere(rolled.valuation.positions.delisted).tolist():
        names[row, position] = f"DELISTED:{rolled.positions[position].terms.symbol}"
    return names


def _own_name(terms: PositionTerms) -> str:
    if terms.kind is PositionType.PRIVATE:
        return f"PRIVATE:{terms.symbol}"
    return f"OPTION:{terms.symbol}" if is_option(terms.kind) else terms.symbol


def _books(event: PortfolioDue, rolled: Rolled, revisions: Revisions) -> Iterator[Book]:
    portfolio = rolled.arrays.positions.portfolio
    order = np.argsort(portfolio, kind="stable")
    owner = portfolio[order]
    symbols = _exposed_to(rolled)[:, order]
    # What has no value is not in the book of those who ask what it is exposed to.
    valued = rolled.arrays.positions.multiplier[order] != 0
    bounds = np.searchsorted(owner, np.arange(len(rolled.portfolio_ids) + 1)).tolist()
    for row, session in enumerate(rolled.sessions):
        own = event.run.first_session <= session <= event.run.last_session
        revised = revisions.changed[row] & (revisions.number[row] > 1)
        values = rolled.valuation.positions
        held = (values.quantity[row, order] != 0) & valued
        exposures = rolled.exposures[row, order] / 100.0
        for column in np.flatnonzero(own | revised).tolist():
            mine = np.flatnonzero(held[bounds[column] : bounds[column + 1]]) + bounds[column]
            yield Book(
                portfolio_id=rolled.portfolio_ids[column],
                as_of=session,
                revision=int(revisions.number[row, column]),
                equity=decimal_of(int(rolled.valuation.portfolios.equity[row, column])),
                symbols=tuple(symbols[row, mine].tolist()),
                exposures=tuple(exposures[mine].tolist()),
                options=tuple(_held_options(rolled, row, order[mine])),
            )


def _held_options(rolled: Rolled, row: int, positions: IntArray) -> Iterator[HeldOption]:
    """Yield what the options among some positions, those with a delta, are valued on."""
    options = rolled.options
    entries = {position: entry for entry, position in enumerate(positions.tolist())}
    for option, position in enumerate(options.contracts.position.tolist()):
        contract = rolled.positions[position].terms.option
        if contract is None or position not in entries or not options.delta.available[row, option]:
            continue
        terms = options.terms.part((row, option))
        yield HeldOption(
            entry=entries[position],
            quantity=float(rolled.valuation.positions.quantity[row, position]),
            multiplier=OPTION_MULTIPLIER,
            right="call" if terms.is_call else "put",
            strike=float(terms.strike),
            expiration=contract.expiration,
            spot=float(terms.spot),
            dividend_yield=float(terms.dividend_yield),
            rate=float(terms.rate),
            volatility=float(options.volatility[row, option]),
        )


def holdings(positions: Sequence[Position], *, closed_on: date | None = None) -> tuple[Holding, ...]:
    """Return the symbols that the positions need the prices of, and from when until when, by symbol.

    None after the portfolio was closed.
    """
    spans: dict[tuple[str, bool], tuple[date, date]] = {}
    for position in positions:
        for symbol, contract, until_when in _needed(position.terms):
            since, until = spans.get((symbol, contract), (date.max, date.min))
            last = min(until_when, closed_on or date.max)
            spans[symbol, contract] = min(since, position.terms.entry_date), max(until, last)
    return tuple(
        Holding(symbol=symbol, since=since, until=None if until == date.max else until, contract=contract)
        for (symbol, contract), (since, until) in sorted(spans.items())
    )


def _needed(terms: PositionTerms) -> Iterator[tuple[str, bool, date]]:
    """Yield the symbols that a position needs, whether they are contracts, and until when."""
    # How much an exit with a quantity leaves depends on the splits before it: only one without closes for certain.
    closed = terms.exits[-1].on if terms.exits and terms.exits[-1].quantity is None else date.max
    ends = closed if terms.option is None else min(closed, terms.option.expiration)
    if terms.kind is not PositionType.PRIVATE:
        yield terms.symbol, terms.option is not None, ends
    if terms.option is not None:
        # It may end in shares, which are held on.
        yield terms.option.underlying, False, closed if ends_in_shares(terms) else ends


def next_part(due: PortfolioDue, *, without: Collection[UUID]) -> PortfolioDue | None:
    """Return the part over the sessions that follow, without the portfolios that could not be valued; None at the end.

    A part is one message and one transaction, however long ago a book was opened: what it has valued stays.
    """
    if due.until is None or due.last_session >= due.until:
        return None
    first = next_session(due.last_session)
    following = sessions_between(first, due.until)[: len(sessions_between(due.first_session, due.last_session))]
    kept = tuple(portfolio_id for portfolio_id in due.portfolio_ids if portfolio_id not in without)
    return due.model_copy(
        update={
            "part": Part(index=due.part.index + 1, total=due.part.total),
            "subjects": len(kept),
            "failures": (),
            "portfolio_ids": kept,
            "first_session": first,
            "last_session": following[-1],
        }
    )


async def report_failed_valuation(event: PortfolioDue, failure: Failure, uow: UnitOfWork) -> None:
    """Announce that the portfolios of this shard have no new snapshots of these sessions, nor of those that follow."""
    failures = tuple(failure.model_copy(update={"subject": str(entry)}) for entry in event.portfolio_ids)
    uow.emit(PortfoliosValued(run=event.run, part=event.part, failures=failures))
    following = next_part(event, without=())
    while following is not None:
        uow.emit(PortfoliosValued(run=following.run, part=following.part))
        following = next_part(following, without=())
