"""Keeping the shares that options end in among the positions of their books."""

from sqlalchemy.ext.asyncio import AsyncConnection

from services.portfolio.core.delivery import from_before
from services.portfolio.core.roll import Rolled, RollInputs
from services.portfolio.storage.edit_repository import Edit, EditRepository, position_record


async def store_delivered(inputs: RollInputs, rolled: Rolled, connection: AsyncConnection) -> None:
    """Store shares that are new or others now, take away those that nothing ends in any more, and record either."""
    repository = EditRepository(connection)
    stored = from_before(inputs.positions, inputs.window)
    for position in rolled.delivered:
        before = stored.get(position.position_id)
        if before == position:
            continue
        await repository.replace_position(position)
        was = None if before is None else position_record(before.terms)
        becomes = position_record(position.terms)
        await repository.append_edit(Edit(position.portfolio_id, position.position_id, "position", was, becomes))
    kept = {position.position_id for position in rolled.delivered}
    for position in stored.values():
        if position.position_id not in kept and position.portfolio_id in rolled.portfolio_ids:
            await repository.delete_position(position.position_id)
            record = position_record(position.terms)
            await repository.append_edit(Edit(position.portfolio_id, position.position_id, "position", record, None))
