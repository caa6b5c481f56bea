"""The SQL of vendors: what was asked of them within a plan's windows, and their breakers."""

from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.core.breaking import Breaker
from services.market_data.core.plans import Window


class WindowRow(NamedTuple):
    """What was asked of a vendor since a window began."""

    vendor: str
    seconds: int
    began: datetime
    requests: int

    @property
    def ends_at(self) -> datetime:
        """When the next one may begin."""
        return self.began + timedelta(seconds=self.seconds)


class BreakerRow(NamedTuple):
    """The breaker of a vendor and kind that has failed."""

    vendor: str
    kind: str
    failures: int
    why: str
    open_until: datetime | None
    answered: bool

    @property
    def breaker(self) -> Breaker:
        """The breaker itself."""
        return Breaker(self.failures, self.why, self.open_until, self.answered)


class VendorRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def count_request(self, vendor: str, window: Window, now: datetime) -> datetime | None:
        """Count a request into a window that lasts from its first one; return when it ends where it is spent."""
        statement = sa.text(
            """
            INSERT INTO vendor_windows AS w (vendor, seconds, began, requests) VALUES (:vendor, :seconds, :now, 1)
            ON CONFLICT (vendor, seconds) DO UPDATE SET
                began = CASE WHEN w.began <= :before THEN :now ELSE w.began END,
                requests = CASE WHEN w.began <= :before THEN 1 ELSE w.requests + 1 END
            WHERE w.began <= :before OR w.requests < :most
            RETURNING began
            """
        )
        lasts = timedelta(seconds=window.seconds)
        key = {"vendor": vendor, "seconds": round(window.seconds)}
        counted = {**key, "now": now, "before": now - lasts, "most": window.requests}
        if await self._connection.scalar(statement, counted) is not None:
            return None
        query = sa.text("SELECT began FROM vendor_windows WHERE vendor = :vendor AND seconds = :seconds")
        began: datetime = (await self._connection.execute(query, key)).scalar_one()
        return began + lasts

    async def list_windows(self) -> list[WindowRow]:
        """Return what was asked of each vendor."""
        query = sa.text(f"SELECT {', '.join(WindowRow._fields)} FROM vendor_windows ORDER BY vendor, seconds")
        return [WindowRow._make(row) for row in await self._connection.execute(query)]

    async def list_breakers(self) -> list[BreakerRow]:
        """Return the breakers of those that have failed."""
        query = sa.text(f"SELECT {', '.join(BreakerRow._fields)} FROM vendor_breakers ORDER BY vendor, kind")
        return [BreakerRow._make(row) for row in await self._connection.execute(query)]

    async def load_breaker(self, vendor: str, kind: str, *, lock: bool = False) -> Breaker | None:
        """Return the breaker of a vendor and kind, None where it has not failed."""
        query = sa.text(
            f"SELECT {', '.join(BreakerRow._fields)} FROM vendor_breakers WHERE vendor = :vendor AND kind = :kind "
            + ("FOR UPDATE" if lock else "")
        )
        row = (await self._connection.execute(query, {"vendor": vendor, "kind": kind})).one_or_none()
        return None if row is None else BreakerRow._make(row).breaker

    async def store_breaker(self, vendor: str, kind: str, breaker: Breaker) -> None:
        """Remember how a vendor has failed."""
        statement = sa.text(
            """
            INSERT INTO vendor_breakers (vendor, kind, failures, why, open_until, answered)
            VALUES (:vendor, :kind, :failures, :why, :until, :answered)
            ON CONFLICT (vendor, kind)
            DO UPDATE SET failures = :failures, why = :why, open_until = :until, answered = :answered
            """
        )
        values = {
            "failures": breaker.failures,
            "why": breaker.why,
            "until": breaker.open_until,
            "answered": breaker.answered,
        }
        await self._connection.execute(statement, {"vendor": vendor, "kind": kind, **values})

    async def delete_breaker(self, vendor: str, kind: str) -> None:
        """Forget that a vendor has failed."""
        statement = sa.text("DELETE FROM vendor_breakers WHERE vendor = :vendor AND kind = :kind")
        await self._connection.execute(statement, {"vendor": vendor, "kind": kind})

    async def claim_trial(self, vendor: str, kind: str, *, seen: datetime, until: datetime) -> bool:
        """Tell whether this is the one that tries a vendor whose pause has ended; others wait until then."""
        statement = sa.text(
            "UPDATE vendor_breakers SET open_until = :until "
            "WHERE vendor = :vendor AND kind = :kind AND open_until = :seen RETURNING vendor"
        )
        values = {"vendor": vendor, "kind": kind, "seen": seen, "until": until}
        return await self._connection.scalar(statement, values) is not None
