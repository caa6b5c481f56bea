"""The SQL of the ledger of cells: rows are only ever appended, one per event, fact and session."""

from collections.abc import Sequence
from datetime import date, datetime
from itertools import compress
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.core.cells import CellPart, Fact, SaidPart, Why
from shared.contracts.event import Event

_APPEND = sa.text(
    """
    INSERT INTO cell_parts
        (session, fact, run_id, part_index, asked_at, done, revisions, failed, whys, reasons, details, delisted)
    VALUES (:session, :fact, :run_id, :part_index, coalesce(CAST(:asked_at AS timestamptz), '-infinity'),
           CAST(:done AS text[]), CAST(:revisions AS integer[]), CAST(:failed AS text[]), CAST(:whys AS integer[]),
           CAST(:reasons AS text[]), CAST(:details AS text[]), CAST(:delisted AS text[]))
    ON CONFLICT DO NOTHING
    """
)
_ADOPT = sa.text(
    "UPDATE cell_parts c SET asked_at = r.requested_at FROM runs r WHERE c.run_id = :run_id AND r.run_id = c.run_id"
)
# What an unknown run says counts for nothing.
_KNOWN = "asked_at > '-infinity'"
_COLUMNS = "session, fact, run_id, part_index, asked_at, done, revisions, failed, whys, reasons, details, delisted"


class CellRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def append_parts(self, event: Event, parts: Sequence[CellPart], *, asked_at: datetime | None) -> None:
        """Append what an event says of cells; of a run that is not known (None) it counts from its opening on.

        A repetition changes nothing.
        """
        if parts:
            await self._connection.execute(_APPEND, [{**_row(event, part), "asked_at": asked_at} for part in parts])

    async def adopt_parts(self, run_id: UUID) -> None:
        """Let count what was said of a run before it was known."""
        await self._connection.execute(_ADOPT, {"run_id": run_id})

    async def load_parts(self, first: date, last: date, facts: Sequence[Fact]) -> list[SaidPart]:
        """Return all that was said of these facts at the sessions of a range."""
        query = sa.text(
            f"SELECT {_COLUMNS} FROM cell_parts WHERE {_KNOWN} "
            "AND session BETWEEN :first AND :last AND fact = ANY(:facts)"
        )
        rows = await self._connection.execute(query, {"first": first, "last": last, "facts": list(facts)})
        return [_said(row) for row in rows]

    async def load_versions(self, first: date, last: date, facts: Sequence[Fact]) -> dict[tuple[date, Fact], str]:
        """Return, by session and fact of a range, what is another one when anything else is said of it."""
        # Every version of a row has a place and a writer of its own, and what they have in common no order.
        query = sa.text(
            "SELECT session, fact, count(*) || ' ' || bit_xor(hashtextextended(ctid::text || ' ' || xmin::text, 0)) "
            f"FROM cell_parts WHERE {_KNOWN} AND session BETWEEN :first AND :last AND fact = ANY(:facts) "
            "GROUP BY session, fact ORDER BY session, fact"
        )
        rows = await self._connection.execute(query, {"first": first, "last": last, "facts": list(facts)})
        return {(session, Fact(fact)): version for session, fact, version in rows}

    async def load_parts_at(self, places: Sequence[tuple[date, Fact]]) -> list[SaidPart]:
        """Return all that was said of these facts, each at its session."""
        query = sa.text(
            f"SELECT {_COLUMNS} FROM cell_parts JOIN unnest(CAST(:sessions AS date[]), CAST(:facts AS text[])) "
            f"AS wanted (session, fact) USING (session, fact) WHERE {_KNOWN}"
        )
        sessions, facts = zip(*places, strict=True)
        rows = await self._connection.execute(query, {"sessions": list(sessions), "facts": list(facts)})
        return [_said(row) for row in rows]

    async def load_parts_of(
        self, subjects: Sequence[str], first: date, last: date, facts: Sequence[Fact]
    ) -> list[SaidPart]:
        """Return what was said of these subjects alone."""
        query = sa.text(
            f"SELECT {_COLUMNS} FROM cell_parts WHERE {_KNOWN} "
            "AND session BETWEEN :first AND :last AND fact = ANY(:facts) "
            "AND (done && CAST(:subjects AS text[]) OR failed && CAST(:subjects AS text[]))"
        )
        parameters = {"first": first, "last": last, "facts": list(facts), "subjects": list(subjects)}
        rows = await self._connection.execute(query, parameters)
        return [_said(row, frozenset(subjects)) for row in rows]

    async def load_parts_of_run(self, run_id: UUID) -> list[SaidPart]:
        """Return all that one run has said."""
        query = sa.text(f"SELECT {_COLUMNS} FROM cell_parts WHERE run_id = :run_id")
        return [_said(row) for row in await self._connection.execute(query, {"run_id": run_id})]

    async def find_first_session(self, subject: str, facts: Sequence[Fact]) -> date | None:
        """Return the first session at which anything was said of a subject."""
        query = sa.text(
            f"SELECT session FROM cell_parts WHERE {_KNOWN} "
            "AND fact = ANY(:facts) AND (:subject = ANY(done) OR :subject = ANY(failed)) ORDER BY session LIMIT 1"
        )
        session: date | None = await self._connection.scalar(query, {"subject": subject, "facts": list(facts)})
        return session


def _row(event: Event, part: CellPart) -> dict[str, Any]:
    # A reason that many subjects share is stored once.
    whys = {why: place for place, why in enumerate(dict.fromkeys(part.failed.values()))}
    return {
        "session": part.session,
        "fact": part.fact.value,
        "run_id": event.run.run_id,
        "part_index": event.part.index,
        "done": list(part.done),
        "revisions": None if part.revisions is None else list(part.revisions),
        "failed": list(part.failed),
        "whys": [whys[why] for why in part.failed.values()],
        "reasons": [why.reason for why in whys],
        "details": [why.detail for why in whys],
        "delisted": sorted(part.delisted),
    }


def _said(row: Any, only: frozenset[str] | None = None) -> SaidPart:
    whys = [Why(reason, detail) for reason, detail in zip(row.reasons, row.details, strict=True)]
    failed = {subject: whys[place] for subject, place in zip(row.failed, row.whys, strict=True)}
    done, revisions = row.done, row.revisions
    if only is not None:
        kept = [subject in only for subject in done]
        done = list(compress(done, kept))
        revisions = None if revisions is None else list(compress(revisions, kept))
        failed = {subject: why for subject, why in failed.items() if subject in only}
    numbers = None if revisions is None else tuple(revisions)
    part = CellPart(row.session, Fact(row.fact), tuple(done), failed, numbers, frozenset(row.delisted or ()))
    return SaidPart(part, row.run_id, row.part_index, row.asked_at)
