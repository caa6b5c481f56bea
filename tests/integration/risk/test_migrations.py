"""What one version stores, the other one reads."""

from datetime import date
from typing import Any
from uuid import uuid4

import asyncpg
import numpy as np
import pytest

from services.risk.storage.alike import ALIKE
from services.risk.storage.repository import RiskRepository
from services.risk.storage.symbol_betas import SymbolBetas
from shared.conventions import SYMBOL_COLUMNS
from shared.db.bulk import copy_in
from shared.db.migrate import migrate
from shared.db.revisions import Step
from shared.db.unit_of_work import one_transaction
from shared.unavailable import Quantities, Reason, Unavailable
from tests.support.databases import provisioned_database
from tests.support.runs import SESSION
from tests.support.stack import Servers

SERVICE = "risk"
BEFORE = "risk_0050"
SYMBOLS = ("ALL", "SOME")
WHY = Unavailable(Reason.MISSING_DATA, "none")
NOTHING = [None] * len(SYMBOL_COLUMNS)


def betas(first: float) -> Quantities:
    """Return all numbers of one symbol, and all but the first one of another."""
    found = Quantities.of(first + np.arange(2.0 * len(SYMBOL_COLUMNS)).reshape(2, -1))
    found.values[1, 0], found.unavailable[1, 0] = np.nan, WHY
    return found


async def test_what_new_code_leaves_out_is_there_for_old_code_until_that_has_ended(postgres: Servers) -> None:
    async with provisioned_database(postgres, [SERVICE]) as database:
        url = database.url(SERVICE)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("shared.db.migrate.target", lambda *_: BEFORE)
            await migrate(SERVICE, url)
        connection = await asyncpg.connect(url.get_secret_value())
        portfolio_id = uuid4()

        async def new_code_writes(revision: int, as_of: date = SESSION) -> Quantities:
            said = {"factors": [["market"]], "symbols": [["ALL", "SOME"]]}
            of_each = {name: [[0.5, 0.6]] for name in ("weights", "by_holding", "marginal")}
            numbers = {"by_factor": [[0.1 * revision]], **of_each}
            row: dict[str, Any] = {
                "portfolio_id": [portfolio_id],
                "as_of": [as_of],
                "revision": [revision],
                **numbers,
                **said,
            }
            async with one_transaction(url, service=SERVICE) as writing:
                found = SymbolBetas(as_of, betas(float(revision)), [revision] * 2)
                await RiskRepository(writing).store_betas(SYMBOLS, found)
                alike = ALIKE["portfolio_contributions"]
                await copy_in(writing, alike.table, await alike.shorten(writing, row))
                return (await RiskRepository(writing).load_betas({as_of: SYMBOLS}))[as_of]

        await migrate(SERVICE, url, step=Step.PRE)
        between = await new_code_writes(1)
        read = await connection.fetch("SELECT reasons, details FROM betas ORDER BY symbol")
        contributions = await connection.fetchrow("SELECT factors, symbols FROM portfolio_contributions")
        await migrate(SERVICE, url, step=Step.POST)
        after = await new_code_writes(2)

        assert [tuple(row) for row in read] == [
            (NOTHING, NOTHING),
            ([WHY.reason, *NOTHING[1:]], ["none", *NOTHING[1:]]),
        ]
        assert tuple(contributions) == (["market"], ["ALL", "SOME"])
        for loaded, revision in ((between, 1.0), (after, 2.0)):
            np.testing.assert_array_equal(loaded.values, betas(revision).values)
            assert loaded.unavailable.tolist() == betas(revision).unavailable.tolist()
        stored = await connection.fetch("SELECT reasons IS NULL AS short FROM betas ORDER BY symbol")
        assert [row["short"] for row in stored] == [True, False]
        whole = await connection.fetch("SELECT symbols, by_factor FROM portfolio_contributions_whole ORDER BY revision")
        assert [tuple(row) for row in whole] == [(["ALL", "SOME"], [0.1]), (["ALL", "SOME"], [0.2])]
        left = "SELECT count(*) FROM portfolio_contributions WHERE symbols IS NULL"
        assert await connection.fetchval(left) == 1
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute("UPDATE betas SET betas[1] = NULL WHERE symbol = 'ALL'")
        await connection.close()
