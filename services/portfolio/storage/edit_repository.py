"""The SQL of corrections: positions and flows replaced or taken away, and the record of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.portfolio.core.positions import Flow, Position, PositionTerms
from services.portfolio.storage.repository import PortfolioRepository
from shared.principal import CALLER

Kind = Literal["position", "flow", "portfolio"]


@dataclass(frozen=True, slots=True)
class StoredFlow:
    """A flow with the id under which it can be corrected."""

    flow_id: UUID
    flow: Flow


@dataclass(frozen=True, slots=True)
class Edit:
    """A correction: what it is about, what that was before and is after; None for what was not there."""

    portfolio_id: UUID
    subject_id: UUID
    kind: Kind
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


class EditRow(NamedTuple):
    """A correction as it is recorded."""

    edit_id: UUID
    kind: str
    subject_id: UUID
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    edited_at: datetime
    edited_by: str | None


def position_record(terms: PositionTerms) -> dict[str, Any]:
    """Return terms as they are kept in the record of corrections."""
    return {
        "symbol": terms.symbol,
        "kind": terms.kind.value,
        "quantity": str(terms.quantity),
        "entry_date": str(terms.entry_date),
        "entry_price": str(terms.entry_price),
        "basis": terms.basis.value,
        "exits": [
            {"on": str(entry.on), "price": str(entry.price), "quantity": entry.quantity and str(entry.quantity)}
            for entry in terms.exits
        ],
        "option": terms.option
        and {
            "underlying": terms.option.underlying,
            "strike": str(terms.option.strike),
            "expiration": str(terms.option.expiration),
        },
    }


class EditRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._portfolios = PortfolioRepository(connection)

    async def find_position(self, portfolio_id: UUID, position_id: UUID) -> Position | None:
        """Return a position of a portfolio."""
        positions = await self._portfolios.load_positions([portfolio_id])
        return next((position for position in positions if position.position_id == position_id), None)

    async def replace_position(self, position: Position) -> None:
        """Store the terms of a position, its exits among them, in the place of those it had."""
        await self._delete_exits(position.position_id)
        await self._portfolios.store_positions([position])

    async def delete_position(self, position_id: UUID) -> None:
        """Take a position away; what it was worth in past snapshots stays there."""
        await self._delete_exits(position_id)
        await self._run("DELETE FROM positions WHERE position_id = :id", id=position_id)

    async def _delete_exits(self, position_id: UUID) -> None:
        await self._run("DELETE FROM position_exits WHERE position_id = :id", id=position_id)

    async def list_flows(self, portfolio_id: UUID) -> Sequence[StoredFlow]:
        """Return the flows of a portfolio by date."""
        query = sa.text(
            "SELECT flow_id, portfolio_id, flow_date, amount, reference FROM flows WHERE portfolio_id = :id "
            "ORDER BY flow_date, flow_id"
        )
        rows = await self._connection.execute(query, {"id": portfolio_id})
        return [StoredFlow(flow_id, Flow(*flow)) for flow_id, *flow in rows]

    async def replace_flow(self, stored: StoredFlow) -> None:
        """Store the date, amount and reference of a flow in the place of those it had."""
        statement = "UPDATE flows SET flow_date = :on, amount = :amount, reference = :reference WHERE flow_id = :id"
        flow = stored.flow
        await self._run(statement, id=stored.flow_id, on=flow.on, amount=flow.amount, reference=flow.reference)

    async def delete_flow(self, flow_id: UUID) -> None:
        """Take a flow away."""
        await self._run("DELETE FROM flows WHERE flow_id = :id", id=flow_id)

    async def append_edit(self, edit: Edit) -> None:
        """Record a correction, and by whom where somebody has asked for it."""
        caller = CALLER.get()
        statement = sa.text(
            "INSERT INTO book_edits (edit_id, portfolio_id, subject_id, kind, before, after, edited_by) "
            "VALUES (:edit_id, :portfolio_id, :subject_id, :kind, :before, :after, :edited_by)"
        ).bindparams(*(sa.bindparam(name, type_=JSONB(none_as_null=True)) for name in ("before", "after")))
        parameters = {
            "edit_id": uuid4(),
            "portfolio_id": edit.portfolio_id,
            "subject_id": edit.subject_id,
            "kind": edit.kind,
            "before": edit.before,
            "after": edit.after,
            "edited_by": None if caller is None else caller.name,
        }
        await self._connection.execute(statement, parameters)

    async def count_edits(self, portfolio_id: UUID) -> int:
        """Return how many corrections of a portfolio there have been."""
        query = sa.text("SELECT count(*) FROM book_edits WHERE portfolio_id = :id")
        return int(await self._connection.scalar(query, {"id": portfolio_id}) or 0)

    async def list_edits(self, portfolio_id: UUID, *, after: tuple[datetime, UUID] | None, limit: int) -> list[EditRow]:
        """Return the corrections of a portfolio, the oldest first, behind an instant and id."""
        query = sa.text(
            f"""
            SELECT {", ".join(EditRow._fields)} FROM book_edits WHERE portfolio_id = :id
              AND (edited_at, edit_id) > (coalesce(CAST(:at AS timestamptz), '-infinity'), CAST(:edit_id AS uuid))
            ORDER BY edited_at, edit_id LIMIT :limit
            """
        ).columns(before=JSONB, after=JSONB)
        at, edit_id = after or (None, None)
        parameters = {"id": portfolio_id, "at": at, "edit_id": edit_id, "limit": limit}
        return [EditRow._make(row) for row in await self._connection.execute(query, parameters)]

    async def _run(self, statement: str, **parameters: Any) -> None:
        await self._connection.execute(sa.text(statement), parameters)
