"""Where the bars that came with a run are others than before, kept until the run's work is handed out and after."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.calendar import all_sessions
from shared.contracts.market_data import PricesUpdated
from shared.db.bulk import Columns, upsert

_LOAD = sa.text("SELECT symbol, first_session, last_session FROM corrections WHERE run_id = :run_id ORDER BY symbol")


@dataclass(frozen=True, slots=True)
class CorrectedBars:
    """The first and the last session on which the bars of a symbol are others now."""

    symbol: str
    first_session: date
    last_session: date

    def seen_until(self, sessions: int) -> date:
        """Return the last known session whose window of so many sessions, itself among them, holds any of the bars."""
        known = all_sessions()
        last = int(np.searchsorted(known, np.datetime64(self.last_session, "D")))
        until: date = known[min(last + sessions - 1, len(known) - 1)].item()
        return until


async def store_corrections(connection: AsyncConnection, event: PricesUpdated) -> None:
    """Keep what the event says is corrected."""
    columns: Columns = {
        "run_id": [event.run.run_id] * len(event.corrections),
        "symbol": [entry.symbol for entry in event.corrections],
        "first_session": [entry.first_session for entry in event.corrections],
        "last_session": [entry.last_session or entry.first_session for entry in event.corrections],
    }
    await upsert(connection, "corrections", columns, key=("run_id", "symbol"))


async def load_corrections(connection: AsyncConnection, run_id: UUID) -> tuple[CorrectedBars, ...]:
    """Return what all parts of a run that have arrived say is corrected, by symbol."""
    rows = await connection.execute(_LOAD, {"run_id": run_id})
    return tuple(CorrectedBars(*row) for row in rows)
