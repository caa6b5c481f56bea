"""What people see of dead letters over HTTP, and that they can drop them."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from shared.service import Service
from tests.integration.scheduler.letters import make_letter, record
from tests.support.runs import make_run

WHY = {"why": "a test run", "requested_by": "me"}


@pytest.fixture(autouse=True)
async def _no_letters(scheduler: Service) -> None:
    async with scheduler.unit_of_work() as uow:
        await uow.connection.execute(sa.text("TRUNCATE dead_letters CASCADE"))


async def _list(client: httpx.AsyncClient, **query: object) -> list[dict[str, Any]]:
    answer = await client.get("/dead-letters", params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_dead_letter_is_listed_once_with_cause_and_origin(client: httpx.AsyncClient, scheduler: Service) -> None:
    run_id = make_run().run_id
    await record(scheduler, *[make_letter(run_id)] * 2)

    (listed,) = await _list(client, run_id=run_id)

    assert {name: listed[name] for name in ("topic", "partition", "offset", "consumer", "reason", "attempts")} == {
        "topic": "portfolios.valued",
        "partition": 1,
        "offset": 3,
        "consumer": "risk.store_books",
        "reason": "KeyError",
        "attempts": 3,
    }
    assert listed["status"] == "waiting"


async def test_dead_letter_at_a_position_that_a_lost_log_gives_again_is_kept(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    """A broker that keeps its log in memory counts offsets from zero again after a restart."""
    run_id = make_run().run_id
    await record(scheduler, make_letter(run_id, offset=0, value=b"before the restart"))
    await record(scheduler, make_letter(run_id, offset=0, value=b"after the restart"))

    assert len(await _list(client, run_id=run_id)) == 2


async def test_dead_letter_recorded_into_an_empty_schema_has_the_id_that_it_had(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    letter = make_letter(make_run().run_id)
    await record(scheduler, letter)
    (before,) = await _list(client)
    async with scheduler.unit_of_work() as uow:
        await uow.connection.execute(sa.text("TRUNCATE dead_letters CASCADE"))
    await record(scheduler, letter)

    assert [each["letter_id"] for each in await _list(client)] == [before["letter_id"]]


async def test_dead_letter_with_forged_origin_is_kept(client: httpx.AsyncClient, scheduler: Service) -> None:
    forged = {"dlq-partition": "x", "dlq-offset": "9" * 30, "dlq-attempts": "-"}
    await record(scheduler, make_letter(make_run().run_id, origin=forged))

    (listed,) = await _list(client)

    assert (listed["partition"], listed["offset"], listed["attempts"]) == (0, 99, 0)


async def test_dead_letters_are_paged_the_newest_first(client: httpx.AsyncClient, scheduler: Service) -> None:
    run_id = make_run().run_id
    await record(scheduler, *(make_letter(run_id, offset=offset) for offset in range(3)))

    first = (await client.get("/dead-letters", params={"limit": 2})).json()
    rest = await _list(client, limit=2, cursor=first["next"])

    assert [letter["offset"] for letter in [*first["items"], *rest]] == [2, 1, 0]


async def test_dead_letters_are_listed_by_cause_topic_and_run(client: httpx.AsyncClient, scheduler: Service) -> None:
    run_id = make_run().run_id
    await record(
        scheduler,
        make_letter(run_id, offset=1),
        make_letter(make_run().run_id, offset=2),
        make_letter(run_id, offset=3, origin={"dlq-reason": "InvalidEvent"}),
        make_letter(run_id, offset=4, origin={"dlq-topic": "prices.updated"}),
    )

    async def offsets(**query: object) -> list[int]:
        return [letter["offset"] for letter in await _list(client, **query)]

    assert await offsets(reason="InvalidEvent") == [3]
    assert await offsets(topic="prices.updated") == [4]
    assert await offsets(run_id=run_id) == [4, 3, 1]
    assert await offsets(run_id=run_id, reason="KeyError", topic="portfolios.valued") == [1]
    assert await offsets(status="dropped") == []


async def test_dead_letter_is_shown_with_its_message(client: httpx.AsyncClient, scheduler: Service) -> None:
    await record(scheduler, make_letter(make_run().run_id, value=b'{"not": "utf-8 \xff"}'))
    (listed,) = await _list(client)

    shown = (await client.get(f"/dead-letters/{listed['letter_id']}")).json()

    assert {name: shown[name] for name in listed} == listed
    assert (shown["key"], shown["payload"], shown["payload_bytes"]) == ("key", '{"not": "utf-8 \ufffd"}', 18)
    assert shown["headers"]["dlq-detail"] == "a bug"


async def test_dropped_letter_is_out_of_the_way_and_stays_readable_with_who_dropped_it_and_why(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    await record(scheduler, *(make_letter(make_run().run_id, offset=offset) for offset in range(2)))
    kept, dropped = await _list(client)
    path = f"/dead-letters/{dropped['letter_id']}"

    answer = await client.post(f"{path}/drop", json=WHY)

    assert (answer.status_code, answer.json()) == (200, (await client.get(path)).json())
    assert [answer.json()[f"dropped_{what}"] for what in ("by", "why")] == ["me", "a test run"]
    assert answer.json()["dropped_at"] is not None
    assert await _list(client) == [kept]
    assert [letter["letter_id"] for letter in await _list(client, status="dropped")] == [dropped["letter_id"]]
    assert (await client.get("/dead-letters/counts")).json()["letters"] == 1


async def test_letter_is_dropped_once_for_one_reason(client: httpx.AsyncClient, scheduler: Service) -> None:
    await record(scheduler, make_letter(make_run().run_id))
    (letter,) = await _list(client)
    path = f"/dead-letters/{letter['letter_id']}/drop"
    await client.post(path, json=WHY)

    again = await client.post(path, json=WHY | {"why": "another reason"})

    assert (again.status_code, again.headers["content-type"]) == (409, "application/problem+json")
    (stored,) = await _list(client, status="dropped")
    assert stored["dropped_why"] == "a test run"


async def test_letter_is_not_dropped_without_a_reason(client: httpx.AsyncClient, scheduler: Service) -> None:
    await record(scheduler, make_letter(make_run().run_id))
    (letter,) = await _list(client)

    answer = await client.post(f"/dead-letters/{letter['letter_id']}/drop", json={"why": ""})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.why")
    assert await _list(client) == [letter]


async def test_letter_that_nobody_knows_is_not_found(client: httpx.AsyncClient) -> None:
    read = await client.get(f"/dead-letters/{uuid4()}")
    drop = await client.post(f"/dead-letters/{uuid4()}/drop", json=WHY)
    assert (read.status_code, drop.status_code) == (404, 404)


async def test_letters_are_counted_by_consumer_and_cause(client: httpx.AsyncClient, scheduler: Service) -> None:
    run_id = make_run().run_id
    await record(scheduler, *(make_letter(run_id, offset=offset) for offset in range(2)))
    await record(scheduler, make_letter(run_id, offset=9, origin={"dlq-reason": "InvalidEvent"}))

    assert (await client.get("/dead-letters/counts")).json() == {
        "letters": 3,
        "causes": [
            {"consumer": "risk.store_books", "reason": "KeyError", "letters": 2},
            {"consumer": "risk.store_books", "reason": "InvalidEvent", "letters": 1},
        ],
    }
