from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest

from services.risk.core.digest import CODE_VERSION
from services.risk.core.measures import MEASURES
from services.risk.core.scenarios import SCENARIOS
from shared.calendar import sessions_between, shift_session
from shared.conventions import FACTORS, MARKET_BETA, RISK_FACTORS
from shared.factor_set import FactorSet
from shared.paths import API
from tests.integration.risk.conftest import Risk, assessed_book
from tests.integration.risk.events import book, closes, factored, new_symbols, priced, profiled, valued
from tests.support.databases import OPERATOR_TOKEN
from tests.support.runs import SESSION, make_run


@pytest.fixture
async def operator(client: httpx.AsyncClient) -> httpx.AsyncClient:
    transport = client._transport
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    return httpx.AsyncClient(transport=transport, base_url=f"http://risk{API}", headers=headers)


async def assess(risk: Risk, portfolio_id: UUID, exposures: dict[str, float], **fields: Any) -> None:
    """Assess a book for a session, with betas of `beta` and sectors."""
    as_of = fields.get("as_of", SESSION)
    run = make_run(first_session=as_of, last_session=as_of)
    await risk.assess(
        priced(run, {symbol: closes(seed=1) for symbol in exposures}),
        profiled(run, fields.get("sectors", {})),
        factored(run, dict.fromkeys(exposures, fields.get("beta", 1.0)), as_of=as_of),
        valued(run, book(portfolio_id, exposures, as_of=as_of, revision=fields.get("revision", 1))),
    )


def beta_of(view: dict[str, Any]) -> Any:
    return next(entry["beta"]["value"] for entry in view["factors"] if entry["factor"] == MARKET_BETA)


async def test_risk_of_a_portfolio_has_factors_sectors_and_measures(risk: Risk, client: httpx.AsyncClient) -> None:
    portfolio_id, (symbol, other) = uuid4(), new_symbols(2)
    await assess(risk, portfolio_id, {symbol: 500_000.0, other: -300_000.0}, sectors={symbol: "Energy"})

    response = await client.get(f"/risk/portfolios/{portfolio_id}")

    view = response.json()
    assert (view["portfolio_id"], view["as_of"], view["revision"]) == (str(portfolio_id), SESSION.isoformat(), 1)
    assert Decimal(view["equity"]) == 200_000
    assert {entry["factor"] for entry in view["factors"]} == set(FACTORS)
    market = next(entry for entry in view["factors"] if entry["factor"] == MARKET_BETA)
    assert market == {
        "factor": MARKET_BETA,
        "beta": {"value": 1.0, "reason": None, "detail": None, "of_covered": None},
        "dollars": {"value": 200_000.0, "reason": None, "detail": None, "of_covered": None},
        "coverage": {"value": 1.0, "reason": None, "detail": None},
    }
    assert view["sectors"] == [
        {
            "sector": name,
            "net": net,
            "gross": gross,
            "net_over_equity": {"value": over, "reason": None, "detail": None},
            "gross_over_equity": {"value": abs(over), "reason": None, "detail": None},
        }
        for name, net, gross, over in (
            ("Energy", "500000.00", "500000.00", 2.5),
            ("Unclassified", "-300000.00", "300000.00", -1.5),
        )
    ]
    assert {entry["measure"]: entry["unit"] for entry in view["measures"]} == {
        line.name: line.unit for line in MEASURES
    }
    leverage = next(entry for entry in view["measures"] if entry["measure"] == "gross_leverage")
    assert (leverage["value"]["value"], leverage["coverage"]["value"]) == (4.0, 1.0)


async def test_risk_without_a_beta_carries_the_reason(risk: Risk, client: httpx.AsyncClient) -> None:
    portfolio_id, (symbol,) = uuid4(), new_symbols(1)
    await assess(risk, portfolio_id, {symbol: 100.0}, beta=None)

    view = (await client.get(f"/risk/portfolios/{portfolio_id}")).json()

    market = next(entry for entry in view["factors"] if entry["factor"] == MARKET_BETA)
    assert (market["beta"]["value"], market["beta"]["reason"]) == (None, "MISSING_DATA")
    assert market["beta"]["detail"]
    assert market["coverage"]["value"] == 0.0


