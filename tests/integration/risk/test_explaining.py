"""Numbers of risk explained: computed again to the bit, and told where something was corrected since."""

from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest

from services.risk.web.explanation import EXPLAINED
from shared.contracts.portfolio import HeldOption
from tests.integration.risk.conftest import Risk, assessed_book
from tests.integration.risk.events import book, closes, factored, new_symbols, priced, profiled, valued
from tests.support.runs import SESSION, make_run


@pytest.mark.parametrize("name", EXPLAINED)
async def test_every_stored_number_is_recomputed_to_the_bit(
    risk: Risk, client: httpx.AsyncClient, explained_book: UUID, name: str
) -> None:
    view = (await client.get(f"/risk/portfolios/{explained_book}/explain/{name}")).json()

    assert view["stored"] == view["recomputed"]
    assert (view["agrees"], view["inputs_unchanged"]) == (True, True)


@pytest.fixture(scope="module")
async def explained_book(risk: Risk) -> UUID:
    portfolio_id, _ = await assessed_book(risk)
    return portfolio_id


async def test_explanation_shows_weights_betas_and_what_each_holding_adds(
    client: httpx.AsyncClient, explained_book: UUID
) -> None:
    view = (await client.get(f"/risk/portfolios/{explained_book}/explain/market_beta")).json()

    assert [entry["weight"] for entry in view["holdings"]] == [0.5, 0.3, -0.2]
    assert {entry["betas"]["market_beta"]["value"] for entry in view["holdings"]} == {1.2}
    assert sum(entry["contribution"] for entry in view["holdings"]) == pytest.approx(view["stored"]["value"])


async def test_explanation_names_the_provider_of_each_price_from_the_replica(
    client: httpx.AsyncClient, explained_book: UUID
) -> None:
    view = (await client.get(f"/risk/portfolios/{explained_book}/explain/market_beta")).json()

    assert [price["symbol"] for price in view["prices"]] == [entry["symbol"] for entry in view["holdings"]]
    assert {(price["session"], price["source"]) for price in view["prices"]} == {(str(SESSION), "files")}
    assert all(price["close"] > 0 for price in view["prices"])


async def test_explanation_of_a_volatility_lists_its_returns(client: httpx.AsyncClient, explained_book: UUID) -> None:
    view = (await client.get(f"/risk/portfolios/{explained_book}/explain/volatility_63d")).json()

    values = np.array([entry["value"] for entry in view["series"]])
    assert (len(values), view["series"][-1]["session"]) == (63, str(SESSION))
    assert values.std(ddof=1) * np.sqrt(252) == pytest.approx(view["stored"]["value"], rel=1e-12)


@pytest.mark.parametrize("kind", ["", ".model"])
@pytest.mark.parametrize("scenario", ["market_down_10", "value_rotation_20", "liquidity_crisis", "rates_up_100bp"])
async def test_explanation_of_a_scenario_adds_up_over_factors_and_over_holdings(
    client: httpx.AsyncClient, explained_book: UUID, scenario: str, kind: str
) -> None:
    view = (await client.get(f"/risk/portfolios/{explained_book}/explain/{scenario}{kind}")).json()
    served = (await client.get(f"/risk/portfolios/{explained_book}/stress")).json()["scenarios"]

    (known,) = [entry for entry in served if entry["scenario"] == scenario]
    assert view["stored"] == known["model" if kind else "direct"]
    counted = [entry for entry in view["factors"] if entry["counted"] is not None]
    for entry in counted:
        assert entry["contribution"] == entry["dollars"]["value"] * entry["counted"]
    assert sum(entry["contribution"] for entry in counted) == pytest.approx(view["stored"]["value"], rel=1e-9)
    holdings = [entry["contribution"] for entry in view["holdings"]]
    assert sum(holdings) == pytest.approx(view["stored"]["value"], rel=1e-9)


async def test_options_are_revalued_and_explanations_add_up_with_what_that_adds(
    risk: Risk, client: httpx.AsyncClient, explained_book: UUID
) -> None:
    assert explained_book  # with the prices of the factors' proxies
    run, portfolio_id = make_run(), uuid4()
    (symbol,) = new_symbols(1)
    known = {"entry": 0, "quantity": -20.0, "multiplier": 100, "right": "put", "strike": 95.0, "spot": 100.0}
    option = HeldOption(**known, expiration=SESSION + timedelta(days=180), dividend_yield=0.01, volatility=0.3)
    await risk.assess(
        priced(run, {symbol: closes(510, seed=3)}),
        profiled(run, {symbol: "Technology"}),
        factored(run, {symbol: 1.0}),
        valued(run, book(portfolio_id, {symbol: 60_000.0}, options=(option,))),
    )

    shown = {}
    for name in ("market_crash_35", "market_crash_35.model", "var_95_1d_historical"):
        view = (await client.get(f"/risk/portfolios/{portfolio_id}/explain/{name}")).json()
        assert (view["agrees"], view["inputs_unchanged"]) == (True, True)
        shown[name] = view
    served = (await client.get(f"/risk/portfolios/{portfolio_id}/stress")).json()["scenarios"]
    (crash,) = [entry for entry in served if entry["scenario"] == "market_crash_35"]

    for view in (shown["market_crash_35"], shown["market_crash_35.model"]):
        assert view["revaluation"] < 0
        factors = sum(entry["contribution"] for entry in view["factors"] if entry["counted"] is not None)
        assert factors + view["revaluation"] == pytest.approx(view["stored"]["value"], rel=1e-9)
        holdings = sum(entry["contribution"] for entry in view["holdings"])
        assert holdings == pytest.approx(view["stored"]["value"], rel=1e-9)
    assert crash["model_at_risen_volatility"] < crash["model"]["value"]
    assert shown["var_95_1d_historical"]["revaluation"] is None


async def test_explanation_of_a_direct_pnl_counts_the_shocks_and_of_a_model_one_every_move(
    client: httpx.AsyncClient, explained_book: UUID
) -> None:
    shown = {}
    for name in ("value_rotation_20", "value_rotation_20.model"):
        view = (await client.get(f"/risk/portfolios/{explained_book}/explain/{name}")).json()
        shown[name] = {entry["factor"]: entry for entry in view["factors"]}

    direct, model = shown.values()
    assert [name for name, entry in direct.items() if entry["counted"] is not None] == ["value", "growth"]
    assert all(entry["counted"] == entry["move"] is not None for entry in model.values())


async def test_number_whose_inputs_were_corrected_says_so(risk: Risk, client: httpx.AsyncClient) -> None:
    portfolio_id, symbols = await assessed_book(risk)
    correction = make_run()
    await risk.deliver(priced(correction, {symbols[0]: closes(510, seed=99)}))

    view = (await client.get(f"/risk/portfolios/{portfolio_id}/explain/volatility_63d")).json()

    assert (view["inputs_unchanged"], view["agrees"]) == (False, False)
    assert view["stored"]["value"] != view["recomputed"]["value"]


async def test_number_that_does_not_exist_is_not_found(client: httpx.AsyncClient, explained_book: UUID) -> None:
    answer = await client.get(f"/risk/portfolios/{explained_book}/explain/luck")

    assert answer.status_code == 404
    assert "volatility_63d" in answer.json()["detail"]
