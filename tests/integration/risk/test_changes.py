"""What changed market beta and value at risk, as it is served: between sessions, and between revisions of one."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.calendar import shift_session
from tests.integration.risk.conftest import Risk
from tests.integration.risk.events import book, closes, factored, new_symbols, priced, profiled, valued
from tests.support.runs import SESSION, make_run

BEFORE = shift_session(SESSION, -1)


async def _two_sessions(risk: Risk, *, exposures: tuple[float, float] = (100_000.0, 60_000.0)) -> tuple[UUID, Any]:
    """Assess a book of two symbols on two sessions: betas rise from 1.0 to 1.2, and half of the second is sold."""
    portfolio_id, symbols = uuid4(), new_symbols(2)
    prices = {symbol: closes(512, seed=number + 7) for number, symbol in enumerate(symbols)}
    for session, cut, beta, amounts in (
        (BEFORE, -1, 1.0, exposures),
        (SESSION, 512, 1.2, (exposures[0], exposures[1] / 2)),
    ):
        run = make_run(first_session=session, last_session=session)
        await risk.assess(
            priced(run, {symbol: series[:cut] for symbol, series in prices.items()}),
            profiled(run, dict.fromkeys(symbols, "Energy")),
            factored(run, dict.fromkeys(symbols, beta), as_of=session),
            valued(run, book(portfolio_id, dict(zip(symbols, amounts, strict=True)), as_of=session)),
        )
    return portfolio_id, (symbols, prices)


async def _changes(client: httpx.AsyncClient, portfolio_id: UUID, **parameters: Any) -> dict[str, Any]:
    answer = (await client.get(f"/risk/portfolios/{portfolio_id}/changes", params=parameters)).raise_for_status()
    return {entry["measure"]: entry for entry in answer.json()["changes"]}


def _parts(entry: dict[str, Any]) -> dict[str, float]:
    parts = {part["part"]: part["change"]["value"] for part in entry["parts"]}
    assert sum(parts.values()) == pytest.approx(entry["total"]["value"], abs=1e-15)
    assert entry["after"]["value"] - entry["before"]["value"] == entry["total"]["value"]
    return parts


async def test_change_since_the_session_before_is_told_by_what_made_it(risk: Risk, client: httpx.AsyncClient) -> None:
    portfolio_id, (symbols, prices) = await _two_sessions(risk)

    found = await _changes(client, portfolio_id)

    beta = _parts(found["market_beta"])
    first, second = (prices[symbol][-1] / prices[symbol][-2] - 1 for symbol in symbols)
    earned = 100_000 * first + 60_000 * second
    assert beta["corrections"] == 0.0
    assert beta["prices"] == pytest.approx((160_000 + earned) / (200_000 + earned) - 0.8, abs=1e-7)
    assert beta["positions"] == pytest.approx(0.65 - (160_000 + earned) / (200_000 + earned), abs=1e-7)
    assert beta["model"] == pytest.approx(0.65 * 0.2)
    var = _parts(found["var_95_1d_historical"])
    assert var["corrections"] == 0.0
    assert var["positions"] < 0


async def test_revision_of_a_session_is_told_by_positions_and_corrections(
    risk: Risk, client: httpx.AsyncClient
) -> None:
    portfolio_id, (symbols, _) = await _two_sessions(risk)
    run = make_run()
    revised = book(portfolio_id, dict(zip(symbols, (100_000.0, 50_000.0), strict=True)), revision=2)
    await risk.assess(
        priced(run, {}), profiled(run, {}), factored(run, dict.fromkeys(symbols, 1.4)), valued(run, revised)
    )

    found = await _changes(client, portfolio_id, revision=1)

    beta = _parts(found["market_beta"])
    # What is known of the symbols is that of now: from 1.2 to 1.4 on the old book, then 20,000 more of the second.
    assert beta == pytest.approx({"positions": 0.1 * 1.4, "corrections": 0.65 * 0.2})


async def test_first_assessment_has_nothing_to_be_compared_with(risk: Risk, client: httpx.AsyncClient) -> None:
    portfolio_id, _ = await _two_sessions(risk)

    answer = await client.get(f"/risk/portfolios/{portfolio_id}/changes", params={"as_of": str(BEFORE)})

    assert answer.status_code == 404
    assert f"no assessment on or before {shift_session(BEFORE, -1)}" in answer.json()["detail"]
