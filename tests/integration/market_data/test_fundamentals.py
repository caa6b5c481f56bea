"""Statements and profiles from the files to the announcement, on real PostgreSQL."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.market_data.core.statements import GivenStatement, Period, complete_statements
from services.market_data.core.tiers import EVERYTHING, DueTiers
from services.market_data.providers.provider import FetchedProfiles, FetchedStatements, ProviderError
from services.market_data.storage.fundamentals_repository import TABLES, FundamentalsRepository
from services.market_data.updating import companies
from shared.calendar import shift_session
from shared.fundamentals import FREQUENCIES, ITEMS, STATEMENTS
from shared.profile import FACTS, ProfileFacts
from tests.integration.market_data.conftest import NOW, Announced, AskedProvider, World

LAST = date(2022, 12, 28)
TODAY = NOW.date()
QUARTER = date(2022, 9, 30)


class Filings:
    """The files about companies of a world's directory."""

    def __init__(self, world: World, path: Path) -> None:
        self.name = world.name("FILES")
        world.directory.add(world.market, self.name, last=LAST)
        world.directory.write()
        self._world, self._path = world, path

    def profile(self, **facts: Any) -> None:
        """Write the profile of the company."""
        rows = [",".join(["symbol", *facts]), ",".join([self.name, *map(str, facts.values())])]
        (self._path / "profiles.csv").write_text("\n".join(rows) + "\n")

    def statement(self, statement: str = "income", **cells: Any) -> dict[str, Any]:
        """Return a row."""
        about = {"symbol": self.name, "statement": statement, "frequency": "quarterly", "period_end": QUARTER}
        return about | cells

    def write(self, *rows: dict[str, Any]) -> None:
        """Write the statements."""
        columns = list(dict.fromkeys(name for row in rows for name in row))
        lines = [",".join(str(row.get(name, "")) for name in columns) for row in rows]
        (self._path / "fundamentals.csv").write_text("\n".join([",".join(columns), *lines]) + "\n")

    async def run(self, last: date = LAST) -> Announced:
        """Run the company's session."""
        return await self._world.run(self.name, last=last)

    async def stored(self, statement: str = "income") -> list[Any]:
        """Return the rows stored of a statement, oldest revision first."""
        query = f"SELECT * FROM {TABLES[statement]} WHERE symbol = :symbol ORDER BY frequency, period_end, revision"
        return await self._world.rows(query, symbol=self.name)

    async def shown(self, **query: Any) -> list[dict[str, Any]]:
        """Return the periods that are shown over HTTP."""
        answer = await self._world.get(f"/fundamentals/{self.name}", **{"statement": "income"} | query)
        periods: list[dict[str, Any]] = answer["items"]
        return periods


@pytest.fixture
def filings(world: World, tmp_path: Path) -> Filings:
    return Filings(world, tmp_path)


async def test_every_item_of_every_statement_is_stored_announced_and_shown(filings: Filings) -> None:
    values = {
        (statement, frequency): {
            name: -float(place)
            if name in {"capital_expenditures", "purchases_of_investments", "dividends_paid"}
            else float(place) + 0.1
            for place, name in enumerate(ITEMS[statement], start=1)
            if name != "stock_repurchases"
        }
        for statement in STATEMENTS
        for frequency in FREQUENCIES
    }
    filings.write(*(filings.statement(s, frequency=f, currency="USD", **items) for (s, f), items in values.items()))

    announced = await filings.run()

    assert {(s.statement, s.frequency): s.items for s in announced.statements} == values
    assert {(s.symbol, s.revision, s.source, s.currency) for s in announced.statements} == {
        (filings.name, 1, "files", "USD")
    }
    for (statement, frequency), items in values.items():
        (row,) = [row for row in await filings.stored(statement) if row.frequency == frequency]
        assert {name: value for name in ITEMS[statement] if (value := getattr(row, name)) is not None} == items
        (period,) = await filings.shown(statement=statement, frequency=frequency)
        assert period["items"] == dict.fromkeys(ITEMS[statement]) | items
        assert (period["revision"], period["source"], period["derived"]) == (1, "files", [])


