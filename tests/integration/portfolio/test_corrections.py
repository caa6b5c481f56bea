"""Corrected trades and flows: touched sessions get a new revision, others keep theirs, the old is read as it was."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.portfolio.core.digest import CODE_VERSION
from tests.integration.portfolio.conftest import WEEK, Books, Closes, new_name

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = WEEK


def _rising(symbol: str) -> Closes:
    return {symbol: {day: 100.0 + index for index, day in enumerate(WEEK)}}


async def _valued(books: Books, symbol: str, *, entered: date = TUESDAY) -> tuple[str, str]:
    """Return a portfolio of ten shares bought at 101, valued over the week, and its position."""
    accepted = await books.open((symbol, "10", entered, "101"))
    await books.value(await books.request(accepted["run_id"]), _rising(symbol))
    portfolio_id = accepted["portfolio_id"]
    (position,) = (await books.client.get(f"/portfolios/{portfolio_id}/positions")).json()["items"]
    return portfolio_id, position["position_id"]


async def _snapshots(books: Books, portfolio_id: str, **parameters: Any) -> dict[str, Any]:
    answer = await books.client.get(f"/portfolios/{portfolio_id}/snapshots", params=parameters)
    return {entry["as_of"]: entry for entry in answer.raise_for_status().json()["items"]}


async def _revalued(books: Books, answer: Any, symbol: str) -> None:
    run = await books.request(answer.raise_for_status().json()["run_id"])
    await books.value(run, _rising(symbol))


def _terms(symbol: str, quantity: str, entered: date = TUESDAY, **changes: Any) -> dict[str, Any]:
    terms = {"symbol": symbol, "kind": "LONG", "quantity": quantity, "entry_date": str(entered), "entry_price": "101"}
    return {**terms, **changes}


async def test_defect_13_corrected_quantity_moves_cash_as_well_as_pnl(books: Books) -> None:
    symbol = new_name()
    portfolio_id, position_id = await _valued(books, symbol)
    before = datetime.now(UTC)

    answer = await books.client.put(f"/portfolios/{portfolio_id}/positions/{position_id}", json=_terms(symbol, "20"))
    await _revalued(books, answer, symbol)

    found = await _snapshots(books, portfolio_id)
    assert {day: entry["revision"] for day, entry in found.items()} == {
        str(MONDAY): 1,
        **{str(day): 2 for day in WEEK[1:]},
    }
    # 20 shares from 101 to 104
    assert Decimal(found[str(FRIDAY)]["equity"]) == Decimal("10060.00")
    assert Decimal(found[str(FRIDAY)]["cash"]) == 10_000 - 20 * 101
    old = await _snapshots(books, portfolio_id, known_at=before.isoformat())
    assert Decimal(old[str(FRIDAY)]["equity"]) == Decimal("10030.00")
    assert found[str(FRIDAY)]["code_version"] == CODE_VERSION
    (edit,) = (await books.client.get(f"/portfolios/{portfolio_id}/edits")).json()["items"]
    assert (edit["before"]["quantity"], edit["after"]["quantity"]) == ("10", "20")


async def test_trade_corrected_to_what_it_was_writes_nothing(books: Books) -> None:
    symbol = new_name()
    portfolio_id, position_id = await _valued(books, symbol)

    path = f"/portfolios/{portfolio_id}/positions/{position_id}"
    (await books.client.put(path, json=_terms(symbol, "20"))).raise_for_status()
    await _revalued(books, await books.client.put(path, json=_terms(symbol, "10")), symbol)

    assert await books.count("snapshots", portfolio_id) == len(WEEK)


async def test_correction_that_changes_nothing_is_refused_and_not_kept(books: Books) -> None:
    symbol = new_name()
    portfolio_id, position_id = await _valued(books, symbol)
    portfolio = f"/portfolios/{portfolio_id}"
    flow = {"on": str(TUESDAY), "amount": "5.00", "reference": "wire 7"}
    (await books.client.post(f"{portfolio}/flows", json=flow)).raise_for_status()
    (entered,) = (await books.client.get(f"{portfolio}/flows")).json()["items"]
    name = (await books.client.get(portfolio)).json()["name"]

    answers = [
        await books.client.put(f"{portfolio}/positions/{position_id}", json=_terms(symbol, "10.0")),
        await books.client.put(f"{portfolio}/flows/{entered['flow_id']}", json=flow),
        await books.client.patch(portfolio, json={"name": name}),
        await books.client.post(f"{portfolio}/reopen"),
    ]

    assert [answer.status_code for answer in answers] == [409] * 4
    assert answers[0].json()["detail"] == f"nothing to correct: position {position_id} is so already"
    assert await books.count("book_edits", portfolio_id) == 0


async def test_defect_o36_removed_position_leaves_the_equity_it_never_earned(books: Books) -> None:
    symbol = new_name()
    portfolio_id, position_id = await _valued(books, symbol)

    await _revalued(books, await books.client.delete(f"/portfolios/{portfolio_id}/positions/{position_id}"), symbol)

    found = await _snapshots(books, portfolio_id)
    assert {entry["equity"] for entry in found.values()} == {"10000.00"}
    assert found[str(FRIDAY)]["cash"] == "10000.00"
    assert (await books.client.get(f"/portfolios/{portfolio_id}/positions")).json()["items"] == []
    again = await books.client.delete(f"/portfolios/{portfolio_id}/positions/{position_id}")
    assert again.status_code == 404


async def test_exit_entered_later_fixes_the_gain_of_its_session(books: Books) -> None:
    symbol = new_name()
    portfolio_id, position_id = await _valued(books, symbol)

    closing = {"on": str(WEDNESDAY), "price": "105", "quantity": "4"}
    answer = await books.client.post(f"/portfolios/{portfolio_id}/positions/{position_id}/exits", json=closing)
    await _revalued(books, answer, symbol)

    found = await _snapshots(books, portfolio_id)
    # 4 sold at 105, entered at 101; the other 6 go on to 104
    assert Decimal(found[str(FRIDAY)]["equity"]) == Decimal(10_000 + 4 * 4 + 6 * 3)
    assert Decimal(found[str(WEDNESDAY)]["realised_pnl"]) == Decimal(16)
    assert {day: entry["revision"] for day, entry in found.items()} == {
        str(MONDAY): 1,
        str(TUESDAY): 1,
        **{str(day): 2 for day in WEEK[2:]},
    }


@pytest.mark.parametrize("way", ["exit", "correction", "entry"])
async def test_exit_of_more_than_was_held_is_refused_and_nothing_is_stored(books: Books, way: str) -> None:
    symbol = new_name()
    portfolio_id, position_id = await _valued(books, symbol)
    own, closing = f"/portfolios/{portfolio_id}/positions", {"on": str(WEDNESDAY), "price": "105", "quantity": "11"}
    before = (await books.client.get(own)).json()

    terms = _terms(symbol, "10", exits=[closing])
    method, path, body = {
        "exit": ("POST", f"{own}/{position_id}/exits", closing),
        "correction": ("PUT", f"{own}/{position_id}", terms),
        "entry": ("POST", own, {"positions": [terms]}),
    }[way]
    refused = await books.client.request(method, path, json=body)

    assert refused.status_code == 422, refused.text
    reason = f"closes 11 of {symbol} on {WEDNESDAY}, when 10 were held"
    assert refused.json()["errors"] == [{"field": "quantity", "reason": reason}]
    assert (await books.client.get(own)).json() == before


async def test_exits_of_one_day_are_taken_in_the_order_in_which_they_were_entered(books: Books) -> None:
    symbol = new_name()
    portfolio_id, position_id = await _valued(books, symbol)
    prices = ("105", "106", "107", "108", "109", "110")

    # Six parts of a share, then whatever is left: in any other order there would be nothing left for some of them.
    path = f"/portfolios/{portfolio_id}/positions/{position_id}"
    exits = [{"on": str(WEDNESDAY), "price": price, "quantity": "1"} for price in prices]
    body = _terms(symbol, "10", exits=[*exits, {"on": str(WEDNESDAY), "price": "100"}])
    await _revalued(books, await books.client.put(path, json=body), symbol)

    found = (await _snapshots(books, portfolio_id))[str(WEDNESDAY)]
    # Over the cost of 101: 4 + 5 + 6 + 7 + 8 + 9, and the other four at 100: -4
    assert Decimal(found["realised_pnl"]) == 39 - 4
    then = {"as_of": str(WEDNESDAY)}
    values = (await books.client.get(f"/portfolios/{portfolio_id}/values", params=then)).json()["items"]
    assert [(value["quantity"], value["oversold"]) for value in values] == [(0.0, False)]
    (position,) = (await books.client.get(f"/portfolios/{portfolio_id}/positions")).json()["items"]
    assert [Decimal(entry["price"]) for entry in position["exits"]] == [*map(Decimal, prices), Decimal(100)]


async def test_exit_before_the_entry_is_refused(books: Books) -> None:
    portfolio_id, position_id = await _valued(books, new_name())

    answer = await books.client.post(
        f"/portfolios/{portfolio_id}/positions/{position_id}/exits", json={"on": str(MONDAY), "price": "105"}
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "on"


async def test_moved_flow_revises_the_sessions_between_its_dates(books: Books) -> None:
    symbol = new_name()
    portfolio_id, _ = await _valued(books, symbol)
    path = f"/portfolios/{portfolio_id}/flows"
    await _revalued(books, await books.client.post(path, json={"on": str(WEDNESDAY), "amount": "500.00"}), symbol)
    (flow,) = (await books.client.get(path)).json()["items"]

    moved = await books.client.put(f"{path}/{flow['flow_id']}", json={"on": str(THURSDAY), "amount": "500.00"})
    await _revalued(books, moved, symbol)

    found = await _snapshots(books, portfolio_id)
    assert [Decimal(found[str(day)]["flow"]) for day in WEEK] == [0, 0, 0, 500, 0]
    # Friday's equity is what it was, its index is not: Wednesday's gain was made on less capital.
    assert [found[str(day)]["revision"] for day in WEEK] == [1, 1, 3, 3, 3]
    await _revalued(books, await books.client.delete(f"{path}/{flow['flow_id']}"), symbol)
    gone = await _snapshots(books, portfolio_id)
    assert Decimal(gone[str(FRIDAY)]["equity"]) == Decimal("10030.00")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "positions/{other}"),
        ("DELETE", "positions/{other}"),
        ("POST", "positions/{other}/exits"),
        ("PUT", "flows/{other}"),
        ("DELETE", "flows/{other}"),
    ],
)
async def test_correction_of_what_is_not_there_is_not_found(books: Books, method: str, path: str) -> None:
    portfolio_id, _ = await _valued(books, new_name())
    bodies = {
        "positions/{other}": _terms("AAPL", "1"),
        "positions/{other}/exits": {"on": str(WEDNESDAY), "price": "1"},
        "flows/{other}": {"on": str(WEDNESDAY), "amount": "1.00"},
    }

    answer = await books.client.request(
        method,
        f"/portfolios/{portfolio_id}/{path.format(other=uuid4())}",
        json=None if method == "DELETE" else bodies[path],
    )

    assert answer.status_code == 404


async def test_correction_that_contradicts_itself_changes_nothing(books: Books) -> None:
    symbol = new_name()
    portfolio_id, position_id = await _valued(books, symbol)

    answer = await books.client.put(f"/portfolios/{portfolio_id}/positions/{position_id}", json=_terms(symbol, "-5"))

    assert answer.status_code == 422
    (position,) = (await books.client.get(f"/portfolios/{portfolio_id}/positions")).json()["items"]
    assert Decimal(position["quantity"]) == 10
    assert (await books.client.get(f"/portfolios/{portfolio_id}/edits")).json()["items"] == []


async def test_performance_over_a_window_counts_flows_as_no_gain(books: Books) -> None:
    symbol = new_name()
    portfolio_id, _ = await _valued(books, symbol)
    flow = {"on": str(THURSDAY), "amount": "10000.00"}
    await _revalued(books, await books.client.post(f"/portfolios/{portfolio_id}/flows", json=flow), symbol)

    path = f"/portfolios/{portfolio_id}/performance"
    whole = (await books.client.get(path)).json()
    two = (await books.client.get(path, params={"first": str(THURSDAY)})).json()

    # The index: nothing, nothing (bought at the close), +10, +10 on 20,010, +10 on 20,020.
    chained = (1 + 10 / 10_000) * (1 + 10 / 20_010) * (1 + 10 / 20_020) - 1
    assert whole["twr"]["value"] == pytest.approx(chained, rel=1e-9)
    assert (whole["sessions"], whole["flows"], whole["pnl"]) == (5, "10000.00", "30.00")
    assert (whole["drawdown"]["depth"]["value"], len(whole["points"])) == (0.0, 5)
    assert two["twr"]["value"] == pytest.approx((1 + 10 / 20_010) * (1 + 10 / 20_020) - 1, rel=1e-9)
    assert Decimal(two["opening_equity"]) == Decimal("10010.00")
    assert two["mwr"]["value"] == pytest.approx(20 / 20_010, rel=1e-9)
    assert two["mwr_annual"]["reason"] == "NOT_APPLICABLE"


async def test_realised_performance_is_of_the_daily_returns_that_were(books: Books) -> None:
    symbol = new_name()
    portfolio_id, _ = await _valued(books, symbol)

    path = f"/portfolios/{portfolio_id}/realised"
    whole = (await books.client.get(path)).json()
    until = (await books.client.get(path, params={"as_of": str(THURSDAY)})).json()

    assert (whole["first"], whole["last"], until["last"]) == (str(WEEK[0]), str(FRIDAY), str(THURSDAY))
    windows = {entry["window"]: entry for entry in whole["windows"]}
    assert list(windows) == ["1M", "3M", "6M", "YTD", "1Y", "since inception"]
    since = windows["since inception"]
    assert (since["returns"], since["total"]["value"]) == (5, pytest.approx(0.003, rel=1e-9))
    assert (since["sharpe"]["reason"], since["sharpe"]["detail"]) == ("INSUFFICIENT_HISTORY", "5 of 60 returns")
    assert windows["1Y"]["total"]["detail"] == f"opened on {WEEK[0]}"


@pytest.mark.parametrize("what", ["performance", "realised"])
async def test_performance_without_snapshots_is_not_found(books: Books, what: str) -> None:
    accepted = await books.open()

    answer = await books.client.get(f"/portfolios/{accepted['portfolio_id']}/{what}")

    assert answer.status_code == 404
    unknown = await books.client.get(f"/portfolios/{UUID(int=9)}/{what}")
    assert unknown.status_code == 404


async def test_answers_hold_until_a_correction(books: Books) -> None:
    symbol = new_name()
    portfolio_id, position_id = await _valued(books, symbol)
    paths = [f"/portfolios/{portfolio_id}/{name}" for name in ("snapshots", "values", "performance", "realised")]
    paths += [f"/{name}?portfolio_id={portfolio_id}" for name in ("snapshots", "position-values")]

    async def statuses() -> list[int]:
        return [(await books.client.get(path, headers=having[path])).status_code for path in paths]

    having = {path: {"If-None-Match": (await books.client.get(path)).headers["ETag"]} for path in paths}
    assert await statuses() == [304] * len(paths)
    answer = await books.client.put(f"/portfolios/{portfolio_id}/positions/{position_id}", json=_terms(symbol, "20"))
    assert await statuses() == [304] * len(paths)
    await _revalued(books, answer, symbol)
    assert await statuses() == [200] * len(paths)
