"""The SQL of what companies do to their shares."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.core.actions import TOLD, ActionKind, CorporateAction

_KEY: Final = "symbol, kind, ex_day, value, other"
# A vendor's event of a day without a bar is with the bar after it.
_DAYS_UNTIL_A_BAR: Final = 5


class ActionRow(NamedTuple):
    """An action, and who says so; `place` is its place among those of the symbol."""

    place: int
    symbol: str
    kind: str
    ex_day: date
    pay_day: date | None
    value: float | None
    other: str | None
    source: str
    why: str | None
    said_at: datetime


class ActionRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_actions(self, actions: Sequence[CorporateAction], *, source: str, why: str | None = None) -> None:
        """Keep actions; of one that is there what differs takes its place."""
        statement = sa.text(
            f"""
            INSERT INTO corporate_actions AS a ({_KEY}, pay_day, source, why)
            VALUES (:symbol, :kind, :ex_day, :value, :other, :pay_day, :source, :why)
            ON CONFLICT ({_KEY}) DO UPDATE
                SET pay_day = excluded.pay_day, source = excluded.source, why = excluded.why,
                    said_at = clock_timestamp()
            WHERE (a.pay_day, a.source, a.why) IS DISTINCT FROM (excluded.pay_day, excluded.source, excluded.why)
            """
        )
        rows = [
            {**{name: getattr(each, name) for name in CorporateAction.__slots__}, "source": source, "why": why}
            for each in sorted(set(actions), key=lambda each: (each.symbol, each.ex_day, each.kind))
        ]
        if rows:
            await self._connection.execute(statement, rows)

    async def get_action(self, action: CorporateAction) -> ActionRow:
        """Return an action that is kept, without its place."""
        query = sa.text(
            f"""
            SELECT 0 AS place, {", ".join(ActionRow._fields[1:])} FROM corporate_actions
            WHERE ({_KEY}) IS NOT DISTINCT FROM (
                CAST(:symbol AS text), CAST(:kind AS text), CAST(:ex_day AS date),
                CAST(:value AS double precision), CAST(:other AS text))
            """
        )
        key = {name: getattr(action, name) for name in _KEY.split(", ")}
        return ActionRow._make((await self._connection.execute(query, key)).one())

    async def load_told(self, symbols: Sequence[str]) -> dict[str, list[CorporateAction]]:
        """Return, by who says so, the actions of symbols that an operator is told of."""
        query = sa.text(
            f"""
            SELECT {_KEY}, pay_day, source FROM corporate_actions
            WHERE symbol = ANY(CAST(:symbols AS text[])) AND kind = ANY(CAST(:kinds AS text[]))
            """
        )
        found: dict[str, list[CorporateAction]] = {}
        for row in await self._connection.execute(query, {"symbols": list(symbols), "kinds": sorted(TOLD)}):
            action = CorporateAction(row.symbol, ActionKind(row.kind), row.ex_day, row.value, row.pay_day, row.other)
            found.setdefault(row.source, []).append(action)
        return found

    async def list_actions(self, symbol: str, *, after: int, limit: int) -> list[ActionRow]:
        """Return the actions of a symbol, oldest first: those that were told, and those that only its bars show."""
        query = sa.text(
            f"""
            WITH told AS (
                SELECT {_KEY}, pay_day, source, why, said_at FROM corporate_actions WHERE symbol = :symbol),
            seen AS (
                SELECT i.symbol, kind, b.session AS ex_day, shown AS value, NULL::text AS other, NULL::date AS pay_day,
                       b.source, NULL::text AS why, b.fetched_at AS said_at
                FROM bars b JOIN instruments i USING (symbol_id),
                     LATERAL (VALUES ('dividend', b.dividend, b.dividend > 0), ('split', b.split, b.split <> 1))
                         AS events (kind, shown, happened)
                WHERE i.symbol = :symbol AND happened AND NOT EXISTS (
                    SELECT 1 FROM told WHERE told.kind = events.kind
                        AND told.ex_day BETWEEN b.session - {_DAYS_UNTIL_A_BAR} AND b.session)),
            placed AS (
                SELECT row_number() OVER (ORDER BY ex_day, kind, value, other) AS place, every.*
                FROM (TABLE told UNION ALL TABLE seen) every)
            SELECT {", ".join(ActionRow._fields)} FROM placed WHERE place > :after ORDER BY place LIMIT :limit
            """
        )
        rows = await self._connection.execute(query, {"symbol": symbol, "after": after, "limit": limit})
        return [ActionRow._make(row) for row in rows]