async def test_second_run_of_unchanged_statements_asks_nobody_and_writes_nothing(
    world: World, filings: Filings
) -> None:
    filings.profile(next_earnings_date=TODAY + timedelta(days=30))
    filings.write(filings.statement(ebit=5))
    await filings.run()
    before, asked = await filings.stored(), len(world.providers[0].asked_statements)

    again = await filings.run()

    assert (again.statements, await filings.stored()) == ([], before)
    assert len(world.providers[0].asked_statements) == asked
    assert [len(event.statements) for event in again.fundamentals] == [0] * len(again.due)


async def test_statements_that_are_asked_for_again_and_say_the_same_write_nothing(
    world: World, filings: Filings
) -> None:
    filings.write(filings.statement(ebit=5))
    await filings.run()
    before = await filings.stored()
    world.now = NOW + timedelta(days=1)

    again = await filings.run()

    assert world.providers[0].asked_statements.count(filings.name) == 2
    assert (again.statements, await filings.stored()) == ([], before)


async def test_restated_period_is_a_second_revision_and_announced_alone(filings: Filings) -> None:
    calm = filings.statement(period_end=date(2022, 6, 30), ebit=4)
    filings.write(calm, filings.statement(ebit=5, published_on="2022-11-01"))
    await filings.run()
    filings.write(calm, filings.statement(ebit=6, published_on="2022-11-01"))

    announced = await filings.run()

    (restated,) = announced.statements
    assert (restated.period_end, restated.revision, restated.items) == (QUARTER, 2, {"ebit": 6.0})
    assert (restated.published_on, restated.counts_from) == (date(2022, 11, 1), date(2022, 11, 1))
    assert [event.subjects for event in announced.fundamentals if event.statements] == [1]
    rows = [(row.period_end, row.revision, row.ebit) for row in await filings.stored()]
    assert rows == [(date(2022, 6, 30), 1, 4.0), (QUARTER, 1, 5.0), (QUARTER, 2, 6.0)]


async def test_statement_that_goes_back_to_what_it_was_is_a_third_revision(filings: Filings) -> None:
    for ebit in (5, 6, 5):
        filings.write(filings.statement(ebit=ebit))
        await filings.run()

    assert [(row.revision, row.ebit) for row in await filings.stored()] == [(1, 5.0), (2, 6.0), (3, 5.0)]


async def test_restatement_replaces_the_whole_row_and_is_not_mixed_with_the_one_before(filings: Filings) -> None:
    filings.write(filings.statement(total_revenue=10, net_income=1))
    await filings.run()
    filings.write(filings.statement(total_revenue=20))

    (restated,) = (await filings.run()).statements

    assert restated.items == {"total_revenue": 20.0}


async def test_statement_that_another_run_has_written_meanwhile_is_not_written_again(world: World) -> None:
    period = Period(world.name("TWICE"), "income", "quarterly", QUARTER)
    statements = complete_statements([GivenStatement(period, {"ebit": 5.0})])

    written = []
    for _ in range(2):
        async with world.service.unit_of_work() as uow:
            repository = FundamentalsRepository(uow.connection)
            source = {period.symbol: "files"}
            written.append(
                await repository.append_statements(statements, source=source, fetched_at=NOW, run_id=uuid4())
            )

    assert written == [{period: 1}, {}]


async def test_statements_known_at_a_time_are_shown_as_they_were(world: World, filings: Filings) -> None:
    for ebit in (5, 6):
        filings.write(filings.statement(ebit=ebit))
        await filings.run()
    first, second = [row.known_at for row in await filings.stored()]

    seen = [await filings.shown(known_at=moment.isoformat()) for moment in (first, second)]

    assert [[(p["revision"], p["items"]["ebit"]) for p in periods] for periods in seen] == [[(1, 5.0)], [(2, 6.0)]]
    assert await filings.shown(known_at=(first - timedelta(seconds=1)).isoformat()) == []
    assert (await filings.shown())[0]["revision"] == 2