async def test_corrected_risk_serves_the_new_revision_and_what_was_known_before(
    risk: Risk, client: httpx.AsyncClient
) -> None:
    portfolio_id, (kept, sold) = uuid4(), new_symbols(2)
    sectors: dict[str, str] = {kept: "Energy", sold: "Utilities"}
    await assess(risk, portfolio_id, {kept: 100_000.0, sold: 100_000.0}, sectors=sectors)
    path = f"/risk/portfolios/{portfolio_id}"
    known = (await client.get(path)).json()["known_at"]
    await assess(risk, portfolio_id, {kept: 100_000.0}, sectors=sectors, beta=2.0, revision=2)

    now = (await client.get(path)).json()
    then = (await client.get(path, params={"known_at": known})).json()
    query = {"known_at": known, "portfolio_id": str(portfolio_id)}
    listed_then = (await client.get("/risk", params=query)).json()["items"]
    never = await client.get(path, params={"known_at": "2020-01-01T00:00:00Z"})

    assert (now["revision"], beta_of(now)) == (2, 1.0)
    assert [entry["sector"] for entry in now["sectors"]] == ["Energy"]
    assert (then["revision"], beta_of(then)) == (1, 1.0)
    assert [entry["sector"] for entry in then["sectors"]] == ["Energy", "Utilities"]
    assert listed_then == [then]
    assert never.status_code == 404


async def test_changed_beta_is_served_beside_the_one_known_before(risk: Risk, client: httpx.AsyncClient) -> None:
    portfolio_id, (symbol,) = uuid4(), new_symbols(1)
    await assess(risk, portfolio_id, {symbol: 200_000.0}, beta=1.0)
    path = f"/risk/portfolios/{portfolio_id}"
    known = (await client.get(path)).json()["known_at"]
    await assess(risk, portfolio_id, {symbol: 200_000.0}, beta=1.25)

    now, then = (await client.get(path)).json(), (await client.get(path, params={"known_at": known})).json()

    assert [(view["revision"], beta_of(view)) for view in (then, now)] == [(1, 1.0), (2, 1.25)]


async def test_risk_as_of_a_date_is_that_of_the_newest_session_before(risk: Risk, client: httpx.AsyncClient) -> None:
    portfolio_id, (symbol,) = uuid4(), new_symbols(1)
    earlier, later = shift_session(SESSION, -3), shift_session(SESSION, -1)
    for as_of in (earlier, later):
        await assess(risk, portfolio_id, {symbol: 1.0}, as_of=as_of)
    path = f"/risk/portfolios/{portfolio_id}"

    newest = (await client.get(path)).json()
    between = (await client.get(path, params={"as_of": shift_session(later, -1).isoformat()})).json()
    before = await client.get(path, params={"as_of": shift_session(earlier, -1).isoformat()})

    assert (newest["as_of"], between["as_of"]) == (later.isoformat(), earlier.isoformat())
    assert before.status_code == 404
    assert before.headers["content-type"] == "application/problem+json"
    assert str(portfolio_id) in before.json()["detail"]


async def test_list_of_risk_pages_by_session_and_portfolio(risk: Risk, client: httpx.AsyncClient) -> None:
    (symbol,) = new_symbols(1)
    portfolio_ids = sorted(uuid4() for _ in range(3))
    days = [shift_session(SESSION, -offset) for offset in (1, 0)]
    for as_of in days:
        for portfolio_id in portfolio_ids:
            await assess(risk, portfolio_id, {symbol: 1.0}, as_of=as_of)
    query: dict[str, Any] = {"portfolio_id": [str(portfolio_id) for portfolio_id in portfolio_ids], "limit": 2}

    seen: list[tuple[str, str]] = []
    while query:
        page = (await client.get("/risk", params=query)).json()
        assert len(page["items"]) == 2
        assert all(len(view["factors"]) == len(FACTORS) for view in page["items"])
        seen += [(view["as_of"], view["portfolio_id"]) for view in page["items"]]
        query = query | {"cursor": page["next"]} if page["next"] else {}

    assert seen == [(day.isoformat(), str(portfolio_id)) for day in days for portfolio_id in portfolio_ids]
    query = {"portfolio_id": str(portfolio_ids[0]), "first": days[1].isoformat(), "last": days[1].isoformat()}
    assert len((await client.get("/risk", params=query)).json()["items"]) == 1


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/risk?limit=0", "query.limit"),
        ("/risk?nonsense=1", "query.nonsense"),
        ("/risk?known_at=2025-03-14T12:00:00", "query.known_at"),
        ("/risk/portfolios/7", "path.portfolio_id"),
    ],
)
async def test_wrong_request_is_refused_with_the_field(client: httpx.AsyncClient, path: str, field: str) -> None:
    response = await client.get(path)

    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_risk_without_a_token_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.get("/risk", headers={"Authorization": ""})

    assert response.status_code == 401


