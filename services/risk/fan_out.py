"""When prices, profiles and betas of a run are in: its books, part by part as they were valued."""

from collections.abc import Sequence
from uuid import UUID

from shared.bus.fan_in import ArrivedPart, failures_of
from shared.contracts.event import Failure
from shared.contracts.portfolio import PortfoliosValued
from shared.contracts.risk import RiskDue
from shared.contracts.run import Part, Run
from shared.db.unit_of_work import UnitOfWork


async def fan_out_books(run: Run, parts: Sequence[ArrivedPart], uow: UnitOfWork) -> None:
    """Hand out the valued parts that were waiting; those that come later are handed out as they come."""
    failures = failures_of(parts)
    for part in parts:
        if part.stream == PortfoliosValued.topic:
            due = books_due(run, Part(index=part.index, total=part.total), part.subjects, failures=failures)
            uow.emit(due)
            failures = ()  # said once


def books_due(run: Run, part: Part, portfolio_ids: Sequence[str], *, failures: tuple[Failure, ...] = ()) -> RiskDue:
    """Return the shard for a valued part: the same part of as many."""
    ids = tuple(UUID(portfolio_id) for portfolio_id in portfolio_ids)
    return RiskDue(run=run, part=part, subjects=len(ids), failures=failures, portfolio_ids=ids)