async def test_statements_are_asked_for_three_days_after_the_earnings_though_all_bars_are_stored(
    world: World, filings: Filings
) -> None:
    filings.profile(next_earnings_date=TODAY + timedelta(days=5))
    filings.write(filings.statement(ebit=5))
    asked = []
    for days in range(10):
        world.now = NOW + timedelta(days=days)
        announced = await filings.run()
        asked.append(world.providers[0].asked_statements.count(filings.name))

    assert asked == [1] * 8 + [2] * 2, "the first time, and once from the eighth day on"
    assert [due.fetch_first for due in announced.due] == [None]
    assert len(world.providers[0].asked) == 1


async def test_statements_are_asked_for_after_earnings_that_the_profile_no_longer_names(
    world: World, filings: Filings
) -> None:
    filings.profile(next_earnings_date=TODAY + timedelta(days=5))
    filings.write(filings.statement(ebit=5))
    await filings.run()
    world.now = NOW + timedelta(days=6)
    filings.profile(next_earnings_date=TODAY + timedelta(days=96))
    await filings.run()
    world.now = NOW + timedelta(days=8)

    await filings.run()

    assert world.providers[0].asked_statements.count(filings.name) == 2


async def test_statements_are_asked_for_again_when_their_file_has_changed_and_only_then(
    world: World, filings: Filings
) -> None:
    filings.profile(next_earnings_date=TODAY + timedelta(days=30))
    filings.write(filings.statement(ebit=5))
    await filings.run()
    filings.profile(next_earnings_date=TODAY + timedelta(days=31))
    await filings.run()
    before = world.providers[0].asked_statements.count(filings.name)
    filings.write(filings.statement(ebit=5), filings.statement("balance", inventory=5))

    announced = await filings.run()

    assert (before, world.providers[0].asked_statements.count(filings.name)) == (1, 2)
    assert [statement.statement for statement in announced.statements] == ["balance"]


async def test_unreadable_file_of_statements_fails_its_symbols_and_is_asked_for_again(
    world: World, filings: Filings, tmp_path: Path
) -> None:
    (tmp_path / "fundamentals.csv").write_text("symbol,statement\n")

    failed = await filings.run()
    filings.write(filings.statement(ebit=5))
    healed = await filings.run()

    details = {f.subject: f.detail for event in failed.fundamentals for f in event.failures}
    assert details.keys() == {filings.name, world.market}
    assert "must have a column 'frequency'" in details[filings.name]
    assert failed.failures() == {}, "prices are another matter"
    assert [event.failures for event in healed.fundamentals] == [()] * len(healed.due)
    assert [statement.items for statement in healed.statements] == [{"ebit": 5.0}]


class Overloaded(AskedProvider):
    """A provider that cannot answer about companies for a while."""

    async def fetch_profiles(self, symbols: Sequence[str], tiers: DueTiers = EVERYTHING, /) -> FetchedProfiles:
        raise ProviderError("too many requests")

    async def fetch_statements(self, symbols: Sequence[str]) -> FetchedStatements:
        raise ProviderError("too many requests")


async def test_company_that_a_provider_could_not_answer_about_is_asked_for_again_on_the_same_day(
    world: World, filings: Filings, tmp_path: Path
) -> None:
    filings.profile(sector="Energy")
    filings.write(filings.statement(ebit=5))
    working, world.providers = world.providers, [Overloaded(tmp_path)]

    failed = await filings.run()
    world.providers = working
    healed = await filings.run()

    for events in (failed.profiles, failed.fundamentals):
        assert {f.subject for event in events for f in event.failures} == {filings.name, world.market}
    assert [profile.sector for event in healed.profiles for profile in event.profiles] == ["Energy"]
    assert [statement.items for statement in healed.statements] == [{"ebit": 5.0}]


