import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.bulk import Replacing, append_revisions, copy_out, upsert
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.errors import TransientError

KEY = ("subject", "as_of")


async def _rows(engine: AsyncEngine, query: str) -> list[tuple[Any, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(sa.text(query))]


async def _upsert(unit_of_work: UnitOfWorkFactory, columns: dict[str, Any], **options: Any) -> int:
    async with unit_of_work() as uow:
        return await upsert(uow.connection, "measures", columns, key=KEY, **options)


def _measures(subject: str, values: Sequence[float | None]) -> dict[str, Any]:
    return {"subject": [subject] * len(values), "as_of": np.arange(len(values)), "value": values}


async def test_upsert_of_unchanged_rows_leaves_them_untouched(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    columns = _measures("same", [1.0, None, 3.0])
    query = "SELECT as_of, value, xmin::text FROM measures WHERE subject = 'same' ORDER BY as_of"
    assert await _upsert(unit_of_work, columns) == 3
    before = await _rows(engine, query)

    assert await _upsert(unit_of_work, columns) == 0

    assert await _rows(engine, query) == before
    assert [row[:2] for row in before] == [(0, 1.0), (1, None), (2, 3.0)]


async def test_upsert_replaces_only_the_rows_that_differ(unit_of_work: UnitOfWorkFactory, engine: AsyncEngine) -> None:
    query = "SELECT as_of, value, xmin::text FROM measures WHERE subject = 'some' ORDER BY as_of"
    await _upsert(unit_of_work, _measures("some", [1.0, 2.0, None]))
    before = await _rows(engine, query)

    assert await _upsert(unit_of_work, _measures("some", [1.0, 2.5, 3.0, 4.0])) == 3

    after = await _rows(engine, query)
    assert [row[:2] for row in after] == [(0, 1.0), (1, 2.5), (2, 3.0), (3, 4.0)]
    assert [old[2] == new[2] for old, new in zip(before, after, strict=False)] == [True, False, False]


async def test_upsert_compares_the_named_columns_and_touches_what_it_is_told(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    comparing = Replacing(compare=("value",))
    touching = Replacing(touch={"note": "'replaced'"})
    query = "SELECT value, note FROM measures WHERE subject = 'compared'"
    await _upsert(unit_of_work, {**_measures("compared", [1.0]), "note": ["first"]}, replacing=comparing)
    assert await _upsert(unit_of_work, {**_measures("compared", [1.0]), "note": ["again"]}, replacing=comparing) == 0
    assert await _rows(engine, query) == [(1.0, "first")]

    await _upsert(unit_of_work, _measures("compared", [2.0]), replacing=touching)

    assert await _rows(engine, query) == [(2.0, "replaced")]


async def test_upsert_replaces_no_row_by_an_older_one(unit_of_work: UnitOfWorkFactory, engine: AsyncEngine) -> None:
    query = "SELECT value, note FROM measures WHERE subject = 'ordered'"
    newest = Replacing(position="note")

    written = [
        await _upsert(unit_of_work, {**_measures("ordered", [value]), "note": [position]}, replacing=newest)
        for value, position in ((1.0, "2"), (2.0, "1"), (1.0, "3"), (2.0, "2"), (1.0, "3"), (4.0, "3"))
    ]

    # That the third says the same as the first must not let the fourth, which is older, take its place.
    assert written == [1, 0, 1, 0, 0, 1]
    assert await _rows(engine, query) == [(4.0, "3")]


async def test_upsert_twice_in_one_transaction_uses_only_its_own_rows(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    async with unit_of_work() as uow:
        assert await upsert(uow.connection, "measures", _measures("first", [1.0]), key=KEY) == 1
        assert await upsert(uow.connection, "measures", _measures("second", [1.0, 2.0]), key=KEY) == 2
        assert await upsert(uow.connection, "measures", _measures("third", []), key=KEY) == 0


async def test_types_of_columns_are_asked_for_once_a_connection(
    unit_of_work: UnitOfWorkFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, prepared = asyncpg.Connection.prepare, []

    async def noted(connection: Any, query: str, **options: Any) -> Any:
        prepared.append(query)
        return await prepare(connection, query, **options)

    monkeypatch.setattr(asyncpg.Connection, "prepare", noted)
    async with unit_of_work() as uow:
        (await uow.connection.get_raw_connection()).info.pop("kinds of columns", None)
        for value in range(3):
            await upsert(uow.connection, "measures", _measures("typed", [float(value)]), key=KEY)

    assert [query for query in prepared if "FROM staging_measures" in query and "INSERT" not in query] == [
        "SELECT subject, as_of, value FROM staging_measures"
    ]


async def test_upsert_rolled_back_leaves_nothing_for_the_next_user_of_the_connection(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    async def fail() -> None:
        async with unit_of_work() as uow:
            await upsert(uow.connection, "measures", _measures("undone", [1.0]), key=KEY)
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        await fail()
    await _upsert(unit_of_work, _measures("kept", [1.0]))

    query = "SELECT subject FROM measures WHERE subject IN ('undone', 'kept')"
    assert await _rows(engine, query) == [("kept",)]


async def test_upsert_by_many_writers_in_opposite_orders_does_not_deadlock(unit_of_work: UnitOfWorkFactory) -> None:
    forward = _measures("contended", [float(value) for value in range(200)])
    backward = {name: list(reversed(list(values))) for name, values in forward.items()}

    written = await asyncio.gather(
        *(_upsert(unit_of_work, columns) for columns in (forward, backward, forward, backward))
    )

    assert sum(written) == 200


async def _append(unit_of_work: UnitOfWorkFactory, digests: list[str]) -> int:
    columns: dict[str, Any] = {
        "subject": ["revised"] * len(digests),
        "as_of": list(range(len(digests))),
        "digest": digests,
        "value": [float(len(digest)) for digest in digests],
    }
    async with unit_of_work() as uow:
        return await append_revisions(uow.connection, "results", columns, key=KEY)


async def test_append_revisions_writes_only_what_has_another_digest(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    assert await _append(unit_of_work, ["a", "b"]) == 2
    assert await _append(unit_of_work, ["a", "b"]) == 0
    assert await _append(unit_of_work, ["a", "changed", "new"]) == 2
    assert await _append(unit_of_work, ["a", "b"]) == 1

    query = "SELECT as_of, revision, digest FROM results WHERE subject = 'revised' ORDER BY as_of, revision"
    assert await _rows(engine, query) == [
        (0, 1, "a"),
        (1, 1, "b"),
        (1, 2, "changed"),
        (1, 3, "b"),
        (2, 1, "new"),
    ]


async def test_append_revisions_at_once_never_makes_the_same_revision_twice(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    columns: dict[str, Any] = {"subject": ["raced"], "as_of": [0], "digest": ["same"], "value": [1.0]}

    async def append() -> int:
        async with unit_of_work() as uow:
            return await append_revisions(uow.connection, "results", columns, key=KEY)

    outcomes = await asyncio.gather(*(append() for _ in range(6)), return_exceptions=True)

    # A loser of the race meets the primary key; its message is tried again and then finds the digest unchanged.
    assert [outcome for outcome in outcomes if outcome not in (0, 1) and not isinstance(outcome, TransientError)] == []
    assert outcomes.count(1) == 1
    assert await append() == 0
    assert await _rows(engine, "SELECT revision FROM results WHERE subject = 'raced'") == [(1,)]


async def test_copy_out_returns_the_bits_that_are_stored(unit_of_work: UnitOfWorkFactory, engine: AsyncEngine) -> None:
    values = [0.1, 1 / 3, -0.0, 5e-324, 1.7976931348623157e308]
    await _upsert(unit_of_work, _measures("copied", values))

    query = "SELECT as_of, as_of::bigint * 10000000000 AS big, value FROM measures WHERE subject = 'copied' ORDER BY 1"
    fields = (("as_of", ">i4"), ("big", ">i8"), ("value", ">f8"))
    async with engine.connect() as connection:
        rows = await copy_out(connection, query, fields)
        nothing = await copy_out(connection, f"SELECT * FROM ({query}) q WHERE false", fields)

    assert rows["as_of"].tolist() == [0, 1, 2, 3, 4]
    assert rows["big"].tolist() == [index * 10_000_000_000 for index in range(5)]
    assert rows["value"].astype(float).tobytes() == np.array(values).tobytes()
    assert len(nothing) == 0
