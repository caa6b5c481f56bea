"""Letters that are redriven: sent again to one consumer, or made good by a run, once, whatever comes twice."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from services.scheduler.commands.advance_redrives import BATCH, advance_redrives
from services.scheduler.storage.repository import SchedulerRepository
from shared.bus.dead_letters import REPORTED_HEADER, Letter, sent_again, settlement
from shared.contracts.run import Run, RunKind
from shared.contracts.scheduler import RunStatus
from shared.contracts.symbol_analytics import SymbolsFactored, SymbolsMeasured
from shared.service import Service
from tests.integration.scheduler.events import FRIDAY, assessed, opened, prices, table, valued
from tests.integration.scheduler.events import record as fold
from tests.integration.scheduler.letters import make_letter, record
from tests.support.runs import make_run

Json = dict[str, Any]
MINE = uuid4()


@pytest.fixture(autouse=True)
async def _nothing_before(scheduler: Service) -> None:
    async with scheduler.unit_of_work() as uow:
        await uow.connection.execute(
            sa.text("TRUNCATE runs, run_parts, cell_parts, books, outbox, dead_letters, redrives CASCADE")
        )


async def _ids(client: httpx.AsyncClient, **query: object) -> list[str]:
    answer = await client.get("/dead-letters", params={name: str(value) for name, value in query.items()})
    return [letter["letter_id"] for letter in answer.json()["items"]]


async def _redrive(client: httpx.AsyncClient, **body: object) -> Json:
    answer = await client.post("/dead-letters/redrives", json={"requested_by": "me", "why": "repaired", **body})
    assert answer.status_code in {200, 201}, answer.text
    found: Json = answer.json()
    return found


async def _redriven(client: httpx.AsyncClient, redrive: Json) -> Json:
    answer: Json = (await client.get(f"/dead-letters/redrives/{redrive['redrive']['redrive_id']}")).json()
    return answer


async def _shown(client: httpx.AsyncClient, letter_id: str) -> Json:
    answer: Json = (await client.get(f"/dead-letters/{letter_id}")).json()
    return answer


async def _sent(scheduler: Service) -> list[Letter]:
    """Return what left for consumers, the oldest first, as it will come to them."""
    async with scheduler.unit_of_work.reading() as connection:
        rows = await connection.execute(
            sa.text("SELECT topic, key, value, headers FROM outbox WHERE headers ? 'replay-for' ORDER BY id")
        )
        return [Letter(row.topic, 0, 1_000, row.key, row.value, row.headers) for row in rows]


async def _settle(scheduler: Service, *letters: Letter) -> None:
    """Say that these were processed by whom they were for."""
    for letter in letters:
        row = settlement(letter, consumer=letter.headers["replay-for"])
        await record(scheduler, Letter(row.topic, 0, 0, row.key, row.value, row.headers))


async def _refuse(scheduler: Service, letter: Letter, **origin: str) -> None:
    """Say that it could not be processed again."""
    said: Mapping[str, str] = {"dlq-consumer": "risk.store_books", "dlq-attempts": "2", "dlq-reason": "ValueError"}
    headers = {**letter.headers, **said, "dlq-topic": letter.topic, "dlq-offset": "1000", **origin}
    await record(scheduler, Letter(f"{letter.topic}.dlq", 0, 5, letter.key, letter.value, headers))


async def _advance(scheduler: Service) -> None:
    async with scheduler.unit_of_work() as uow:
        await advance_redrives(uow)


async def test_message_is_sent_again_as_it_was_for_its_one_consumer(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    await record(scheduler, make_letter(make_run().run_id, origin={"ce_id": "as it was"}))
    (letter_id,) = await _ids(client)

    begun = await _redrive(client, letter_ids=[letter_id])

    (sent,) = await _sent(scheduler)
    assert (sent.topic, sent.key, sent.value) == ("portfolios.valued", "key", b"{nope")
    assert {name: value for name, value in sent.headers.items() if name != "replay-id"} == {
        "ce_id": "as it was",
        "ce_subject": sent.headers["ce_subject"],
        "replay-for": "risk.store_books",
    }
    assert begun["redrive"]["counts"]["sent"] == 1
    assert (await _shown(client, letter_id))["status"] == "redriving"


async def test_letter_is_settled_when_its_consumer_says_so_and_who_wanted_it_is_kept(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    await record(scheduler, make_letter(make_run().run_id))
    (letter_id,) = await _ids(client)
    begun = await _redrive(client, letter_ids=[letter_id])

    await _settle(scheduler, *await _sent(scheduler) * 2)

    ended = await _redriven(client, begun)
    assert (ended["counts"]["settled"], ended["finished_at"] is not None) == (1, True)
    shown = await _shown(client, letter_id)
    assert (shown["status"], shown["redrives"]) == ("settled", 1)
    (attempt,) = shown["attempted"]
    assert [attempt[name] for name in ("requested_by", "why", "status")] == ["me", "repaired", "settled"]
    assert await _ids(client) == []


async def test_letter_that_fails_again_waits_again_under_its_id_with_what_was_said_last(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    await record(scheduler, make_letter(make_run().run_id))
    (letter_id,) = await _ids(client)
    await _redrive(client, letter_ids=[letter_id])
    (sent,) = await _sent(scheduler)

    for _ in range(2):
        await _refuse(scheduler, sent)

    assert await _ids(client) == [letter_id]
    shown = await _shown(client, letter_id)
    assert [shown[name] for name in ("status", "attempts", "reason")] == ["waiting", 5, "ValueError"]
    assert shown["attempted"][0]["status"] == "failed"
    # Of the first sending nobody waits to hear any more.
    await _redrive(client, letter_ids=[letter_id])
    await _settle(scheduler, sent)
    assert (await _shown(client, letter_id))["status"] == "redriving"


async def test_letter_that_fails_again_and_again_is_left_alone_unless_somebody_insists(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    await record(scheduler, make_letter(make_run().run_id))
    (letter_id,) = await _ids(client)
    for _ in range(3):
        await _redrive(client, letter_ids=[letter_id])
        await _refuse(scheduler, (await _sent(scheduler))[-1])

    refused = await client.post("/dead-letters/redrives", json={"letter_ids": [letter_id]})

    assert refused.status_code == 409
    assert refused.json()["errors"] == [{"field": letter_id, "reason": "it was redriven 3 times"}]
    assert (await _redrive(client, letter_ids=[letter_id], again=True))["redrive"]["counts"]["sent"] == 1


async def test_letter_in_hand_is_redriven_once_whoever_asks(client: httpx.AsyncClient, scheduler: Service) -> None:
    await record(scheduler, make_letter(make_run().run_id, offset=1), make_letter(make_run().run_id, offset=2))
    second, first = await _ids(client)
    await _redrive(client, letter_ids=[first])

    other = await _redrive(client, letter_ids=[first, second])

    assert other["left_out"] == [{"letter_id": first, "why": "it is redriving"}]
    assert len(await _sent(scheduler)) == 2


async def test_redrive_with_the_key_of_one_is_that_one(client: httpx.AsyncClient, scheduler: Service) -> None:
    await record(scheduler, make_letter(make_run().run_id))
    body, key = {"letter_ids": await _ids(client)}, {"Idempotency-Key": str(uuid4())}

    first = await client.post("/dead-letters/redrives", json=body, headers=key)
    again = await client.post("/dead-letters/redrives", json=body, headers=key)

    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json(), first.headers["location"]) == (again.json(), again.headers["location"])
    assert len(await _sent(scheduler)) == 1


async def test_letters_of_a_cause_go_in_batches_each_when_the_one_before_is_through(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    """Whatever dies between two batches, the next one to look goes on behind the last that was sent."""
    run_id, many = make_run().run_id, 2 * BATCH + 5
    await record(scheduler, *(make_letter(run_id, offset=offset) for offset in range(many)))
    await record(scheduler, make_letter(run_id, offset=many, origin={"dlq-reason": "InvalidEvent"}))

    begun = await _redrive(client, reason="KeyError")
    first = await _sent(scheduler)
    await _advance(scheduler)
    assert len(await _sent(scheduler)) == len(first) == BATCH
    await _settle(scheduler, *first)
    second = (await _sent(scheduler))[BATCH:]
    assert len(second) == BATCH
    await _settle(scheduler, *second, *(await _sent(scheduler))[2 * BATCH :])
    await _settle(scheduler, *(await _sent(scheduler))[2 * BATCH :])

    sent = [letter.headers["replay-id"] for letter in await _sent(scheduler)]
    assert len(sent) == len(set(sent)) == many
    assert (await _redriven(client, begun))["counts"]["settled"] == many
    assert len(await _ids(client)) == 1


async def _friday_without(scheduler: Service, *, status: RunStatus = RunStatus.COMPLETED_WITH_ERRORS) -> Run:
    """A run over one book of two symbols, whose portfolio failed."""
    await fold(scheduler, opened(make_run(kind=RunKind.ONBOARDING), MINE, "mine", "AAPL", "MSFT"))
    run = make_run(first_session=FRIDAY, last_session=FRIDAY, symbols=("AAPL", "MSFT"))
    failed = assessed(run).model_copy(update={"failures": valued(run, failed=(MINE,)).failures})
    tables = [table(kind, run, "AAPL", "MSFT") for kind in (SymbolsFactored, SymbolsMeasured)]
    await fold(scheduler, prices(run, "AAPL", "MSFT"), *tables, valued(run, failed=(MINE,)), failed)
    for other in await _active(scheduler):
        if other.kind is RunKind.ONBOARDING:
            await _finish(scheduler, other.run_id, RunStatus.COMPLETED)
    if status is not RunStatus.ACTIVE:
        await _finish(scheduler, run.run_id, status)
    return run


async def _finish(scheduler: Service, run_id: UUID, status: RunStatus) -> None:
    async with scheduler.unit_of_work() as uow:
        await SchedulerRepository(uow.connection).finish_run(run_id, status)


def _of_work(run: Run, offset: int, topic: str = "portfolio.due") -> Letter:
    origin = {"dlq-topic": topic, "dlq-consumer": "portfolio.value_portfolios", REPORTED_HEADER: "yes"}
    return make_letter(run.run_id, offset=offset, origin=origin)


def _of_facts(run: Run, offset: int) -> Letter:
    origin = {"dlq-topic": "prices.updated", "dlq-consumer": "portfolio.store_prices", REPORTED_HEADER: "yes"}
    message = prices(run, "MSFT").model_dump_json().encode()
    return make_letter(run.run_id, offset=offset, value=message, origin=origin)


async def _active(scheduler: Service) -> list[Run]:
    async with scheduler.unit_of_work.reading() as connection:
        return [stored.run for stored in await SchedulerRepository(connection).list_active_runs(FRIDAY, FRIDAY)]


async def test_work_that_its_run_counts_as_failed_is_done_by_one_run_for_all_its_letters(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    run = await _friday_without(scheduler)
    await record(scheduler, _of_work(run, 1), _of_work(run, 2, "batch.triggered"))

    begun = await _redrive(client, run_id=str(run.run_id))

    (opened_run,) = await _active(scheduler)
    assert (opened_run.symbols, opened_run.portfolio_ids) == ((), (MINE,))
    assert await _sent(scheduler) == []
    assert begun["redrive"]["run_ids"] == [str(opened_run.run_id)]
    assert begun["redrive"]["counts"]["computing"] == 2
    await _finish(scheduler, opened_run.run_id, RunStatus.COMPLETED)
    await _advance(scheduler)
    assert (await _redriven(client, begun))["counts"]["settled"] == 2


async def test_fact_is_stored_again_before_the_run_over_whom_it_names(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    run = await _friday_without(scheduler)
    await record(scheduler, _of_work(run, 1), _of_facts(run, 2))

    await _redrive(client, run_id=str(run.run_id))

    (sent,) = await _sent(scheduler)
    assert (sent.topic, sent.headers["replay-for"]) == ("prices.updated", "portfolio.store_prices")
    assert await _active(scheduler) == []
    await _settle(scheduler, sent)
    (opened_run,) = await _active(scheduler)
    assert (opened_run.symbols, opened_run.portfolio_ids) == (("MSFT",), (MINE,))


async def test_letters_of_a_run_under_way_wait_for_its_end(client: httpx.AsyncClient, scheduler: Service) -> None:
    run = await _friday_without(scheduler, status=RunStatus.ACTIVE)
    await record(scheduler, _of_work(run, 1))

    begun = await _redrive(client, run_id=str(run.run_id))
    assert begun["redrive"]["counts"]["queued"] == 1
    await _finish(scheduler, run.run_id, RunStatus.COMPLETED_WITH_ERRORS)
    await _advance(scheduler)

    assert (await _redriven(client, begun))["counts"]["computing"] == 1


async def test_letters_whose_run_was_cancelled_wait_again(client: httpx.AsyncClient, scheduler: Service) -> None:
    run = await _friday_without(scheduler)
    await record(scheduler, _of_work(run, 1))
    begun = await _redrive(client, run_id=str(run.run_id))

    await client.post(f"/runs/{begun['redrive']['run_ids'][0]}/cancel", json={})
    await _advance(scheduler)

    assert (await _redriven(client, begun))["counts"]["failed"] == 1
    assert len(await _ids(client)) == 1


async def test_letter_of_the_run_that_makes_others_good_counts_on_from_them(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    """Else what fails for ever is redriven for ever, each time as a letter of another run."""
    run = await _friday_without(scheduler)
    await record(scheduler, _of_work(run, 1))
    begun = await _redrive(client, run_id=str(run.run_id))
    again = run.model_copy(update={"run_id": UUID(begun["redrive"]["run_ids"][0])})

    await record(scheduler, _of_work(again, 7))

    (letter_id,) = await _ids(client, run_id=again.run_id)
    assert (await _shown(client, letter_id))["redrives"] == 1


async def test_dry_run_says_what_would_be_done_and_does_nothing(client: httpx.AsyncClient, scheduler: Service) -> None:
    run = await _friday_without(scheduler)
    await record(scheduler, _of_work(run, 1), _of_facts(run, 2), make_letter(make_run().run_id, offset=3))
    ids = await _ids(client)

    answer = await client.post("/dead-letters/redrives", json={"letter_ids": ids, "dry_run": True})

    assert answer.status_code == 200
    plan = answer.json()["plan"]
    assert plan["messages"] == [
        {"topic": "prices.updated", "consumer": "portfolio.store_prices", "messages": 1},
        {"topic": "portfolios.valued", "consumer": "risk.store_books", "messages": 1},
    ]
    (planned,) = plan["first_runs"]
    assert [planned[name] for name in ("run_id", "letters", "symbols", "portfolios")] == [str(run.run_id), 2, 1, 1]
    assert await _ids(client, status="waiting") == ids
    assert await _sent(scheduler) == []


async def test_letter_dropped_while_it_is_redriven_holds_nothing_up(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    """Its consumer may be one that no version has any more."""
    await record(scheduler, make_letter(make_run().run_id))
    (letter_id,) = await _ids(client)
    begun = await _redrive(client, letter_ids=[letter_id])

    await client.post(f"/dead-letters/{letter_id}/drop", json={"why": "nobody listens"})

    ended = await _redriven(client, begun)
    assert (ended["counts"]["dropped"], ended["finished_at"] is not None) == (1, True)
    await _settle(scheduler, *await _sent(scheduler))
    assert (await _shown(client, letter_id))["status"] == "dropped"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"letter_ids": [str(uuid4())], "reason": "KeyError"}, 422),
        ({"letter_ids": []}, 422),
        ({"letter_ids": [str(uuid4())]}, 404),
        ({"reason": "NobodyRaisesThis"}, 409),
    ],
)
async def test_redrive_of_nothing_is_refused(client: httpx.AsyncClient, body: Json, status: int) -> None:
    answer = await client.post("/dead-letters/redrives", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_message_that_was_sent_from_elsewhere_and_failed_is_a_letter_of_its_own(
    client: httpx.AsyncClient, scheduler: Service
) -> None:
    letter = make_letter(make_run().run_id)
    row = sent_again(letter, consumer="risk.store_books", replay_id=uuid4())
    await _refuse(scheduler, Letter("portfolios.valued", 0, 4, row.key, row.value, row.headers))
    await _settle(scheduler, Letter("portfolios.valued", 0, 4, row.key, row.value, row.headers))
    assert len(await _ids(client)) == 1
