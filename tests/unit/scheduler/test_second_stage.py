from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.core.books import Book, Holding
from services.scheduler.core.cells import CellPart, Fact, SaidPart, Why
from services.scheduler.core.second_stage import Settled, reaches_back, settled_books

NIGHT, BEFORE = date(2022, 11, 22), date(2022, 11, 21)
RUN, ASKED_AT = uuid4(), datetime(2022, 11, 23, 2, 0, tzinfo=UTC)
NO_BAR = Why("MISSING_DATA", "no bar")


def said(fact: Fact, index: int, *done: str, failed: tuple[str, ...] = (), session: date = NIGHT) -> SaidPart:
    return SaidPart(CellPart(session, fact, done, dict.fromkeys(failed, NO_BAR)), RUN, index, ASKED_AT)


def book(name: str, *symbols: str, opened_on: date = BEFORE) -> Book:
    return Book(str(UUID(int=ord(name))), name, opened_on, tuple(Holding(each, opened_on, None) for each in symbols))


A, B = book("A", "AAPL", "MSFT"), book("B", "MSFT", "XOM")


def settled(parts: list[SaidPart], *books: Book, but: Book | None = None) -> Settled:
    served = frozenset() if but is None else frozenset([but.portfolio_id])
    return settled_books(books or (A, B), parts, NIGHT, but=served)


def test_book_is_settled_with_the_bars_and_factors_of_all_it_holds_and_by_the_parts_that_have_them() -> None:
    parts = [
        said(Fact.BARS, 0, "AAPL", "XOM"),
        said(Fact.BARS, 3, "MSFT"),
        said(Fact.BARS, 7, "OTHER"),
        said(Fact.FACTORS, 1, "AAPL", "MSFT"),
    ]
    assert settled(parts) == Settled((A.portfolio_id,), (0, 3), (1,))
    assert settled([*parts, said(Fact.FACTORS, 2, "XOM")]) == Settled((A.portfolio_id, B.portfolio_id), (0, 3), (1, 2))
    assert settled(parts, but=A) == Settled((), (), ())


def test_symbol_that_failed_is_waited_for_no_longer() -> None:
    parts = [said(Fact.BARS, 0, "MSFT", failed=("AAPL",)), said(Fact.FACTORS, 0, failed=("AAPL", "MSFT"))]
    assert settled(parts, A).portfolio_ids == (A.portfolio_id,)


def test_what_was_said_of_another_session_settles_nothing() -> None:
    parts = [
        said(Fact.BARS, 0, "AAPL", "MSFT"),
        said(Fact.FACTORS, 0, "AAPL", "MSFT", session=BEFORE),
    ]
    assert settled(parts, A).portfolio_ids == ()


def test_book_of_private_holdings_or_of_tomorrow() -> None:
    assert settled([], book("P")).portfolio_ids == (book("P").portfolio_id,)
    assert settled([], book("T", opened_on=date(2022, 11, 23))).portfolio_ids == ()
    assert settled([], replace(book("C"), closed_on=BEFORE)).portfolio_ids == ()


def test_option_needs_its_own_bars_and_the_factors_of_what_it_is_written_on() -> None:
    option = Holding("AAPL  230120C00150000", BEFORE, None, contract=True)
    holder = Book("o", "O", BEFORE, (option, Holding("AAPL", BEFORE, None)))
    parts = [said(Fact.BARS, 0, "AAPL"), said(Fact.FACTORS, 0, "AAPL")]
    assert settled(parts, holder).portfolio_ids == ()
    assert settled([*parts, said(Fact.BARS, 1, failed=(option.symbol,))], holder) == Settled(("o",), (0, 1), (0,))


def test_holding_that_was_closed_before_is_not_waited_for() -> None:
    closed = Book("c", "C", BEFORE, (Holding("AAPL", BEFORE, None), Holding("GONE", BEFORE, BEFORE)))
    parts = [said(Fact.BARS, 0, "AAPL"), said(Fact.FACTORS, 0, "AAPL")]
    assert settled(parts, closed).portfolio_ids == ("c",)


def test_run_reaches_back_where_it_says_bars_of_sessions_before_its_own() -> None:
    own = [said(Fact.BARS, 0, "AAPL"), said(Fact.FACTORS, 0, "AAPL", session=BEFORE)]
    assert not reaches_back(own, NIGHT)
    assert reaches_back([*own, said(Fact.BARS, 0, "AAPL", session=BEFORE)], NIGHT)


SYMBOLS = ("S1", "S2", "S3", "S4")


@given(st.data())
def test_books_settle_once_each_whatever_the_order_of_the_parts(data: st.DataObject) -> None:
    books = [book(name, *data.draw(st.sets(st.sampled_from(SYMBOLS)))) for name in "ABCDE"]
    parts = [said(fact, index, symbol) for fact in (Fact.BARS, Fact.FACTORS) for index, symbol in enumerate(SYMBOLS)]
    served: list[str] = []
    arrived: list[SaidPart] = []
    for part in data.draw(st.permutations(parts)):
        arrived.append(part)
        found = settled_books(books, arrived, NIGHT, but=frozenset(served))
        in_parts = {(Fact.BARS, index) for index in found.bars_parts}
        in_parts |= {(Fact.FACTORS, index) for index in found.factors_parts}
        assert in_parts <= {(each.part.fact, each.part_index) for each in arrived}
        served += found.portfolio_ids
    assert sorted(served) == sorted(each.portfolio_id for each in books)
