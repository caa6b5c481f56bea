"""What belongs to a revision of an assessment is forgotten with it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import httpx

from services.ops.tables import TABLES
from shared.db.engine import plain_url
from shared.db.retention import Retention
from tests.integration.risk.conftest import Risk
from tests.integration.risk.events import book, closes, factored, new_symbols, priced, profiled, valued
from tests.support.runs import SESSION, make_run

RESULTS = TABLES["risk"].results
BELONGING = tuple(table for results in RESULTS if results.revised for table in results.row_keys)


async def _revisions(connection: asyncpg.Connection, portfolio_id: UUID) -> dict[str, set[int]]:
    query = "SELECT DISTINCT revision FROM {} WHERE portfolio_id = $1"
    return {
        table: {row["revision"] for row in await connection.fetch(query.format(table), portfolio_id)}
        for table in BELONGING
    }


async def test_superseded_assessment_is_forgotten_with_all_that_belongs_to_it(
    risk: Risk, client: httpx.AsyncClient
) -> None:
    portfolio_id, symbols = uuid4(), new_symbols(2)
    prices = {symbol: closes(512, seed=number + 7) for number, symbol in enumerate(symbols)}
    for revision, amounts in enumerate(((100_000.0, 60_000.0), (100_000.0, 50_000.0)), start=1):
        run = make_run()
        await risk.assess(
            priced(run, prices if revision == 1 else {}),
            profiled(run, dict.fromkeys(symbols, "Energy") if revision == 1 else {}),
            factored(run, dict.fromkeys(symbols, 1.0)),
            valued(run, book(portfolio_id, dict(zip(symbols, amounts, strict=True)), revision=revision)),
        )
    newest = (await client.get(f"/risk/portfolios/{portfolio_id}")).raise_for_status().json()
    url = plain_url(risk.service.engine.url.render_as_string(hide_password=False))
    connection = await asyncpg.connect(url, server_settings={"search_path": "risk"})
    assert await _revisions(connection, portfolio_id) == {table: {1, 2} for table in BELONGING}

    retention = Retention(superseded_days=3, results=RESULTS)
    await retention.forget(connection, datetime.now(UTC) + timedelta(days=4))

    assert await _revisions(connection, portfolio_id) == {table: {2} for table in BELONGING}
    await connection.close()
    assert (await client.get(f"/risk/portfolios/{portfolio_id}")).json() == newest
    answer = await client.get(f"/risk/portfolios/{portfolio_id}/changes", params={"revision": 1})
    assert (answer.status_code, answer.json()["detail"]) == (
        410,
        f"revision 1 of {SESSION} of portfolio {portfolio_id} is kept no more",
    )