async def test_stress_of_a_portfolio_shows_every_scenario_and_its_moves(risk: Risk, client: httpx.AsyncClient) -> None:
    portfolio_id, _ = await assessed_book(risk)

    view = (await client.get(f"/risk/portfolios/{portfolio_id}/stress")).json()

    scenarios = {entry["scenario"]: entry for entry in view["scenarios"]}
    assert list(scenarios) == [scenario.scenario_id for scenario in SCENARIOS]
    down = scenarios["market_down_10"]
    # 120,000 net x 1.2
    assert down["direct"]["value"] == pytest.approx(-14_400.0)
    # 120,000 net x 0.5 on every factor
    sizes = {entry["factor"]: entry["move"] for entry in down["moves"]}
    assert down["model"]["value"] == pytest.approx(60_000.0 * sum(sizes.values()), rel=1e-9)
    assert (down["realised_share"], down["extrapolated_share"]) == (0.0, 0.0)
    assert 0.0 < scenarios["market_crash_35"]["extrapolated_share"] <= 1.0
    assert (down["basis"], down["beyond_gross"], down["coverage"]["value"]) == ("hypothetical", False, 1.0)
    moves = {entry["factor"]: entry for entry in down["moves"]}
    assert moves["market"]["shock"] == -0.1
    assert moves["market"]["move"] == pytest.approx(-0.1, rel=1e-12)
    assert moves["value"]["shock"] is None
    assert isinstance(moves["value"]["move"], float)
    assert scenarios["financial_crisis_2008"]["basis"] == "tabulated"
    assert (view["revision"], view["code_version"], len(view["digest"])) == (1, CODE_VERSION, 32)


async def test_reverse_stress_of_a_portfolio_names_moves_and_sessions(risk: Risk, client: httpx.AsyncClient) -> None:
    portfolio_id, _ = await assessed_book(risk)

    view = (await client.get(f"/risk/portfolios/{portfolio_id}/stress")).json()

    assert [entry["loss"] for entry in view["reverse"]] == [0.05, 0.1, 0.2]
    five, ten, _ = view["reverse"]
    # 120,000 net x 0.5 on every factor loses 10,000 of 200,000.
    assert sum(entry["move"] for entry in five["moves"]) == pytest.approx(-10_000 / 60_000, rel=1e-9)
    assert ten["distance"]["value"] == pytest.approx(2 * five["distance"]["value"], rel=1e-12)
    days = sessions_between(shift_session(SESSION, -251), SESSION)
    assert len(five["nearest"]) == 3
    assert {entry["session"] for entry in five["nearest"]} <= set(map(str, days))


async def test_factors_among_themselves_are_correlated_over_the_same_window(
    risk: Risk, client: httpx.AsyncClient
) -> None:
    portfolio_id, _ = await assessed_book(risk)

    view = (await client.get(f"/risk/portfolios/{portfolio_id}/stress")).json()

    assert view["correlated_factors"] == list(RISK_FACTORS)
    tickers = FactorSet().tickers()
    places = [tickers.index(FactorSet().proxy(factor) or "") for factor in RISK_FACTORS]
    walks = [closes(510, seed=50 + place) for place in places]
    expected = np.corrcoef([np.diff(walk[-91:]) / walk[-91:-1] for walk in walks])
    np.testing.assert_allclose(np.array(view["factor_correlations"]), expected, atol=1e-12)


async def test_correlations_of_a_portfolio_are_a_symmetric_matrix(risk: Risk, client: httpx.AsyncClient) -> None:
    portfolio_id, symbols = await assessed_book(risk)

    view = (await client.get(f"/risk/portfolios/{portfolio_id}/correlations")).json()

    assert view["symbols"] == list(symbols)
    matrix = np.array(view["matrix"])
    np.testing.assert_array_equal(matrix, matrix.T)
    returns = [np.diff(series) / series[:-1] for series in (closes(510, seed=index) for index in range(3))]
    np.testing.assert_allclose(matrix, np.corrcoef([row[-90:] for row in returns]), atol=1e-12)
    assert (view["clip"], view["missing_pairs"], view["clusters"]) == (0.0, 0, [])
    assert (view["window"], view["coverage"]["value"]) == (90, 1.0)


async def test_contributions_add_up_to_the_stored_volatility(risk: Risk, client: httpx.AsyncClient) -> None:
    portfolio_id, symbols = await assessed_book(risk)

    view = (await client.get(f"/risk/portfolios/{portfolio_id}/contributions")).json()
    measures = (await client.get(f"/risk/portfolios/{portfolio_id}")).json()["measures"]

    total = next(entry for entry in measures if entry["measure"] == "model_volatility")
    assert view["volatility"] == total["value"]
    assert (total["observations"], total["window"]) == (view["observations"], view["window"]) == (252, 252)
    factors = sum(entry["contribution"] for entry in view["factors"]) + view["specific"]
    assert factors == pytest.approx(total["value"]["value"], rel=1e-9)
    assert [entry["symbol"] for entry in view["holdings"]] == list(symbols)
    assert [entry["weight"] for entry in view["holdings"]] == [0.5, 0.3, -0.2]
    assert sum(entry["contribution"] for entry in view["holdings"]) == pytest.approx(factors, rel=1e-9)


