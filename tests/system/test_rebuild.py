"""A service's tables filled anew from what it was told, while the platform runs."""

from collections.abc import AsyncIterator
from datetime import date

import pytest

from services.market_data.settings import MarketDataSettings
from services.ops.errors import CommandError
from services.ops.hosting.changes import changes
from services.ops.hosting.rebuild import Rebuild
from services.ops.hosting.rebuilding import fill_and_promote
from services.ops.tables import TABLES
from shared.factor_set import SAMPLE_FACTOR_SET
from shared.settings import CommonSettings
from tests.support.platform import Platform, running_platform
from tests.support.stack import Servers

pytestmark = pytest.mark.slow

OPENED, ONBOARDED, NIGHTS = date(2022, 12, 1), date(2022, 12, 20), (date(2022, 12, 27), date(2022, 12, 28))
HEADER = "Symbol,Quantity,Entry Price Per Share,Entry Date,Investment Class\n"
WHEN_WRITTEN = "ARRAY['known_at', 'run_id', 'revision', 'prices_seen_below']"
BOOKS = {
    "long": ("AAPL,100,140,2022-11-01,", "JNJ,50,170,2022-12-05,"),
    "short": ("XOM,-50,110,2022-12-05,", "KO,20,60,2022-11-01,"),
}


@pytest.fixture(scope="module")
async def platform(own_servers: Servers) -> AsyncIterator[Platform]:
    """Two books, onboarded, and a night over each of two sessions."""
    async with running_platform(own_servers, MarketDataSettings(providers=("sample",))) as running:
        for name, rows in BOOKS.items():
            await onboard(running, name, rows)
        for night in NIGHTS:
            await running.api.run(kind="nightly", last_session=str(night))
        yield running


async def onboard(platform: Platform, name: str, rows: tuple[str, ...]) -> None:
    csv = HEADER + "\n".join(rows)
    terms = {"opening_equity": "100000.00", "opened_on": str(OPENED), "as_of": str(ONBOARDED)}
    entered = await platform.api.import_portfolio(name, csv, **terms)
    await platform.api.ended(entered["run_id"])


def common(platform: Platform) -> CommonSettings:
    return platform.database.common.model_copy(update={"factor_set": SAMPLE_FACTOR_SET})


async def newest(platform: Platform, service: str) -> dict[str, list[str]]:
    """Return every number of the newest results, by table; what says when a row was written is left out."""
    found = {}
    for results in TABLES[service].results:
        key = ", ".join(results.key)
        joined = f"JOIN (SELECT {key}, max(revision) AS revision FROM {service}.{results.head} GROUP BY {key}) n"
        for table in results.row_keys:
            query = f"SELECT (to_jsonb(t) - {WHEN_WRITTEN})::text AS row FROM {service}.{results.told(table)} t"
            if results.revised:
                query += f" {joined} USING ({key}, revision)"
            found[table] = sorted(row["row"] for row in await platform.fetch(query))
    return found


async def revisions(platform: Platform, service: str) -> int:
    heads = [results.head for results in TABLES[service].results]
    return sum([(await platform.fetch(f"SELECT count(*) FROM {service}.{head}"))[0][0] for head in heads])


async def source_of(platform: Platform, service: str) -> dict[str, list[str]]:
    """Return what no event brings, by table."""
    return {
        table: sorted(row[0] for row in await platform.fetch(f"SELECT t::text FROM {service}.{table} t"))
        for table in TABLES[service].source
    }


@pytest.mark.parametrize("service", ["symbol_analytics", "portfolio", "risk"])
async def test_filled_anew_beside_there_is_no_difference_and_nothing_is_written(
    platform: Platform, service: str
) -> None:
    rebuild = Rebuild(common(platform), service)
    before, count = await newest(platform, service), await revisions(platform, service)
    source = await source_of(platform, service)
    assert all(before.values())

    work = await rebuild.fill()
    assert (work.refused, work.fed > 0) == (0, True)
    assert await rebuild.differences() == []
    await rebuild.promote()

    assert await newest(platform, service) == before
    assert await revisions(platform, service) == count
    assert await source_of(platform, service) == source


@pytest.mark.parametrize("service", ["symbol_analytics", "portfolio", "risk"])
async def test_tables_that_were_lost_are_what_they_were(platform: Platform, service: str) -> None:
    before = await newest(platform, service)
    lost = ", ".join(f"{service}.{table}" for table in TABLES[service].derived)
    await platform.fetch(f"TRUNCATE {lost} CASCADE")

    await fill_and_promote(common(platform), service, nights=None, beside=False)

    assert await newest(platform, service) == before
    # The platform goes on from there, with prices whose symbols have other numbers now.
    run = await platform.api.run(kind="on_demand", first_session=str(NIGHTS[0]), last_session=str(NIGHTS[1]))
    assert run["status"] == "completed"
    assert await newest(platform, service) == before


async def test_beside_takes_in_what_comes_while_it_is_looked_at(platform: Platform) -> None:
    rebuild = Rebuild(common(platform), "portfolio")
    await rebuild.fill()
    await onboard(platform, "late", ("MSFT,10,240,2022-12-01,",))
    before = await newest(platform, "portfolio")

    await rebuild.promote()

    assert await newest(platform, "portfolio") == before
    run = await platform.api.run(kind="nightly", last_session=str(NIGHTS[1]))
    assert run["status"] == "completed"


async def test_changed_constant_differs_in_its_numbers_only_and_is_taken_over_as_revisions(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, count = await newest(platform, "risk"), await revisions(platform, "risk")
    rebuild = Rebuild(common(platform), "risk")
    with monkeypatch.context() as patched:
        # Doubled, it is divided out of the effective number of positions without a rounding.
        patched.setattr("services.risk.core.concentration.HHI_SCALE", 20_000.0)
        await rebuild.fill(nights=2)

    found = changes("risk", await rebuild.differences())

    query = "SELECT DISTINCT portfolio_id::text, as_of::text FROM risk.assessments WHERE as_of >= $1"
    assessed = {tuple(row) for row in await platform.fetch(query, NIGHTS[0])}
    assert {(change.table, change.number) for change in found} == {("portfolio_measures", "values[hhi]")}
    assert {(change.subject, change.session) for change in found} == assessed
    assert [change.by for change in found] == [change.live for change in found]
    assert await newest(platform, "risk") == before

    await rebuild.promote()

    assert await revisions(platform, "risk") == count + len(assessed)
    again = Rebuild(common(platform), "risk")
    await again.fill(nights=2)
    undone = changes("risk", await again.differences())
    assert [(change.live, change.beside) for change in undone] == [(change.beside, change.live) for change in found]
    await again.discard()


async def test_nights_of_books_go_on_from_the_session_before(platform: Platform) -> None:
    rebuild = Rebuild(common(platform), "portfolio")

    work = await rebuild.fill(nights=1)

    assert work.fed > 0
    assert await rebuild.differences() == []
    await rebuild.discard()
    with pytest.raises(CommandError, match="nothing is beside portfolio"):
        await rebuild.discard()


async def test_service_that_computes_nothing_from_events_is_refused(platform: Platform) -> None:
    with pytest.raises(CommandError, match="market_data computes nothing from events"):
        await Rebuild(common(platform), "market_data").fill()
