"""What was sold of a lot older than its prices gained an amount that nobody knows, and neither does its book."""

from datetime import date
from typing import Any

from services.portfolio.web.views import SPLITS_UNKNOWN
from tests.integration.portfolio.conftest import WEEK, Books, new_name


def _lot(symbol: str, entered: str, price: str, *days: date) -> dict[str, Any]:
    sold = [{"on": str(day), "price": "110", "quantity": "4"} for day in days]
    terms = {"symbol": symbol, "kind": "LONG", "quantity": "10", "entry_date": entered, "entry_price": price}
    return {**terms, "exits": sold}


async def test_session_on_which_a_lot_of_unknown_splits_is_sold_has_no_realised_gain(books: Books) -> None:
    symbol = new_name()
    # The first is older than the prices of its symbol, the second is not.
    lots = [_lot(symbol, "2024-06-03", "50", WEEK[2]), _lot(symbol, str(WEEK[1]), "101", WEEK[2], WEEK[3])]
    accepted = await books.open(positions=lots)
    await books.value(await books.request(accepted["run_id"]), {symbol: dict.fromkeys(WEEK, 105.0)})

    found = {entry["as_of"]: entry for entry in await books.snapshots(accepted["portfolio_id"])}

    detail = f"of 1 position with exits {SPLITS_UNKNOWN.detail}"
    sold = found.pop(str(WEEK[2]))
    assert (sold["realised_pnl"], sold["gain_reason"], sold["gain_detail"]) == (None, "MISSING_DATA", detail)
    assert sold["exit_pnl"] == "40.00"  # of both lots, from 105 to 110: what the exits fixed of the marks is known
    known = [(found[str(day)]["realised_pnl"], found[str(day)]["gain_reason"]) for day in (WEEK[0], WEEK[3])]
    assert known == [("0.00", None), ("36.00", None)]  # 4 at 110 over 101
    path = f"/portfolios/{accepted['portfolio_id']}/explain/realised_pnl"
    explained = (await books.client.get(path, params={"as_of": str(WEEK[2])})).raise_for_status().json()
    assert (explained["stored"]["detail"], explained["agrees"]) == (detail, True)