@pytest.mark.parametrize("what", ["stress", "correlations", "contributions"])
async def test_details_of_a_portfolio_that_was_never_assessed_are_not_found(
    client: httpx.AsyncClient, what: str
) -> None:
    response = await client.get(f"/risk/portfolios/{uuid4()}/{what}")

    assert response.status_code == 404
    assert "has not been assessed" in response.json()["detail"]


async def test_scenarios_are_listed_with_their_shocks(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/risk/scenarios")).json()["items"]

    found = {entry["scenario"]: entry for entry in listed}
    assert found["value_rotation_20"]["shocks"] == {"value": 0.2, "growth": -0.1}
    assert found["covid_crash_2020"]["episode"] == ["2020-02-19", "2020-03-23"]


async def test_measures_of_a_whole_history_are_all_there_but_that_of_an_index_nobody_has_loaded(
    risk: Risk, client: httpx.AsyncClient
) -> None:
    portfolio_id, _ = await assessed_book(risk)

    measures = (await client.get(f"/risk/portfolios/{portfolio_id}")).json()["measures"]

    missing = {entry["measure"]: entry["value"]["reason"] for entry in measures if entry["value"]["value"] is None}
    assert missing == {"active_share": "NOT_APPLICABLE"}


async def test_loaded_benchmark_is_what_later_assessments_are_compared_with(
    risk: Risk, client: httpx.AsyncClient, operator: httpx.AsyncClient
) -> None:
    before, _ = await assessed_book(risk)
    weights = {"Energy": 0.25, "Technology": 0.75}
    answer = await operator.put("/risk/benchmarks/SP500", json={"as_of": str(SESSION), "weights": weights})
    assert answer.status_code == 200
    # Older weights loaded later are not the newest.
    older = {"as_of": str(shift_session(SESSION, -20)), "weights": {"Energy": 1.0}}
    await operator.put("/risk/benchmarks/SP500", json=older)
    after, _ = await assessed_book(risk)

    unknown = (await client.get(f"/risk/portfolios/{before}/active-sectors")).json()
    found = (await client.get(f"/risk/portfolios/{after}/active-sectors")).json()

    assert (unknown["reason"], unknown["sectors"]) == ("NOT_APPLICABLE", [])
    assert (found["benchmark"], found["benchmark_as_of"], found["reason"]) == ("SP500", str(SESSION), None)
    # 120,000 of 200,000 in energy
    assert {entry["sector"]: entry["active"] for entry in found["sectors"]} == pytest.approx(
        {"Energy": 0.35, "Technology": -0.75}
    )
    assert (await client.get("/risk/benchmarks/SP500")).json()["weights"] == weights
    async with risk.service.engine.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM benchmarks")


async def test_benchmark_is_loaded_by_operators_only_and_missing_ones_are_not_found(client: httpx.AsyncClient) -> None:
    body = {"as_of": str(SESSION), "weights": {"Energy": 1.0}}

    assert (await client.put("/risk/benchmarks/SP500", json=body)).status_code == 403
    assert (await client.get("/risk/benchmarks/OTHER")).status_code == 404


async def test_answers_hold_until_a_portfolio_is_assessed_otherwise(risk: Risk, client: httpx.AsyncClient) -> None:
    portfolio_id, (symbol, other) = uuid4(), new_symbols(2)
    await assess(risk, portfolio_id, {symbol: 500_000.0, other: 100_000.0})
    of_one = f"/risk/portfolios/{portfolio_id}"
    details = ("stress", "correlations", "contributions", "active-sectors")
    paths = [f"/risk?portfolio_id={portfolio_id}", of_one, *(f"{of_one}/{name}" for name in details)]

    async def statuses() -> list[int]:
        return [(await client.get(path, headers=having[path])).status_code for path in paths]

    having = {path: {"If-None-Match": (await client.get(path)).headers["ETag"]} for path in paths}
    assert await statuses() == [304] * len(paths)
    await assess(risk, portfolio_id, {symbol: 500_000.0, other: 100_000.0}, revision=2)
    assert await statuses() == [304] * len(paths)
    await assess(risk, portfolio_id, {symbol: 400_000.0, other: 100_000.0}, revision=3)
    assert await statuses() == [200] * len(paths)
