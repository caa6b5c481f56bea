"""Claims: whose results one transaction is at work on, and no other one meanwhile, in all processes together.

Who reads what a result is computed from after having the claim sees everything that an earlier result saw, and what
came since: so results get their revisions in the order in which their inputs were read.
"""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

TABLE = "CREATE TABLE claims (subject text PRIMARY KEY)"

# A row that is there is locked all the same. In their order, so that two who want the same ones don't wait for another.
_CLAIM = sa.text(
    """
    INSERT INTO claims (subject) SELECT subject FROM unnest(CAST(:subjects AS text[])) AS subject ORDER BY subject
    ON CONFLICT (subject) DO UPDATE SET subject = excluded.subject WHERE false
    """
)


async def claim(connection: AsyncConnection, subjects: Iterable[object]) -> None:
    """Claim symbols or portfolios until the transaction ends; what is claimed already is waited for.

    Call it before anything is read that the results depend on, in a transaction that reads anew with each statement.
    """
    named = sorted({str(subject) for subject in subjects})
    if named:
        await connection.execute(_CLAIM, {"subjects": named})
