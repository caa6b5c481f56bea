"""A portfolio that is called otherwise: same id, same numbers, the old name free, everybody told."""

from uuid import UUID

from shared.contracts.portfolio import SymbolsOnboarding
from tests.integration.portfolio.conftest import WEEK, Books, new_name

MONDAY, FRIDAY = WEEK[0], WEEK[-1]
THEN = {"as_of": str(FRIDAY)}


async def _rename(books: Books, portfolio_id: str, name: str) -> str:
    answer = await books.client.patch(f"/portfolios/{portfolio_id}", json={"name": name}, params=THEN)
    run_id: str = answer.raise_for_status().json()["run_id"]
    return run_id


async def test_renamed_portfolio_keeps_its_id_and_announces_its_name(books: Books) -> None:
    entered, name = await books.open((new_name(), "10", MONDAY, "100")), new_name("renamed ")

    run_id = await _rename(books, entered["portfolio_id"], name)

    found = (await books.client.get(f"/portfolios/{entered['portfolio_id']}")).json()
    assert (found["portfolio_id"], found["name"]) == (entered["portfolio_id"], name)
    (announced,) = await books.announced(SymbolsOnboarding, UUID(run_id))
    assert (announced.portfolio_name, announced.run.first_session, announced.run.last_session) == (name, FRIDAY, FRIDAY)
    (edit,) = (await books.client.get(f"/portfolios/{entered['portfolio_id']}/edits")).json()["items"]
    assert (edit["kind"], edit["after"]) == ("portfolio", {"name": name})


async def test_owner_who_is_given_a_portfolio_and_loses_it_again_is_announced_each_time(books: Books) -> None:
    entered = await books.open((new_name(), "10", MONDAY, "100"))
    said = []
    for owner in ("ada", None, "ada"):
        answer = await books.client.patch(f"/portfolios/{entered['portfolio_id']}", json={"owner": owner}, params=THEN)
        run_id = UUID(answer.raise_for_status().json()["run_id"])
        said += [(run_id, event.owner) for event in await books.announced(SymbolsOnboarding, run_id)]
    assert [owner for _, owner in said] == ["ada", None, "ada"]
    assert len({run_id for run_id, _ in said}) == 3


async def test_name_that_was_given_up_is_free_for_a_portfolio_of_its_own(books: Books) -> None:
    name = new_name("taken up again ")
    first = await books.open(name=name)
    await _rename(books, first["portfolio_id"], new_name("renamed "))

    second = await books.open(name=name)

    assert second["portfolio_id"] != first["portfolio_id"]
    third = await books.client.post("/portfolios", json={"name": name, "opening_equity": "1.00", "as_of": str(FRIDAY)})
    assert (third.status_code, third.json()["errors"]) == (409, [{"field": "name", "reason": "taken"}])


async def test_name_of_another_portfolio_is_refused_and_nothing_changes(books: Books) -> None:
    one, other = new_name("one "), new_name("other ")
    portfolio_id = (await books.open(name=one))["portfolio_id"]
    await books.open(name=other)

    answer = await books.client.patch(f"/portfolios/{portfolio_id}", json={"name": other}, params=THEN)

    assert (answer.status_code, answer.json()["errors"]) == (409, [{"field": "name", "reason": "taken"}])
    assert (await books.client.get(f"/portfolios/{portfolio_id}")).json()["name"] == one
    assert (await books.client.get(f"/portfolios/{portfolio_id}/edits")).json()["items"] == []


async def test_portfolio_that_is_not_there_is_not_renamed(books: Books) -> None:
    answer = await books.client.patch(f"/portfolios/{UUID(int=9)}", json={"name": "x"}, params=THEN)
    assert answer.status_code == 404


async def test_portfolios_are_found_by_a_part_of_their_name_in_any_case_and_by_nothing_else(books: Books) -> None:
    name = new_name("Family % ")
    entered = await books.open((new_name(), "10", MONDAY, "100"), name=name)
    await books.open((new_name(), "10", MONDAY, "100"))

    found = (await books.client.get("/portfolios", params={"named": name.upper()[2:]})).json()["items"]
    none = (await books.client.get("/portfolios", params={"named": "Fam%" + name[-6:]})).json()["items"]

    assert [each["portfolio_id"] for each in found] == [entered["portfolio_id"]]
    assert none == []
