"""From a roll to the event."""

from collections.abc import Iterator

import numpy as np

from services.portfolio.core.cents import decimal_of
from services.portfolio.revising import Revisions
from services.portfolio.rolling import Rolled
from shared.contracts.portfolio import Book, PortfolioDue, PortfoliosValued, Snapshot


def portfolios_valued(event: PortfolioDue, rolled: Rolled, revisions: Revisions) -> PortfoliosValued:
    """Return the announcement: every session's snapshots, and the books of the run's own sessions."""
    return PortfoliosValued(
        run=event.run,
        part=event.part,
        subjects=len(rolled.portfolio_ids),
        snapshots=tuple(_snapshots(rolled, revisions)),
        books=tuple(_books(event, rolled, revisions)),
    )


def _snapshots(rolled: Rolled, revisions: Revisions) -> Iterator[Snapshot]:
    values = rolled.valuation.portfolios
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
                stale_positions=int(values.stale[row, column]),
            )


def _books(event: PortfolioDue, rolled: Rolled, revisions: Revisions) -> Iterator[Book]:
    positions = rolled.valuation.positions
    order = np.argsort(rolled.book.lots.portfolio, kind="stable")
    owner = rolled.book.lots.portfolio[order]
    symbols = np.array([position.terms.symbol for position in rolled.positions], dtype=object)[order]
    bounds = np.searchsorted(owner, np.arange(len(rolled.portfolio_ids) + 1)).tolist()
    for row, session in enumerate(rolled.sessions):
        if not event.run.first_session <= session <= event.run.last_session:
            continue
        held = positions.quantity[row, order] != 0
        exposures = positions.value[row, order] / 100.0
        for column, portfolio_id in enumerate(rolled.portfolio_ids):
            mine = np.flatnonzero(held[bounds[column] : bounds[column + 1]]) + bounds[column]
            yield Book(
                portfolio_id=portfolio_id,
                as_of=session,
                revision=int(revisions.number[row, column]),
                equity=decimal_of(int(rolled.valuation.portfolios.equity[row, column])),
                symbols=tuple(symbols[mine].tolist()),
                exposures=tuple(exposures[mine].tolist()),
            )
