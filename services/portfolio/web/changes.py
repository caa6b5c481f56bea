"""What changed the value of a portfolio, over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from services.portfolio.commands import lookup
from services.portfolio.core.changes import Valued, between_revisions, between_sessions
from services.portfolio.storage.change_repository import ChangeRepository
from services.portfolio.storage.snapshot_repository import SnapshotRow
from services.portfolio.web.changes_views import ValueChanges
from shared.clock import Clock
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.dependencies import made
from shared.openapi import refused
from shared.problems import Problem
from shared.selection import Comparison


def add_changes(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: Clock) -> None:
    """Add the route of what changed."""

    @router.get("/portfolios/{portfolio_id}/changes", responses=refused(404, 410))
    async def get_changes(portfolio_id: UUID, comparison: Annotated[Comparison, made(Comparison)]) -> ValueChanges:
        """Show what changed the value of a portfolio since the session before, since another, or since a revision.

        Of the newest snapshot on or before `as_of`; `since` takes the newest one on or before that day.
        """
        until = comparison.as_of or clock.now().date()
        async with unit_of_work.reading() as connection:
            await lookup.get_portfolio(connection, portfolio_id)
            repository = ChangeRepository(connection)
            after = await repository.find_snapshot(portfolio_id, until)
            if after is None:
                raise Problem(404, f"portfolio {portfolio_id} has no snapshot on or before {until}")
            before = await _before(repository, after, comparison)
            then, now = _valued(before), _valued(after)
            if before.as_of == after.as_of:
                old, new = await repository.load_held(before), await repository.load_held(after)
                return ValueChanges.of(before, after, between_revisions(then, now, old=old, new=new))
            flows = await repository.sum_flows(before, after.as_of)
            earned = await repository.load_earned(before, after.as_of)
        return ValueChanges.of(before, after, between_sessions(then, now, flows=flows, earned=earned))


async def _before(repository: ChangeRepository, after: SnapshotRow, comparison: Comparison) -> SnapshotRow:
    until = comparison.before(after.as_of, after.revision)
    found = await repository.find_snapshot(after.portfolio_id, until, revision=comparison.revision)
    if found is None and comparison.revision is not None:
        gone = f"revision {comparison.revision} of {until}"
        raise Problem(410, f"{gone} of portfolio {after.portfolio_id} is kept no more")
    if found is None:
        raise Problem(404, f"portfolio {after.portfolio_id} has no snapshot on or before {until}")
    return found


def _valued(row: SnapshotRow) -> Valued:
    return Valued(row.equity, row.flow, row.code_version)
