"""Stopping the platform in the middle of its work: risk, the last stage, cannot store meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

# A row, which every look of the loop sees anew: the catalogue of tables is remembered within a transaction.
_HOLD = """
    CREATE TABLE IF NOT EXISTS public.held (held boolean);
    GRANT SELECT ON public.held TO PUBLIC;
    INSERT INTO public.held VALUES (true);
    CREATE OR REPLACE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            WHILE EXISTS (SELECT 1 FROM public.held) LOOP
                PERFORM pg_sleep(0.02);
            END LOOP;
            RETURN NULL;
        END
    $$;
    CREATE OR REPLACE TRIGGER hold BEFORE INSERT ON risk.assessments FOR EACH STATEMENT EXECUTE FUNCTION public.hold()
"""


@asynccontextmanager
async def without_an_end(database_url: str) -> AsyncIterator[None]:
    """No run over portfolios ends meanwhile, also when everything is killed and started again."""
    await _execute(database_url, _HOLD)
    try:
        yield
    finally:
        await _execute(database_url, "DELETE FROM public.held")


async def _execute(database_url: str, statements: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()
