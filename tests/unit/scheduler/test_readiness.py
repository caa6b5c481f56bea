"""Whether a portfolio is ready, and what keeps it from being so."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from services.scheduler.core.books import Book, Holding
from services.scheduler.core.cells import PORTFOLIO_FACTS, SYMBOL_FACTS, CellPart, Fact, SaidPart, Why, grid_of
from services.scheduler.core.readiness import (
    CauseKind,
    KnownRun,
    PortfolioReadiness,
    Readiness,
    SetAside,
    Situation,
    as_owners_know,
    readiness_of,
)
from services.scheduler.core.remembered import Remembered
from services.scheduler.storage.readiness_inputs import ReadinessInputs
from services.scheduler.web.readiness import found_before
from shared.calendar import sessions_between

SESSIONS = tuple(sessions_between(date(2025, 3, 10), date(2025, 3, 14)))
YESTERDAY, TODAY = SESSIONS[-2:]
MIDNIGHT = datetime(2025, 3, 15, tzinfo=UTC)
P = str(UUID(int=77))
BOOK = Book(P, "Growth & Co", SESSIONS[0], (Holding("A", SESSIONS[0], None), Holding("B", SESSIONS[0], None)))
NIGHT = 1
LACK = Why("MISSING_DATA", "no provider serves it")
AGAIN = "sigmasight run --portfolio 'Growth & Co' --start 2025-03-14 --as-of 2025-03-14"


def said(
    fact: Fact, *done: str, failed: dict[str, Why] | None = None, run: int = NIGHT, session: date = TODAY
) -> SaidPart:
    """What a run says that was asked for that many minutes after midnight."""
    part = CellPart(session, fact, done, failed or {})
    return SaidPart(part, UUID(int=run), 0, MIDNIGHT + timedelta(minutes=run))


def whole(
    *, run: int = NIGHT, session: date = TODAY, without: Iterable[Fact] = (), symbols: tuple[str, ...] = ("A", "B")
) -> list[SaidPart]:
    """Everything that the book needs, except some facts."""
    own = [said(fact, P, run=run, session=session) for fact in PORTFOLIO_FACTS if fact not in set(without)]
    return own + [said(fact, *symbols, run=run, session=session) for fact in SYMBOL_FACTS if fact not in set(without)]


def running(run: int, kind: str = "nightly", **scope: Any) -> KnownRun:
    every: dict[str, Any] = {
        "symbols": None,
        "portfolio_ids": None,
        "missing": ("portfolios.valued: 0 of 1 parts", "x", "y"),
    }
    return KnownRun(UUID(int=run), kind, MIDNIGHT + timedelta(minutes=run), **{**every, **scope})


def letter(*names: str, run: int = NIGHT, reason: str = "KeyError", **scope: Any) -> SetAside:
    known = frozenset(names) or None
    return SetAside(running(run, **scope), "portfolio.due", "portfolio.value_portfolios", reason, "a bug", known)


def stands(*parts: SaidPart, runs: tuple[KnownRun, ...] = (), letters: tuple[SetAside, ...] = ()) -> PortfolioReadiness:
    return readiness_of(BOOK, Situation(TODAY, SESSIONS, grid_of(parts), runs, letters))


def kinds(found: PortfolioReadiness) -> list[tuple[str, tuple[str, ...]]]:
    return [(cause.kind.value, cause.subjects) for cause in found.causes]


def test_portfolio_is_ready_when_its_own_cells_and_those_of_what_it_holds_are_done() -> None:
    found = stands(*whole())
    assert (found.state, found.newest_session, found.causes, found.notes) == (Readiness.READY, TODAY, (), ())


def test_symbol_that_nobody_has_prices_of_blocks_it_and_its_factors_are_no_further_cause() -> None:
    failed = {"B": LACK}
    found = stands(*whole(symbols=("A",)), *(said(fact, failed=failed) for fact in SYMBOL_FACTS))
    assert found.state is Readiness.BLOCKED
    (cause,) = found.causes
    assert (cause.kind, cause.subjects, cause.fact, cause.reason) == (
        CauseKind.FAILED, ("B",), Fact.BARS, "MISSING_DATA"
    )  # fmt: skip
    assert cause.what == "B: no bars of 2025-03-14 (MISSING_DATA): no provider serves it"
    assert "sigmasight findings --symbol B" in cause.todo
    assert cause.todo.endswith(f"then: {AGAIN}")


def test_symbols_that_failed_for_one_reason_are_one_cause() -> None:
    found = stands(*whole(symbols=()), said(Fact.BARS, failed={"A": LACK, "B": Why("MISSING_DATA", "gone")}))
    assert kinds(found) == [("failed", ("A", "B"))]


def test_factors_that_are_an_answer_block_nothing_and_are_noted() -> None:
    young = {"B": Why("INSUFFICIENT_HISTORY", "20 of 60 sessions")}
    found = stands(*whole(without=[Fact.FACTORS]), said(Fact.FACTORS, "A", failed=young))
    assert found.state is Readiness.READY
    assert found.notes == ("B has no factors: INSUFFICIENT_HISTORY: 20 of 60 sessions",)

    stale = {"B": Why("STALE_INPUT", "last price of 2025-03-03")}
    assert stands(*whole(without=[Fact.FACTORS]), said(Fact.FACTORS, "A", failed=stale)).state is Readiness.BLOCKED


def test_what_a_run_under_way_will_bring_is_pending() -> None:
    active = running(NIGHT)
    found = stands(*whole(without=PORTFOLIO_FACTS), runs=(active,))
    assert found.state is Readiness.PENDING
    assert kinds(found) == [("under way", (P,))]
    assert found.causes[0].what == (
        f"nightly run {active.run_id} is under way, waiting for portfolios.valued: 0 of 1 parts and 2 stages more"
    )
    assert found.causes[0].run_id == active.run_id


def test_portfolio_waits_for_the_run_of_its_symbols_too() -> None:
    stage = running(NIGHT, symbols=frozenset("A"), portfolio_ids=frozenset())
    assert stands(*whole(without=PORTFOLIO_FACTS), runs=(stage,)).state is Readiness.PENDING
    others = running(NIGHT, symbols=frozenset("Z"), portfolio_ids=frozenset())
    assert stands(*whole(without=PORTFOLIO_FACTS), runs=(others,)).state is Readiness.STALE


def test_failure_of_an_earlier_run_is_pending_once_it_is_tried_again_and_that_of_the_run_itself_is_not() -> None:
    failed = [*whole(without=PORTFOLIO_FACTS), said(Fact.SNAPSHOT, failed={P: Why("KeyError", "a bug")})]
    assert stands(*failed, runs=(running(NIGHT + 1),)).state is Readiness.PENDING
    found = stands(*failed, runs=(running(NIGHT),))
    assert found.state is Readiness.BLOCKED
    assert (
        found.causes[0].todo
        == f"repair the cause (sigmasight dead-letters list --run {UUID(int=NIGHT)}), then: {AGAIN}"
    )


def test_dead_letter_that_names_it_blocks_and_stands_for_the_failure_that_it_led_to() -> None:
    failed = said(Fact.SNAPSHOT, failed={P: Why("KeyError", "a bug")})
    found = stands(*whole(without=PORTFOLIO_FACTS), failed, letters=(letter(P, "Z"),))
    assert found.state is Readiness.BLOCKED
    assert kinds(found) == [("dead letter", (P,))]
    assert found.causes[0].what == (
        "portfolio.value_portfolios could not process a message of portfolio.due: KeyError: a bug"
    )


def test_dead_letter_of_what_it_holds_blocks_until_a_later_run_has_been_over_it() -> None:
    about = letter("B")
    assert stands(*whole(), letters=(about,)).state is Readiness.BLOCKED
    assert stands(*whole(), *whole(run=NIGHT + 1), letters=(about,)).state is Readiness.READY
    assert stands(*whole(), letters=(letter("Z"),)).state is Readiness.READY


def test_dead_letter_of_a_whole_run_explains_only_what_that_run_should_have_brought() -> None:
    lacking = whole(run=NIGHT - 1, without=PORTFOLIO_FACTS)
    assert stands(*lacking, letters=(letter(),)).state is Readiness.BLOCKED
    elsewhere = letter(symbols=frozenset("Z"), portfolio_ids=frozenset())
    assert stands(*lacking, letters=(elsewhere,)).state is Readiness.STALE
    assert stands(*whole(), letters=(letter(),)).state is Readiness.READY


def test_portfolio_nobody_has_asked_for_is_stale_and_says_what_it_has() -> None:
    found = stands(*whole(session=YESTERDAY))
    assert (found.state, found.newest_session) == (Readiness.STALE, YESTERDAY)
    assert [(cause.kind, cause.fact, cause.subjects) for cause in found.causes] == [
        (CauseKind.NEVER_ASKED, Fact.SNAPSHOT, (P,)),
        (CauseKind.NEVER_ASKED, Fact.BARS, ("A", "B")),
    ]
    assert found.causes[0].todo == f"ask for it: {AGAIN}"
    assert stands().newest_session is None


def test_replay_that_has_not_come_to_it_yet_is_replaying() -> None:
    replay = running(NIGHT + 1, kind="backfill")
    assert stands(*whole(), runs=(replay,)).state is Readiness.REPLAYING
    assert stands(*whole(), *whole(run=NIGHT + 1), runs=(replay,)).state is Readiness.READY
    assert stands(runs=(replay,)).state is Readiness.REPLAYING
    assert stands(runs=(replay, running(NIGHT + 2))).state is Readiness.PENDING
    assert stands(*whole(), runs=(running(NIGHT + 1),)).state is Readiness.READY


def test_book_needs_only_what_it_holds_at_the_session() -> None:
    sold = Book(P, None, SESSIONS[0], (Holding("A", SESSIONS[0], None), Holding("B", SESSIONS[0], YESTERDAY)))
    found = readiness_of(sold, Situation(TODAY, SESSIONS, grid_of(whole(symbols=("A",))), (), ()))
    assert found.state is Readiness.READY


def test_what_is_traded_no_more_keeps_nobody_waiting_and_says_what_to_do() -> None:
    gone = {"B": Why("MISSING_DATA", "no bar")}
    snapshot = replace(said(Fact.SNAPSHOT, P).part, delisted=frozenset({"B", "NOT HELD"}))
    parts = [
        *whole(symbols=("A",), without=[Fact.SNAPSHOT]),
        *(said(fact, failed=gone) for fact in SYMBOL_FACTS),
        SaidPart(snapshot, UUID(int=NIGHT), 0, MIDNIGHT),
    ]

    found = stands(*parts)

    assert (found.state, kinds(found)) == (Readiness.READY, [("delisted", ("B",))])
    assert found.causes[0].what.startswith("B: no close for 20 sessions (DELISTED): held at the last one")
    assert "sigmasight positions exit 'Growth & Co' B --on DAY --price PRICE" in found.causes[0].todo


def test_owners_are_told_nothing_of_runs_that_they_do_not_see() -> None:
    failed = stands(*whole(symbols=("A",)), *(said(fact, failed={"B": LACK}) for fact in SYMBOL_FACTS))
    letters = stands(*whole(without=PORTFOLIO_FACTS), letters=(letter(P),))
    under_way = stands(*whole(without=PORTFOLIO_FACTS), runs=(running(NIGHT),))
    for found in (failed, letters, under_way):
        assert as_owners_know(found, {UUID(int=NIGHT)}) == found
        told = as_owners_know(found, {UUID(int=2)})
        assert (told.state, kinds(told)) == (found.state, kinds(found))
        for words in (str(UUID(int=NIGHT)), "dead-letters", "KeyError", "a bug", "no provider", "nightly", "2 stages"):
            assert words not in str(told), words
    (cause,) = as_owners_know(failed, ()).causes
    assert (cause.subjects, cause.fact, cause.reason) == (("B",), Fact.BARS, "MISSING_DATA")
    assert cause.todo == "ask an operator"


def test_what_was_answered_to_others_is_not_what_an_owner_is_told() -> None:
    situation = Situation(TODAY, SESSIONS, grid_of(whole(without=PORTFOLIO_FACTS)), (running(NIGHT),), ())
    known: Remembered[list[PortfolioReadiness]] = Remembered(2)
    told = [
        str(found_before(known, ReadinessInputs((BOOK,), situation, 0, seen)))
        for seen in (None, frozenset[UUID](), None)
    ]
    assert [str(UUID(int=NIGHT)) in each for each in told] == [True, False, True]
