"""The SQL of requests: how many a run was to need of each vendor, and how many it has made."""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection


class RequestCount(NamedTuple):
    """Requests of a run to a vendor; `estimated`: before it asked, null where nothing was to be asked of it first."""

    vendor: str
    estimated: int | None
    requests: int


class RequestRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_estimates(self, run_id: UUID, estimates: Mapping[str, int]) -> None:
        """Keep how many requests a run is to need of each vendor."""
        statement = sa.text(
            """
            INSERT INTO run_requests (run_id, vendor, estimated) VALUES (:run_id, :vendor, :estimated)
            ON CONFLICT (run_id, vendor) DO UPDATE SET estimated = excluded.estimated
            """
        )
        rows = [{"run_id": run_id, "vendor": vendor, "estimated": count} for vendor, count in sorted(estimates.items())]
        if rows:
            await self._connection.execute(statement, rows)

    async def count_request(self, run_id: UUID, vendor: str) -> None:
        """Count a request of a run."""
        statement = sa.text(
            """
            INSERT INTO run_requests AS r (run_id, vendor, requests) VALUES (:run_id, :vendor, 1)
            ON CONFLICT (run_id, vendor) DO UPDATE SET requests = r.requests + 1
            """
        )
        await self._connection.execute(statement, {"run_id": run_id, "vendor": vendor})

    async def list_requests(self, run_id: UUID) -> list[RequestCount]:
        """Return the requests of a run, by vendor."""
        query = sa.text("SELECT vendor, estimated, requests FROM run_requests WHERE run_id = :run_id ORDER BY vendor")
        return [RequestCount._make(row) for row in await self._connection.execute(query, {"run_id": run_id})]
