"""Options from the book to the announced exposure: delta on the underlying, settlement, what waits for a close."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from shared.black_scholes import Terms, black_scholes, greeks
from shared.calendar import sessions_between, shift_session
from shared.contracts.portfolio import SymbolsOnboarding
from tests.integration.portfolio.conftest import WEEK, Books, Closes, new_name

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = WEEK
PRICES = [99.0, 100.0, 103.0, 104.0, 106.0]


def _underlying(symbol: str, *, without: date | None = None) -> dict[str, dict[date, float]]:
    """Return 64 sessions before the week, and the week."""
    history = sessions_between(shift_session(MONDAY, -64), shift_session(MONDAY, -1))
    walk = 100 * np.cumprod(1 + np.random.default_rng(3).normal(0, 0.01, len(history)))
    closes = {**dict(zip(history, walk.tolist(), strict=True)), **dict(zip(WEEK, PRICES, strict=True))}
    return {symbol: {day: close for day, close in closes.items() if day != without}}


def _call(symbol: str, underlying: str, *, expires: date, **changes: Any) -> dict[str, Any]:
    option = {"underlying": underlying, "strike": "100", "expiration": str(expires)}
    terms = {"symbol": symbol, "kind": "LC", "quantity": "2", "entry_date": str(MONDAY), "entry_price": "3"}
    return {**terms, "option": option, **changes}


async def _valued(books: Books, position: dict[str, Any], closes: Closes) -> tuple[str, dict[str, Any]]:
    """Return the portfolio and its position values by session."""
    accepted = await books.open(positions=[position])
    await books.value(await books.request(accepted["run_id"]), closes)
    return accepted["portfolio_id"], await _values(books, accepted["portfolio_id"])


async def _values(books: Books, portfolio_id: str) -> dict[str, Any]:
    answer = await books.client.get("/position-values", params={"portfolio_id": portfolio_id, "last": str(FRIDAY)})
    # Those of the option, and not of the shares that it may end in.
    return {entry["as_of"]: entry for entry in answer.raise_for_status().json()["items"] if entry["underlying"]}


def _at(spot: float, *, expires: date) -> Terms:
    """Return the terms of the call on Friday, without dividends."""
    parts = (spot, 100.0, (expires - FRIDAY).days / 365, 0.0, 0.05, True)
    return Terms(*(np.array([part]) for part in parts))


async def test_close_of_the_contract_implies_its_volatility_and_greeks(books: Books) -> None:
    name, underlying = new_name(), new_name()
    option = _at(106.0, expires=date(2025, 9, 19))
    price = float(black_scholes(option, np.array([0.35]))[0])
    closes = {**_underlying(underlying), name: {FRIDAY: price}}

    _, values = await _valued(books, _call(name, underlying, expires=date(2025, 9, 19)), closes)

    shown, before = values[str(FRIDAY)], values[str(THURSDAY)]
    assert shown["implied_volatility"]["value"] == pytest.approx(0.35, rel=1e-9)
    assert shown["assumed_volatility"] is None
    expected = greeks(option, np.array([0.35]))
    assert shown["delta"]["value"] == pytest.approx(expected.delta[0], rel=1e-9)
    for greek in ("gamma", "vega", "theta", "rho"):
        assert shown[greek] == pytest.approx(getattr(expected, greek)[0], rel=1e-9)
    assert Decimal(shown["exposure"]) == pytest.approx(Decimal(shown["delta"]["value"] * 2 * 100 * 106), abs=1)
    # The day before it had no close of its own.
    assert before["implied_volatility"]["reason"] == "MISSING_DATA"
    assert before["assumed_volatility"] > 0


async def test_defect_51_option_never_priced_is_exposed_by_its_delta(books: Books) -> None:
    name, underlying = new_name(), new_name()
    accepted = await books.open(positions=[_call(name, underlying, expires=date(2025, 9, 19))])
    run = await books.request(accepted["run_id"])
    (asked,) = await books.announced(SymbolsOnboarding, UUID(accepted["run_id"]))
    assert asked.run.symbols == (name, underlying)
    closes = _underlying(underlying)

    (valued,) = await books.value(run, closes)

    series = np.array(list(closes[underlying].values()))
    volatility = np.diff(series[-64:]) / series[-64:-1]
    realised = volatility.std(ddof=1) * np.sqrt(252)
    delta = greeks(_at(106.0, expires=date(2025, 9, 19)), np.array([realised])).delta[0]
    book = valued.books[-1]
    assert (book.as_of, book.symbols) == (FRIDAY, (underlying,))
    assert book.exposures[0] == pytest.approx(delta * 2 * 100 * 106, abs=0.005)
    (held,) = book.options
    assert (held.entry, held.quantity, held.multiplier, held.right) == (0, 2.0, 100, "call")
    assert (held.strike, held.expiration, held.spot, held.dividend_yield) == (100.0, date(2025, 9, 19), 106.0, 0.0)
    assert held.volatility == pytest.approx(realised, rel=1e-9)
    shown = (await _values(books, accepted["portfolio_id"]))[str(FRIDAY)]
    assert shown["delta"]["value"] == pytest.approx(delta, rel=1e-12)
    assert shown["underlying"] == underlying
    assert shown["assumed_volatility"] == pytest.approx(realised, rel=1e-9)
    assert shown["implied_volatility"]["reason"] == "MISSING_DATA"
    # Never priced itself: at cost.
    assert (shown["market_value"], shown["mark_source"]) == ("600.00", "COST")


async def test_option_without_history_of_its_underlying_keeps_its_value_and_a_name_of_its_own(books: Books) -> None:
    name, underlying = new_name(), new_name()
    accepted = await books.open(positions=[_call(name, underlying, expires=date(2025, 9, 19))])

    (valued,) = await books.value(await books.request(accepted["run_id"]), {underlying: {FRIDAY: 106.0}})

    assert (valued.books[-1].symbols, valued.books[-1].exposures) == ((f"OPTION:{name}",), (600.0,))
    shown = (await _values(books, accepted["portfolio_id"]))[str(FRIDAY)]
    assert (shown["delta"]["reason"], shown["exposure"]) == ("INSUFFICIENT_HISTORY", "600.00")


async def test_option_in_the_money_ends_in_shares_at_the_strike_on_its_last_session(books: Books) -> None:
    underlying = new_name()

    # Saturday's expiration settles on Friday; Thursday's on Thursday: 200 shares at 100 that close at 104, then at 106.
    portfolio_id, _ = await _valued(books, _call(new_name(), underlying, expires=THURSDAY), _underlying(underlying))

    held = (await books.client.get(f"/portfolios/{portfolio_id}/positions")).json()["items"]
    (shares,) = [entry for entry in held if entry["symbol"] == underlying]
    assert (shares["kind"], shares["quantity"], shares["entry_date"]) == ("LONG", "200", str(THURSDAY))
    assert Decimal(shares["entry_price"]) == 100
    answer = await books.client.get("/position-values", params={"portfolio_id": portfolio_id, "first": str(THURSDAY)})
    values = {(entry["as_of"], entry["symbol"] == underlying): entry for entry in answer.json()["items"]}
    ended, begun, after = (values[key] for key in ((str(THURSDAY), False), (str(THURSDAY), True), (str(FRIDAY), True)))
    assert (ended["quantity"], ended["mark_source"], ended["realised_pnl"]) == (0.0, "EXIT", "-600.00")
    assert (begun["market_value"], begun["pnl"], after["market_value"]) == ("20800.00", "800.00", "21200.00")
    snapshots = (await books.client.get(f"/portfolios/{portfolio_id}/snapshots")).json()["items"]
    assert [entry["equity"] for entry in snapshots[-2:]] == ["10200.00", "10600.00"]
    assert snapshots[-1]["cash"] == "-10600.00"
    (edit,) = (await books.client.get(f"/portfolios/{portfolio_id}/edits")).json()["items"]
    assert (edit["before"], edit["after"]["quantity"], edit["subject_id"]) == (None, "200", shares["position_id"])


async def test_shares_follow_the_option_that_ended_in_them(books: Books) -> None:
    underlying = new_name()
    option = _call(new_name(), underlying, expires=THURSDAY)
    portfolio_id, _ = await _valued(books, option, _underlying(underlying))
    held = (await books.client.get(f"/portfolios/{portfolio_id}/positions")).json()["items"]
    (position,) = [entry for entry in held if entry["option"]]

    path = f"/portfolios/{portfolio_id}/positions/{position['position_id']}"
    for strike, shares in (("102", {"200"}), ("105", set())):
        contract = {"underlying": underlying, "strike": strike, "expiration": str(THURSDAY)}
        answer = await books.client.put(path, json={**option, "option": contract})
        await books.value(await books.request(answer.raise_for_status().json()["run_id"]), {})
        held = (await books.client.get(f"/portfolios/{portfolio_id}/positions")).json()["items"]
        assert {entry["quantity"] for entry in held if not entry["option"]} == shares

    edits = (await books.client.get(f"/portfolios/{portfolio_id}/edits")).json()["items"]
    traded = [
        edit["after"] and edit["after"]["entry_price"]
        for edit in edits
        if edit["subject_id"] != position["position_id"]
    ]
    assert [price and float(price) for price in traded] == [100.0, 102.0, None]


async def test_option_on_an_index_is_settled_in_cash(books: Books) -> None:
    underlying = f"^{new_name()}"

    portfolio_id, values = await _valued(
        books, _call(new_name(), underlying, expires=THURSDAY), _underlying(underlying)
    )

    assert (values[str(THURSDAY)]["mark"], values[str(THURSDAY)]["pnl"]) == (4.0, "200.00")
    snapshots = (await books.client.get(f"/portfolios/{portfolio_id}/snapshots")).json()["items"]
    assert (snapshots[-1]["equity"], snapshots[-1]["cash"]) == ("10200.00", "10200.00")


async def test_worthless_option_ends_at_nothing(books: Books) -> None:
    underlying = new_name()
    put = _call(new_name(), underlying, expires=date(2025, 3, 15), kind="LP")

    portfolio_id, values = await _valued(books, put, _underlying(underlying))

    assert (values[str(FRIDAY)]["mark"], values[str(FRIDAY)]["pnl"]) == (0.0, "-600.00")
    snapshots = (await books.client.get(f"/portfolios/{portfolio_id}/snapshots")).json()["items"]
    assert Decimal(snapshots[-1]["equity"]) == Decimal("9400.00")


async def test_option_waits_for_the_close_that_settles_it_and_is_revised_when_it_comes(books: Books) -> None:
    underlying = new_name()
    option = _call(new_name(), underlying, expires=THURSDAY)
    portfolio_id, values = await _valued(books, option, _underlying(underlying, without=THURSDAY))
    assert values[str(FRIDAY)]["market_value"] == "600.00"
    assert values[str(FRIDAY)]["delta"]["reason"] == "NOT_APPLICABLE"

    answer = await books.client.post(f"/portfolios/{portfolio_id}/calculate", json={"as_of": str(FRIDAY)})
    await books.value(await books.request(answer.json()["run_id"]), _underlying(underlying))

    found = await _values(books, portfolio_id)
    assert (found[str(THURSDAY)]["revision"], found[str(THURSDAY)]["quantity"]) == (2, 0.0)
    assert str(FRIDAY) not in found


async def test_option_entered_after_the_session_that_settles_its_expiration_ends_with_its_entry(books: Books) -> None:
    underlying = new_name()
    saturday = date(2025, 3, 8)
    put = _call(new_name(), underlying, expires=saturday, entry_date=str(saturday), kind="LP")

    _, values = await _valued(books, put, _underlying(underlying))

    # Booked on Monday, when the underlying closes at 99: 600 for the sale of 200 shares at 100.
    assert list(values) == [str(MONDAY)]
    assert (values[str(MONDAY)]["mark"], values[str(MONDAY)]["pnl"]) == (0.0, "-600.00")


async def test_corrected_contract_is_on_record(books: Books) -> None:
    underlying = new_name()
    option = _call(new_name(), underlying, expires=FRIDAY, kind="LP")
    portfolio_id, _ = await _valued(books, option, _underlying(underlying))
    (position,) = (await books.client.get(f"/portfolios/{portfolio_id}/positions")).json()["items"]

    contract = {"underlying": underlying, "strike": "102", "expiration": str(FRIDAY)}
    path = f"/portfolios/{portfolio_id}/positions/{position['position_id']}"
    answer = await books.client.put(path, json={**option, "option": contract})
    await books.value(await books.request(answer.raise_for_status().json()["run_id"]), {})

    (edit,) = (await books.client.get(f"/portfolios/{portfolio_id}/edits")).json()["items"]
    assert (edit["before"]["option"]["strike"], edit["after"]["option"]) == ("100", contract)


async def test_option_that_had_expired_before_the_book_was_opened_is_not_held(books: Books) -> None:
    underlying = new_name()
    expired = _call(new_name(), underlying, expires=date(2025, 3, 7), entry_date="2025-01-06")

    portfolio_id, values = await _valued(books, expired, _underlying(underlying))

    assert values == {}
    snapshots = (await books.client.get(f"/portfolios/{portfolio_id}/snapshots")).json()["items"]
    assert {entry["equity"] for entry in snapshots} == {"10000.00"}
