"""Who did what over HTTP: rows that are only ever appended, each with the hash of the one before."""

import json
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

# The services that have routes which change something.
AUDITED: Final = ("scheduler", "market_data", "portfolio", "risk")
# For their migrations.
AUDIT_TABLE: Final = (
    """
    CREATE TABLE audit (
        place bigint PRIMARY KEY,
        at timestamptz NOT NULL,
        principal text NOT NULL,
        role text NOT NULL,
        action text NOT NULL,
        target text NOT NULL,
        outcome text NOT NULL,
        hash text NOT NULL
    )
    """,
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'rows of % are only ever appended', TG_TABLE_NAME;
    END $$
    """,
    """
    CREATE TRIGGER only_appended BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
)
# The first row has none before it.
_BEGINNING: Final = ""
_PAGE: Final = 1000
MAX_TARGET_CHARS: Final = 500
_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' audit', 0))")
_LAST = sa.text(
    """
    SELECT clock_timestamp() AS now, (SELECT max(place) FROM audit) AS place,
           (SELECT hash FROM audit ORDER BY place DESC LIMIT 1) AS hash
    """
)
_APPEND = sa.text(
    "INSERT INTO audit (place, at, principal, role, action, target, outcome, hash) "
    "VALUES (:place, :at, :principal, :role, :action, :target, :outcome, :hash)"
)
_COLUMNS: Final = "place, at, principal, role, action, target, outcome, hash"
_BEHIND = sa.text(f"SELECT {_COLUMNS} FROM audit WHERE place > :after ORDER BY place LIMIT {_PAGE}")
_NEWEST = sa.text(
    f"""
    SELECT {_COLUMNS} FROM audit
    WHERE place < coalesce(:below, place + 1) AND principal = coalesce(:principal, principal)
      AND at >= coalesce(:since, at) AND at < coalesce(CAST(:before AS timestamptz), at + interval '1 second')
    ORDER BY place DESC LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which actions: of somebody, in [since, before); None: whatever it is."""

    principal: str | None = None
    since: datetime | None = None
    before: datetime | None = None


EVERYTHING: Final = Wanted()


@dataclass(slots=True)
class Action:
    """What a request changes, or tries to; `outcome` is what came of it."""

    principal: str
    role: str
    action: str
    target: str
    outcome: str = "done"
    is_noted: bool = False


class Noted(NamedTuple):
    """An action as it is kept."""

    place: int
    at: datetime
    principal: str
    role: str
    action: str
    target: str
    outcome: str
    hash: str

    def hash_behind(self, previous: str) -> str:
        """Return the hash that the row must have behind another."""
        said = [self.place, self.at.astimezone(UTC).isoformat(), *self[2:7]]
        return sha256(f"{previous}\n{json.dumps(said, ensure_ascii=False)}".encode()).hexdigest()


class Broken(Exception):
    """The chain does not hold: rows were changed, removed or put elsewhere."""

    def __init__(self, place: int, why: str) -> None:
        self.place = place
        super().__init__(f"row {place} {why}")


# What the request that is being served does.
ACTION: ContextVar[Action | None] = ContextVar("action", default=None)


async def note_action(connection: AsyncConnection) -> None:
    """Append what the request does to the transaction that does it; outside of requests, or again, nothing."""
    action = ACTION.get()
    if action is None or action.is_noted:
        return
    # To the commit: the next one goes on from this row.
    await connection.execute(_LOCK)
    last = (await connection.execute(_LAST)).one()
    place = (last.place or 0) + 1
    row = Noted(
        place, last.now, action.principal, action.role, action.action, action.target, action.outcome, hash=_BEGINNING
    )
    chained = row._replace(hash=row.hash_behind(last.hash or _BEGINNING))
    await connection.execute(_APPEND, chained._asdict())


def noted() -> None:
    """Say that what the request does is kept: its transaction has been committed."""
    action = ACTION.get()
    if action is not None:
        action.is_noted = True


async def list_newest(
    connection: AsyncConnection, wanted: Wanted = EVERYTHING, *, limit: int, below: int | None = None
) -> list[Noted]:
    """Return the newest actions, of those below a place if one is given, the newest first."""
    found = await connection.execute(_NEWEST, {**asdict(wanted), "below": below, "limit": limit})
    return [Noted(*row) for row in found]


async def verify(connection: AsyncConnection, seen: Mapping[int, str]) -> Noted | None:
    """Return the last row of a chain that holds from the first one on; None where there is none.

    `seen` are hashes that rows had once, by place: without one, nobody knows what was behind the last row.

    Raises
    ------
    Broken
        At the first row that is not where and what it was.
    """
    last: Noted | None = None
    async for row in _rows(connection):
        place = 1 if last is None else last.place + 1
        if row.place != place:
            raise Broken(place, f"is missing: the next one is {row.place}")
        if row.hash != seen.get(row.place, row.hash) or row.hash != row.hash_behind(
            _BEGINNING if last is None else last.hash
        ):
            raise Broken(row.place, "is not what was appended, or the one before is not")
        last = row
    missing = [place for place in seen if last is None or place > last.place]
    if missing:
        raise Broken(min(missing), "is missing, as is what was behind it")
    return last


async def _rows(connection: AsyncConnection) -> AsyncIterator[Noted]:
    after = 0
    while page := [Noted(*row) for row in await connection.execute(_BEHIND, {"after": after})]:
        for row in page:
            yield row
        after = page[-1].place