async def test_bad_rows_are_findings_with_their_lines_and_the_rest_is_stored(world: World, filings: Filings) -> None:
    filings.write(
        filings.statement(ebit=5, capital_expenditures=""),
        filings.statement(period_end="2022-06-31", ebit=5),
        filings.statement(period_end=TODAY + timedelta(days=1), ebit=5),
        filings.statement(period_end="2022-03-31", ebit="NaN", net_income=7),
        filings.statement(ebit=6),
        filings.statement("cash_flow", capital_expenditures=3, free_cash_flow=1),
        filings.statement("equity", ebit=6),
    )

    announced = await filings.run()

    found = await world.items("/findings", symbol=filings.name)
    assert {(entry["file"], entry["line"], entry["rule"], entry["day"]) for entry in found} == {
        ("fundamentals.csv", 3, "UNPARSABLE_DATE", None),
        ("fundamentals.csv", 4, "FUTURE_DATE", str(TODAY + timedelta(days=1))),
        ("fundamentals.csv", 5, "UNPARSABLE_NUMBER", "2022-03-31"),
        ("fundamentals.csv", 6, "DUPLICATE_CONFLICTING", str(QUARTER)),
        ("fundamentals.csv", 7, "UNUSABLE_FIELD", str(QUARTER)),
        ("fundamentals.csv", 8, "UNKNOWN_LABEL", None),
    }
    assert {(s.statement, s.period_end): s.items for s in announced.statements} == {
        ("income", QUARTER): {"ebit": 5.0},
        ("income", date(2022, 3, 31)): {"net_income": 7.0},
        ("cash_flow", QUARTER): {"free_cash_flow": 1.0},
    }


async def test_defect_e47_margin_of_a_company_with_next_to_no_revenue_is_stored(filings: Filings) -> None:
    filings.write(filings.statement(total_revenue=1, net_income=-1_000_000, operating_income="1e308"))

    (announced,) = (await filings.run()).statements

    (row,) = await filings.stored()
    assert (row.net_margin, row.operating_margin) == (-1_000_000.0, 1e308)
    assert announced.items["net_margin"] == -1_000_000.0
    assert (await filings.shown())[0]["derived"] == ["net_margin", "operating_margin"]


async def test_statements_beyond_what_a_part_carries_come_with_the_next_run(
    world: World, filings: Filings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companies, "PART_STATEMENTS", 3)
    names = sorted(world.name(f"MANY{index}") for index in range(4))
    world.directory.add(*names, last=LAST)
    world.directory.write()
    rows = [filings.statement(symbol=name, period_end=end, ebit=5) for name in names for end in (QUARTER, "2022-06-30")]
    filings.write(*rows)

    runs = [await world.run(*names, last=LAST) for _ in range(5)]
    filings.write(*rows[:-1], rows[-1] | {"ebit": 6})
    runs.append(await world.run(*names, last=LAST))

    announced = [sorted({statement.symbol for statement in run.statements}) for run in runs]
    assert announced == [*([name] for name in names), [], names[-1:]], "what is unchanged takes no room"


