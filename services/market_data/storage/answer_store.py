"""Answers about the whole market, kept for all processes and for the runs of the next days."""

import zlib
from datetime import date
from typing import Final

import sqlalchemy as sa

from shared.db.unit_of_work import UnitOfWorkFactory

# What was told a day after it was over is what it was; before that it may change within hours.
_KEPT_FOR: Final = "7 days"  # a first load takes no longer, and what a vendor corrects is asked for again then
_CURRENT: Final = (
    "(fetched_at >= until + interval '2 days' OR fetched_at > now() - interval '6 hours') "
    f"AND fetched_at > now() - interval '{_KEPT_FOR}'"
)


class AnswerStore:
    """The kept answers of one vendor; each entry is a transaction of its own.

    Parameters
    ----------
    unit_of_work : UnitOfWorkFactory
    vendor : str
    """

    def __init__(self, unit_of_work: UnitOfWorkFactory, vendor: str) -> None:
        self._unit_of_work = unit_of_work
        self._vendor = vendor

    async def known(self) -> frozenset[str]:
        """Return what there are current answers about."""
        query = sa.text(f"SELECT what FROM vendor_answers WHERE vendor = :vendor AND {_CURRENT}")
        async with self._unit_of_work.reading() as connection:
            return frozenset((await connection.execute(query, {"vendor": self._vendor})).scalars())

    async def waiting(self) -> int:
        """Return how many symbols no provider has answered about."""
        query = sa.text("SELECT count(*) FROM instruments WHERE checked_through IS NULL")
        async with self._unit_of_work.reading() as connection:
            return int(await connection.scalar(query) or 0)

    async def load(self, what: str) -> str | None:
        """Return the text of a current answer, None where there is none."""
        query = sa.text(f"SELECT body FROM vendor_answers WHERE vendor = :vendor AND what = :what AND {_CURRENT}")
        async with self._unit_of_work.reading() as connection:
            body = await connection.scalar(query, {"vendor": self._vendor, "what": what})
        return None if body is None else zlib.decompress(body).decode()

    async def store(self, what: str, until: date, text: str) -> None:
        """Keep an answer about a time up to a day, and forget those that are old."""
        statement = sa.text(
            """
            INSERT INTO vendor_answers (vendor, what, until, fetched_at, body)
            VALUES (:vendor, :what, :until, now(), :body)
            ON CONFLICT (vendor, what) DO UPDATE SET fetched_at = excluded.fetched_at, body = excluded.body
            """
        )
        body = zlib.compress(text.encode())
        forget = sa.text(f"DELETE FROM vendor_answers WHERE fetched_at < now() - interval '{_KEPT_FOR}'")
        async with self._unit_of_work() as uow:
            await uow.connection.execute(forget)
            await uow.connection.execute(
                statement, {"vendor": self._vendor, "what": what, "until": until, "body": body}
            )
