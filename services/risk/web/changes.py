"""What changed numbers of a portfolio's risk, over HTTP."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated
from uuid import UUID

import numpy as np
from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncConnection

from services.risk.core.assessment import AssessmentInputs, Books
from services.risk.core.changes import (
    CHANGED,
    Number,
    Part,
    Stage,
    Stored,
    by_version,
    changes_of,
    moved,
    restored,
)
from services.risk.core.coverage_floor import FigureReason, LowCoverage
from services.risk.storage.inputs import InputLoader
from services.risk.storage.repository import RiskRepository
from services.risk.storage.rows import ContributionsRow, FactorRow, HeadRow, MeasuresRow
from services.risk.web.changes_views import ComparedAssessment, NumberChange, RiskChanges
from services.risk.web.explanation import stored_number
from services.risk.web.views import Figure
from shared.clock import Clock
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.dependencies import made
from shared.openapi import refused
from shared.problems import Problem
from shared.selection import Comparison
from shared.unavailable import Reason, Unavailable


def add_changes(
    router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: Clock, loader: Callable[[AsyncConnection], InputLoader]
) -> None:
    """Add the route of what changed."""

    @router.get("/risk/portfolios/{portfolio_id}/changes", responses=refused(404, 410))
    async def get_risk_changes(portfolio_id: UUID, comparison: Annotated[Comparison, made(Comparison)]) -> RiskChanges:
        """Show what changed market beta and value at risk since the session before, another, or a revision.

        Of the newest assessment on or before `as_of`; `since` takes the newest one on or before that day.
        """
        until = comparison.as_of or clock.now().date()
        async with unit_of_work.reading() as connection:
            repository = RiskRepository(connection)
            after = await repository.find_head(portfolio_id, until=until, known_at=None)
            if after is None:
                raise Problem(404, f"portfolio {portfolio_id} has not been assessed on or before {until}")
            before = await _before(repository, after, comparison)
            then, now = await _stored(repository, before), await _stored(repository, after)
            stages = await _stages(loader(connection), before, after)
        found = await asyncio.to_thread(changes_of, then, now, stages)
        return RiskChanges(
            portfolio_id=portfolio_id,
            before=ComparedAssessment.of(before),
            after=ComparedAssessment.of(after),
            changes=[NumberChange.of(name, change) for name, change in found.items()],
        )


async def _before(repository: RiskRepository, after: HeadRow, comparison: Comparison) -> HeadRow:
    until, revision = comparison.before(after.as_of, after.revision), comparison.revision
    if revision is None:
        found = await repository.find_head(after.portfolio_id, until=until, known_at=None)
    else:
        found = await repository.find_revision(after.portfolio_id, until, revision)
    if found is None and revision is not None:
        raise Problem(410, f"revision {revision} of {until} of portfolio {after.portfolio_id} is kept no more")
    if found is None:
        raise Problem(404, f"portfolio {after.portfolio_id} has no assessment on or before {until}")
    return found


async def _stored(repository: RiskRepository, head: HeadRow) -> Stored:
    measures = await repository.load_rows([head], MeasuresRow)
    factors = await repository.load_rows([head], FactorRow)
    found = {name: stored_number(name, measures=measures[0], factors=factors, stress=None) for name in CHANGED}
    absent = Unavailable(
        Reason.MISSING_DATA, f"revision {head.revision} of {head.as_of} was made before there was this"
    )
    return Stored({name: _number(one.value) if one else absent for name, one in found.items()}, head.code_version)


async def _stages(loader: InputLoader, before: HeadRow, after: HeadRow) -> list[Stage]:
    """Return the inputs of each step on the way from one assessment to the other."""
    own = by_version(before.code_version)
    later = await loader.of_one(after.portfolio_id, after.as_of)
    if before.as_of == after.as_of:
        book = await _restored(loader.repository, before, later)
        if isinstance(book, Unavailable):
            return [Stage(Part.POSITIONS, book)]
        return [Stage(own, await loader.of_books(book, after.as_of)), Stage(Part.POSITIONS, later)]
    earlier = await loader.of_session(before.portfolio_id, before.as_of)
    grown = moved(earlier.books, loader.returns_between(earlier.books.symbols, before.as_of, after.as_of))
    return [
        Stage(own, earlier),
        Stage(Part.PRICES, replace(earlier, books=grown)),
        Stage(Part.POSITIONS, await loader.of_books(later.books, before.as_of)),
        Stage(Part.MODEL, later),
    ]


async def _restored(repository: RiskRepository, before: HeadRow, later: AssessmentInputs) -> Books | Unavailable:
    rows = await repository.load_rows([before], ContributionsRow)
    if not rows:
        return Unavailable(Reason.MISSING_DATA, f"revision {before.revision} was made before weights were kept")
    weights = np.array(rows[0].weights, dtype=np.float64)
    return restored(later.books, rows[0].symbols, weights, equity=float(before.equity))


def _number(figure: Figure) -> Number:
    match figure.reason:
        case FigureReason():
            return LowCoverage(figure.reason, figure.detail or "")
        case Reason():
            return Unavailable(figure.reason, figure.detail or "")
        case None if figure.value is not None:
            return figure.value
    raise ValueError(f"a figure must have a value or a reason, was {figure}")