async def test_statements_of_an_unknown_symbol_are_a_problem_and_of_a_known_one_without_any_an_empty_list(
    world: World, filings: Filings
) -> None:
    await filings.run()

    assert await filings.shown() == []
    answer = await world.client.get(f"/fundamentals/{world.name('NOBODY')}", params={"statement": "income"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    wrong = await world.client.get(f"/fundamentals/{filings.name}", params={"statement": "profit"})
    assert wrong.status_code == httpx.codes.UNPROCESSABLE_ENTITY


async def test_statements_are_paged_by_the_end_of_their_period(filings: Filings) -> None:
    ends = ["2021-12-31", "2022-03-31", "2022-06-30", "2022-09-30"]
    filings.write(*(filings.statement(period_end=end, ebit=5) for end in ends))
    await filings.run()

    page = await filings.shown(limit=3)
    rest = await filings.shown(first=str(date.fromisoformat(page[-1]["period_end"]) + timedelta(days=1)))

    assert [entry["period_end"] for entry in (*page, *rest)] == ends
    assert [p["period_end"] for p in await filings.shown(first="2022-01-01", last="2022-06-30")] == ends[1:3]
    assert await filings.shown(frequency="annual") == []


async def test_every_fact_of_a_profile_is_read_stored_and_shown(world: World, filings: Filings) -> None:
    samples: dict[Any, Any] = {str | None: "words", bool | None: True, int | None: 7, float | None: 2.5}
    facts = {
        name: samples.get(ProfileFacts.model_fields[name].annotation, f"2022-12-{place % 20 + 1:02}")
        for place, name in enumerate(FACTS)
    } | {"fiscal_year_end": "12-31", "currency": "USD"}
    filings.profile(**facts)

    announced = await filings.run()

    (profile,) = [profile for event in announced.profiles for profile in event.profiles]
    assert profile.model_dump(mode="json", include=set(FACTS)) == facts
    (row,) = await world.rows("SELECT * FROM profiles WHERE symbol = :symbol", symbol=filings.name)
    assert {name: _plain(getattr(row, name)) for name in FACTS} == facts
    shown = (await world.get(f"/profiles/{filings.name}"))["profile"]
    assert shown == facts | {"symbol": filings.name}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


async def test_profiles_are_asked_for_once_a_day_and_when_their_file_has_changed(
    world: World, filings: Filings
) -> None:
    def asked() -> int:
        return world.providers[0].asked_profiles.count(filings.name)

    filings.profile(sector="Energy")
    counts = []
    for now in (NOW, NOW + timedelta(hours=1), NOW + timedelta(days=1)):
        world.now = now
        await filings.run()
        counts.append(asked())
    filings.profile(sector="Utilities")
    announced = await filings.run()

    assert [*counts, asked()] == [1, 1, 2, 3]
    assert [profile.sector for event in announced.profiles for profile in event.profiles] == ["Utilities"]


async def test_defect_e46_company_that_nobody_knows_is_no_success(world: World, filings: Filings) -> None:
    private = world.name("PRIVATE")
    filings.profile(sector="Energy")

    announced = await world.run(filings.name, private, last=LAST)

    assert [p.symbol for event in announced.profiles for p in event.profiles] == [filings.name]
    assert sum(event.subjects for event in announced.profiles) == 1
    assert announced.failures().keys() == {private}
    answer = await world.client.get(f"/profiles/{private}")
    assert answer.status_code == 404


async def test_coverage_says_when_a_company_was_last_asked_about(world: World, filings: Filings) -> None:
    await filings.run()

    (entry,) = [entry for entry in await world.items("/coverage") if entry["symbol"] == filings.name]

    asked = (datetime.fromisoformat(entry[name]) for name in ("profile_fetched_at", "fundamentals_fetched_at"))
    assert list(asked) == [NOW, NOW]


async def test_unreadable_file_of_profiles_fails_its_symbols_and_keeps_what_was_known(
    world: World, filings: Filings, tmp_path: Path
) -> None:
    filings.profile(sector="Energy")
    await filings.run()
    (tmp_path / "profiles.csv").write_text("name\nx\n")

    failed = await filings.run()

    details = {f.subject: f.detail for event in failed.profiles for f in event.failures}
    assert "must have a column 'symbol'" in details[filings.name]
    assert (await world.get(f"/profiles/{filings.name}"))["profile"]["sector"] == "Energy"


async def test_defect_e45_zero_close_is_no_bar_and_its_session_stays_missing(world: World, filings: Filings) -> None:
    del world.directory.closes[filings.name][LAST]
    world.directory.extra = [f"{filings.name},{LAST},0,,"]
    world.directory.write()

    announced = await filings.run()

    assert LAST not in announced.sessions_of(filings.name)
    assert [bar.session for bar in await world.bars(filings.name)][-1] == shift_session(LAST, -1)
    (finding,) = await world.items("/findings", symbol=filings.name)
    assert (finding["rule"], finding["day"]) == ("NON_POSITIVE_CLOSE", str(LAST))
    world.directory.extra = []
    world.directory.closes[filings.name][LAST] = 101.5
    world.directory.write()
    assert LAST in (await filings.run()).sessions_of(filings.name), "it is asked for again"
