"""What each event says of cells and books."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.scheduler.core.books import Book, Holding
from services.scheduler.core.cells import CellPart, Fact, Why
from services.scheduler.storage.book_rows import seen_books, stated_books
from services.scheduler.storage.cell_rows import NO_BAR, NO_REASON, cell_parts
from shared.calendar import sessions_between
from shared.contracts import portfolio as said
from shared.contracts.catalogue import EVENTS
from shared.contracts.event import Event, Failure
from shared.contracts.market_data import PriceBlock, PricesUpdated
from shared.contracts.portfolio import PortfoliosValued, Snapshot, SymbolsOnboarding
from shared.contracts.risk import AssessedSpan, Headline, PortfoliosAssessed
from shared.contracts.run import ONLY_PART
from shared.contracts.symbol_analytics import SymbolsFactored, SymbolsMeasured, UnavailableCells
from shared.unavailable import Reason
from tests.support.event_strategies import events
from tests.support.runs import make_run

WEDNESDAY, THURSDAY, FRIDAY = sessions_between(date(2025, 3, 12), date(2025, 3, 14))
ONE, TWO = UUID(int=1), UUID(int=2)
RUN = make_run(first_session=THURSDAY, last_session=FRIDAY)
STOPPED = Why("ValueError", "broken")


def failures(*subjects: object) -> tuple[Failure, ...]:
    return tuple(Failure(subject=str(subject), reason=STOPPED.reason, detail=STOPPED.detail) for subject in subjects)


def block(sessions: tuple[date, ...], **closes: tuple[float | None, ...]) -> PriceBlock:
    return PriceBlock(
        sessions=sessions, symbols=tuple(closes), close=tuple(closes.values()), adjusted=tuple(closes.values())
    )


def part_of(parts: list[CellPart], session: date) -> CellPart:
    (found,) = [part for part in parts if part.session == session]
    return found


def test_prices_are_done_where_there_is_a_close_and_failed_on_the_sessions_of_the_run_where_there_is_none() -> None:
    event = PricesUpdated(
        run=RUN,
        part=ONLY_PART,
        failures=failures("NOBODY", "DARK"),
        blocks=(
            block((THURSDAY, FRIDAY), A=(1.0, 2.0), GAP=(None, 3.0), DARK=(None, None)),
            block((WEDNESDAY, THURSDAY), OLD=(5.0, 6.0), QUIET=(None, 4.0)),
        ),
    )
    parts = cell_parts(event)

    assert {part.fact for part in parts} == {Fact.BARS}
    assert part_of(parts, WEDNESDAY) == CellPart(WEDNESDAY, Fact.BARS, ("OLD",), {})
    assert part_of(parts, THURSDAY).done == ("A", "OLD", "QUIET")
    assert part_of(parts, THURSDAY).failed == {"DARK": STOPPED, "GAP": NO_BAR, "NOBODY": STOPPED}
    assert part_of(parts, FRIDAY).done == ("A", "GAP")
    assert part_of(parts, FRIDAY).failed == {"DARK": STOPPED, "NOBODY": STOPPED, "OLD": NO_BAR, "QUIET": NO_BAR}


def test_stage_that_failed_as_a_whole_is_nobodys_cell() -> None:
    nobody = failures("batch.triggered part 0", "prices.updated part 3")
    assert cell_parts(PricesUpdated(run=RUN, part=ONLY_PART, failures=nobody)) == []
    assert cell_parts(PortfoliosValued(run=RUN, part=ONLY_PART, failures=nobody)) == []


@pytest.mark.parametrize(("table", "fact"), [(SymbolsFactored, Fact.FACTORS), (SymbolsMeasured, Fact.METRICS)])
def test_table_is_done_with_any_number_and_failed_with_the_reason_of_its_first_lack(table: Any, fact: Fact) -> None:
    def lack(column: str, reason: Reason, *symbols: str, as_of: date = FRIDAY) -> UnavailableCells:
        return UnavailableCells(as_of=as_of, column=column, reason=reason, detail=column, symbols=symbols)

    event = table(
        run=RUN,
        part=ONLY_PART,
        failures=failures("LOST", "prices.updated part 1"),
        as_ofs=(THURSDAY, FRIDAY),
        symbols=("A", "B", "C", "D"),
        columns=("growth", "market", "rate"),
        values=(((1.0, None, None),) * 4, ((None, None, 1.0), (None,) * 3, (None,) * 3, (None,) * 3)),
        unavailable=(
            lack("growth", Reason.NOT_APPLICABLE, "A", "B", "C"),
            lack("rate", Reason.STALE_INPUT, "B"),
            lack("market", Reason.MISSING_DATA, "A", "B"),
            lack("market", Reason.DEGENERATE_INPUT, "B", as_of=THURSDAY),
        ),
    )
    parts = cell_parts(event)

    assert part_of(parts, THURSDAY) == CellPart(THURSDAY, fact, ("A", "B", "C", "D"), {"LOST": STOPPED})
    assert part_of(parts, FRIDAY) == CellPart(
        FRIDAY,
        fact,
        ("A",),
        {
            "B": Why("MISSING_DATA", "market"),
            "C": Why("NOT_APPLICABLE", "growth"),
            "D": NO_REASON,
            "LOST": STOPPED,
        },
    )


def test_table_of_nobody_fails_as_of_its_own_sessions_or_those_of_the_run() -> None:
    shared = {"run": RUN, "part": ONLY_PART, "failures": failures("A"), "symbols": (), "columns": ()}
    own = SymbolsFactored(**shared, as_ofs=(WEDNESDAY,), values=((),))
    silent = SymbolsFactored(**shared, as_ofs=(), values=())
    assert [(part.session, dict(part.failed)) for part in cell_parts(own)] == [(WEDNESDAY, {"A": STOPPED})]
    assert [part.session for part in cell_parts(silent)] == [THURSDAY, FRIDAY]


def snapshot(portfolio_id: UUID, as_of: date, revision: int) -> Snapshot:
    amounts = dict.fromkeys(("equity", "pnl", "flow", "cash", "gross", "net"), 0)
    return Snapshot(portfolio_id=portfolio_id, as_of=as_of, revision=revision, stale_positions=0, **amounts)


def test_snapshots_are_done_at_their_sessions_with_their_revisions() -> None:
    event = PortfoliosValued(
        run=RUN,
        part=ONLY_PART,
        failures=failures(TWO, "portfolio.due part 0"),
        snapshots=(snapshot(ONE, WEDNESDAY, 1), snapshot(ONE, FRIDAY, 3), snapshot(TWO, FRIDAY, 2)),
    )
    assert cell_parts(event) == [
        CellPart(WEDNESDAY, Fact.SNAPSHOT, (str(ONE),), {}, (1,)),
        CellPart(THURSDAY, Fact.SNAPSHOT, (), {str(TWO): STOPPED}, ()),
        CellPart(FRIDAY, Fact.SNAPSHOT, (str(ONE), str(TWO)), {}, (3, 2)),
    ]


def test_assessments_are_those_listed_and_those_with_a_headline() -> None:
    nothing: Any = {"market_beta": {}, "market_beta_coverage": None, "volatility_63d": {}, "effective_positions": {}}
    event = PortfoliosAssessed(
        run=RUN,
        part=ONLY_PART,
        failures=failures(TWO),
        headlines=(Headline(portfolio_id=ONE, as_of=FRIDAY, **nothing),),
        assessed=(AssessedSpan(portfolio_id=ONE, first_session=WEDNESDAY, last_session=THURSDAY),),
    )
    assert cell_parts(event) == [
        CellPart(WEDNESDAY, Fact.ASSESSMENT, (str(ONE),), {}),
        CellPart(THURSDAY, Fact.ASSESSMENT, (str(ONE),), {str(TWO): STOPPED}),
        CellPart(FRIDAY, Fact.ASSESSMENT, (str(ONE),), {str(TWO): STOPPED}),
    ]


@pytest.mark.parametrize("event_type", EVENTS.values(), ids=list(EVENTS))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_event_of_any_content_says_one_thing_of_each_cell(event_type: type[Event], data: st.DataObject) -> None:
    event = data.draw(events(event_type))
    if hasattr(event, "as_ofs"):
        event = event.model_copy(update={"as_ofs": (), "values": ()})
    parts = cell_parts(event)
    assert len({(part.session, part.fact) for part in parts}) == len(parts)
    for part in parts:
        assert len(set(part.done)) == len(part.done)
        assert not set(part.done) & part.failed.keys()
        assert part.revisions is None or len(part.revisions) == len(part.done)


def test_book_is_what_its_owner_says() -> None:
    run = make_run(symbols=("A", "B"), portfolio_ids=(ONE,))
    told = SymbolsOnboarding(
        run=run,
        part=ONLY_PART,
        portfolio_id=ONE,
        portfolio_name="mine",
        opened_on=WEDNESDAY,
        holdings=(said.Holding(symbol="A", since=THURSDAY, until=FRIDAY, contract=True),),
    )
    assert stated_books(told) == [Book(str(ONE), "mine", WEDNESDAY, (Holding("A", THURSDAY, FRIDAY, True),))]
    assert told.key == str(ONE)
    terse = SymbolsOnboarding(run=run, part=ONLY_PART, portfolio_id=ONE)
    assert stated_books(terse) == [
        Book(str(ONE), None, FRIDAY, (Holding("A", FRIDAY, None), Holding("B", FRIDAY, None)))
    ]
    assert stated_books(SymbolsOnboarding(run=run, part=ONLY_PART)) == []
    assert stated_books(PricesUpdated(run=run, part=ONLY_PART)) == []


def test_book_that_nobody_has_told_of_shows_in_its_valuation() -> None:
    held = ("A", "A", "OPTION:A2503C", "PRIVATE:HOUSE")
    book = said.Book(
        portfolio_id=ONE, as_of=FRIDAY, revision=1, equity="1", symbols=held, exposures=(1.0, 2.0, 3.0, 4.0)
    )
    event = PortfoliosValued(
        run=RUN,
        part=ONLY_PART,
        snapshots=(snapshot(ONE, FRIDAY, 1), snapshot(ONE, WEDNESDAY, 1), snapshot(TWO, FRIDAY, 1)),
        books=(book,),
    )
    assert seen_books(event, {ONE}) == [
        Book(str(ONE), None, WEDNESDAY, (Holding("A", WEDNESDAY, None), Holding("A2503C", WEDNESDAY, None, True)))
    ]
    assert seen_books(event, {ONE, TWO}) == [
        Book(str(ONE), None, WEDNESDAY, (Holding("A", WEDNESDAY, None), Holding("A2503C", WEDNESDAY, None, True))),
        Book(str(TWO), None, FRIDAY, ()),
    ]
