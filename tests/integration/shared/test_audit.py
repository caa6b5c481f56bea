"""Who did what over HTTP: noted with what was done, and nobody changes it unseen."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest

from services.ops.errors import CommandError, Misused
from services.ops.hosting.auditing import seen_rows, show_actions, verify_actions
from services.portfolio.main import build
from services.scheduler.main import build as build_scheduler
from shared.db.audit import AUDITED, Noted
from shared.paths import API
from shared.principal import Principal, Role
from shared.service import build_app
from shared.sign_ins import ROUTE, Told
from tests.integration.conftest import MakeServiceDatabase
from tests.integration.portfolio.conftest import WEEK, new_name
from tests.support.databases import OPERATOR_TOKEN, ServiceDatabase
from tests.support.people import SESSION_KEY, SESSIONS, STATEMENTS, signed_in

FRIDAY = WEEK[-1]
OPERATOR = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
OLGA = signed_in(Principal("olga", Role.OPERATOR))


@pytest.fixture(scope="module")
async def database(service_database: MakeServiceDatabase) -> ServiceDatabase:
    return await service_database(*AUDITED)


@pytest.fixture(scope="module")
async def client(database: ServiceDatabase) -> AsyncIterator[httpx.AsyncClient]:
    common = database.common.model_copy(update={"session_key": SESSION_KEY})
    service = build(common)
    transport = httpx.ASGITransport(build_app([service], common, title="portfolio"), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://portfolio{API}") as connected:
        yield connected
    await service.engine.dispose()


@pytest.fixture(scope="module")
async def keeper(database: ServiceDatabase) -> AsyncIterator[httpx.AsyncClient]:
    """Whoever speaks to the service that keeps sign-ins."""
    common = database.common.model_copy(update={"session_key": SESSION_KEY})
    service = build_scheduler(common)
    transport = httpx.ASGITransport(build_app([service], common, title="scheduler"), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://scheduler{API}") as connected:
        yield connected
    await service.engine.dispose()


@pytest.fixture
async def rows(database: ServiceDatabase) -> AsyncIterator[asyncpg.Connection]:
    """The administrator of the database, who can do what nobody should."""
    connection = await asyncpg.connect(database.admin_url)
    await connection.execute("SET search_path TO portfolio")
    yield connection
    await connection.close()


def _portfolio(name: str) -> dict[str, Any]:
    return {"name": name, "opening_equity": "100.00", "opened_on": str(FRIDAY), "as_of": str(FRIDAY)}


async def _noted(rows: asyncpg.Connection, behind: int) -> list[tuple[str, ...]]:
    found = await rows.fetch(
        "SELECT principal, role, action, target, outcome FROM audit WHERE place > $1 ORDER BY place", behind
    )
    return [tuple(row) for row in found]


async def _last(rows: asyncpg.Connection) -> int:
    return int(await rows.fetchval("SELECT coalesce(max(place), 0) FROM audit"))


async def test_what_was_done_tried_or_refused_is_noted_once_and_what_is_read_is_not(
    client: httpx.AsyncClient, rows: asyncpg.Connection
) -> None:
    before, name = await _last(rows), new_name("audited ")
    made = await client.post("/portfolios", json=_portfolio(name), headers=OPERATOR)
    path = f"/portfolios/{made.json()['portfolio_id']}"
    await client.patch(path, json={"name": f"{name} again"}, params={"as_of": str(FRIDAY)}, headers=OLGA)
    await client.post("/portfolios/dry-run", json=_portfolio(new_name("tried ")), headers=OLGA)
    taken = await client.post("/portfolios", json=_portfolio(f"{name} again"), headers=OLGA)
    wrong = await client.post("/portfolios", json={"name": 1}, headers=OLGA)
    absent = await client.post(f"/portfolios/{'0' * 8}-0000-0000-0000-{'0' * 12}/close", headers=OLGA)
    await client.get("/portfolios", headers=OLGA)
    await client.post("/portfolios", json=_portfolio(new_name()), headers={"Authorization": "Bearer another"})

    assert [made.status_code, taken.status_code, wrong.status_code, absent.status_code] == [201, 409, 422, 404]
    token, olga = ("operator token", "operator"), ("olga", "operator")
    assert await _noted(rows, before) == [
        (*token, "POST /portfolios", f"{API}/portfolios", "done"),
        (*olga, "PATCH /portfolios/{portfolio_id}", f"{API}{path}", "done"),
        (*olga, "POST /portfolios/dry-run", f"{API}/portfolios/dry-run", "done"),
        (*olga, "POST /portfolios", f"{API}/portfolios", "refused: NameTaken"),
        (*olga, "POST /portfolios", f"{API}/portfolios", "refused: RequestValidationError"),
        (*olga, "POST /portfolios/{portfolio_id}/close", absent.request.url.path, "refused: UnknownPortfolio"),
    ]
    (edit,) = (await client.get(f"{path}/edits", headers=OPERATOR)).json()["items"]
    assert edit["edited_by"] == "olga"


async def test_action_is_kept_with_what_it_did_or_neither(client: httpx.AsyncClient, rows: asyncpg.Connection) -> None:
    name = new_name("kept ")
    await rows.execute("ALTER TABLE audit ADD CONSTRAINT is_full CHECK (false) NOT VALID")
    try:
        answer = await client.post("/portfolios", json=_portfolio(name), headers=OPERATOR)
    finally:
        await rows.execute("ALTER TABLE audit DROP CONSTRAINT is_full")
    assert answer.status_code == 500
    assert await rows.fetchval("SELECT count(*) FROM portfolios WHERE name = $1", name) == 0


@pytest.mark.parametrize("change", ["UPDATE audit SET principal = 'x'", "DELETE FROM audit", "TRUNCATE audit"])
async def test_rows_are_only_appended(database: ServiceDatabase, change: str) -> None:
    connection = await asyncpg.connect(database.url("portfolio").get_secret_value())
    try:
        with pytest.raises(asyncpg.RaiseError, match="rows of audit are only ever appended"):
            await connection.execute(f"SET search_path TO portfolio; {change}")
    finally:
        await connection.close()


SIGN_INS = (
    Told("sign in", "ada", "owner", "192.0.2.7"),
    Told("sign in", "nobody", "anyone", "192.0.2.8", "refused: the name"),
    Told("sign out", "ada", "owner", "192.0.2.7"),
    Told("session ended", "olga", "operator", "192.0.2.9"),
)


async def test_sign_ins_are_kept_in_the_chain_as_pages_tell_them_and_as_nobody_else_does(
    database: ServiceDatabase, keeper: httpx.AsyncClient, rows: asyncpg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    await rows.execute("SET search_path TO scheduler")
    # What a program has done goes before: one chain for all of it.
    await keeper.post("/schedule/resume", json={"requested_by": "x"}, headers=OPERATOR)
    before = await _last(rows)
    assert before == 1
    told = [STATEMENTS.make(each, at=datetime.now(UTC)) for each in SIGN_INS]
    session = SESSIONS.issue(Principal("root", Role.ADMIN), at=datetime.now(UTC))
    for statement in (*told, "nothing", session):
        answer = await keeper.post(ROUTE, json={"statement": statement})
        assert answer.status_code == (204 if statement in told else 422), answer.text
    kept = [(each.name, each.role, each.what, each.address, each.outcome) for each in SIGN_INS]
    assert await _noted(rows, before) == kept
    await verify_actions(database.common, {})
    assert f"scheduler: {before + len(kept)} actions hold" in capsys.readouterr().out
    await rows.execute("ALTER TABLE audit DISABLE TRIGGER only_appended")
    await rows.execute("UPDATE audit SET target = '192.0.2.1' WHERE place = $1", before + 2)
    with pytest.raises(CommandError, match=f"scheduler: row {before + 2} is not what was appended"):
        await verify_actions(database.common, {})
    await rows.execute("UPDATE audit SET target = '192.0.2.8' WHERE place = $1", before + 2)
    await rows.execute("ALTER TABLE audit ENABLE TRIGGER only_appended")


CHANGES = {
    "changed": ("UPDATE audit SET principal = 'x' WHERE place = 2", "row 2 is not what was appended"),
    "removed": ("DELETE FROM audit WHERE place = 2", "row 2 is missing: the next one is 3"),
    "first-removed": ("DELETE FROM audit WHERE place = 1", "row 1 is missing: the next one is 2"),
    "reordered": (
        "UPDATE audit SET place = -1 WHERE place = 2; UPDATE audit SET place = 2 WHERE place = 3; "
        "UPDATE audit SET place = 3 WHERE place = -1",
        "row 2 is not what was appended",
    ),
    "closed-up": (
        "DELETE FROM audit WHERE place = 2; UPDATE audit SET place = place - 1 WHERE place > 2",
        "row 2 is not what was appended",
    ),
    "cut-off": ("DELETE FROM audit WHERE place > 3", "row 4 is missing, as is what was behind it"),
}


async def _forge(rows: asyncpg.Connection, *, last: int) -> None:
    """Change row 2, and give the rows from it to `last` the hashes that they would have behind it."""
    kept = [Noted(**row) for row in await rows.fetch(f"SELECT {', '.join(Noted._fields)} FROM audit ORDER BY place")]
    before, (second, *others) = kept[0].hash, kept[1:last]
    for row in (second._replace(principal="x"), *others):
        before = row.hash_behind(before)
        await rows.execute(
            "UPDATE audit SET principal = $2, hash = $3 WHERE place = $1", row.place, row.principal, before
        )


@pytest.mark.parametrize(("last", "found"), [(2, 3), (4, 4)], ids=["one-row", "all-that-was-not-seen"])
async def test_row_whose_hash_is_forged_is_found_by_the_next_one_or_by_who_has_seen_one(
    database: ServiceDatabase, client: httpx.AsyncClient, rows: asyncpg.Connection, last: int, found: int
) -> None:
    while await _last(rows) < 4:
        await client.post("/portfolios/dry-run", json={"name": 1}, headers=OLGA)
    seen = {"portfolio": {4: await rows.fetchval("SELECT hash FROM audit WHERE place = 4")}}
    await rows.execute("CREATE TABLE kept AS SELECT * FROM audit; ALTER TABLE audit DISABLE TRIGGER only_appended")
    try:
        await _forge(rows, last=last)
        with pytest.raises(CommandError, match=f"portfolio: row {found} is not what was appended"):
            await verify_actions(database.common, seen)
    finally:
        await rows.execute("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; DROP TABLE kept")
        await rows.execute("ALTER TABLE audit ENABLE TRIGGER only_appended")
    await verify_actions(database.common, seen)


@pytest.mark.parametrize("kind", CHANGES)
async def test_verification_finds_what_was_done_to_rows(
    database: ServiceDatabase,
    client: httpx.AsyncClient,
    rows: asyncpg.Connection,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    while await _last(rows) < 4:
        await client.post("/portfolios/dry-run", json={"name": 1}, headers=OLGA)
    await verify_actions(database.common, {})
    (said,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("portfolio: ")]
    place = await _last(rows)
    seen = {"portfolio": {4: await rows.fetchval("SELECT hash FROM audit WHERE place = 4")}}
    assert said.startswith(f"portfolio: {place} actions hold, up to ")
    assert f"--seen portfolio:{place}:" in said

    change, why = CHANGES[kind]
    await rows.execute("CREATE TABLE kept AS SELECT * FROM audit; ALTER TABLE audit DISABLE TRIGGER only_appended")
    try:
        await rows.execute(change)
        with pytest.raises(CommandError, match=f"portfolio: {why}"):
            await verify_actions(database.common, seen)
    finally:
        await rows.execute("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; DROP TABLE kept")
        await rows.execute("ALTER TABLE audit ENABLE TRIGGER only_appended")
    await verify_actions(database.common, seen)


async def test_actions_are_listed_with_who_did_them(
    database: ServiceDatabase, client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    await client.post("/portfolios/dry-run", json={"name": 1}, headers=OLGA)
    await show_actions(database.common, limit=1, as_json=False)
    said = capsys.readouterr().out.strip()
    assert said.endswith(
        f"portfolio  olga (operator)  POST /portfolios/dry-run  {API}/portfolios/dry-run  "
        "refused: RequestValidationError"
    )


@pytest.mark.parametrize("text", ["", "portfolio", "portfolio:1", "portfolio:x:hash", "elsewhere:1:hash"])
def test_what_was_never_said_is_refused(text: str) -> None:
    with pytest.raises(Misused, match="--seen must be SERVICE:PLACE:HASH"):
        seen_rows([text])


async def test_administrators_read_it_page_by_page_of_somebody_and_a_time(
    client: httpx.AsyncClient, rows: asyncpg.Connection
) -> None:
    administrator = signed_in(Principal("root", Role.ADMIN))
    for headers in (OPERATOR, OLGA, OLGA, OPERATOR):
        await client.post("/portfolios", json=_portfolio(new_name()), headers=headers)
    stored = await rows.fetch("SELECT place, at, principal FROM audit ORDER BY place DESC")

    async def read(**asked: str) -> list[dict[str, Any]]:
        found, address, query = [], "/audit/portfolio", {"limit": "3", **asked}
        while address:
            answer = await client.get(address, params=query or None, headers=administrator)
            found += answer.raise_for_status().json()["items"]
            query, address = {}, answer.links.get("next", {}).get("url", "").removeprefix(API)
        return found

    assert [each["place"] for each in await read()] == [row["place"] for row in stored]
    assert [each["place"] for each in await read(principal="olga")] == [
        row["place"] for row in stored if row["principal"] == "olga"
    ]
    newest, second = stored[:2]
    since, before = newest["at"].isoformat(), second["at"].isoformat()
    assert [each["place"] for each in await read(since=since)] == [newest["place"]]
    assert [each["place"] for each in await read(before=before)] == [row["place"] for row in stored[2:]]
    assert await read(principal="nobody") == []
    assert {"at", "principal", "role", "action", "target", "outcome", "place"} == (await read())[0].keys()
    # What operators do is not for them to read.
    for headers in (OLGA, OPERATOR, signed_in(Principal("val", Role.VIEWER)), signed_in(Principal("ada", Role.OWNER))):
        assert (await client.get("/audit/portfolio", headers=headers)).status_code == 403
