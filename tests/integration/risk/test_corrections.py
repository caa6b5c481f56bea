"""A corrected price is assessed again in every book that sees it, and in no other."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID, uuid4

import pytest

from services.risk import events
from services.risk.core.risk_context import PRICE_SESSIONS
from services.risk.core.scenarios import RateSensitivity
from services.risk.handlers.assess_portfolios import assess_portfolios
from shared.arrays import FloatArray
from shared.calendar import sessions_between, shift_session
from shared.contracts.event import Measure
from shared.contracts.market_data import Correction, PricesUpdated
from shared.contracts.risk import MAX_HEADLINES, Headline, PortfoliosAssessed, RiskDue
from shared.contracts.run import Run
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.conventions import MARKET_BETA
from shared.factor_set import FactorSet
from tests.integration.risk.conftest import Risk
from tests.integration.risk.events import book, closes, factored, new_symbols, priced, profiled, valued
from tests.support.runs import SESSION, make_run

WEEK = sessions_between(shift_session(SESSION, -4), SESSION)
MARKET = FactorSet().market
Held = Mapping[UUID, Mapping[str, float]]


def week_of(run: Run, betas: Mapping[str, float | None], days: Sequence[date]) -> SymbolsFactored:
    """Return the same betas as of each day."""
    events = [factored(run, betas, as_of=day) for day in days]
    return events[0].model_copy(
        update={"as_ofs": tuple(days), "values": tuple(event.values[0] for event in events), "unavailable": ()}
    )


def corrected(run: Run, prices: Mapping[str, FloatArray], *entries: tuple[str, date]) -> PricesUpdated:
    corrections = tuple(Correction(symbol=symbol, first_session=session) for symbol, session in entries)
    return priced(run, prices).model_copy(update={"corrections": corrections})


async def a_week(risk: Risk, held: Held, prices: Mapping[str, FloatArray]) -> None:
    """Assess the same books on five sessions."""
    run = make_run(first_session=WEEK[0], last_session=WEEK[-1])
    books = [book(owner, exposures, as_of=day) for owner, exposures in held.items() for day in WEEK]
    await risk.assess(
        priced(run, prices), profiled(run, {}), week_of(run, dict.fromkeys(prices, 1.0), WEEK), valued(run, *books)
    )


async def revisions(risk: Risk, portfolio_id: UUID) -> list[int]:
    """Return the newest revision of each session, oldest first."""
    query = "SELECT max(revision) AS newest FROM assessments WHERE portfolio_id = :id GROUP BY as_of ORDER BY as_of"
    return [row.newest for row in await risk.rows(query, id=portfolio_id)]


async def touched(risk: Risk, *portfolio_ids: UUID) -> list[tuple[UUID, date]]:
    query = "SELECT portfolio_id, as_of FROM touched_books WHERE portfolio_id = ANY(:ids) ORDER BY as_of"
    return [(row.portfolio_id, row.as_of) for row in await risk.rows(query, ids=list(portfolio_ids))]


def spoilt(series: FloatArray, day: date) -> FloatArray:
    """Return the closes with another one at that session of the week."""
    changed = series.copy()
    changed[WEEK.index(day) - len(WEEK)] *= 1.05
    return changed


async def test_corrected_price_is_assessed_again_from_its_session_on_in_the_books_that_hold_it(risk: Risk) -> None:
    holder, other = uuid4(), uuid4()
    wrong, calm = new_symbols(2)
    prices = {wrong: closes(80, seed=1), calm: closes(80, seed=2)}
    await a_week(risk, {holder: {wrong: 100_000.0}, other: {calm: 100_000.0}}, prices)
    before = (await risk.measures(holder))["volatility_21d"].value

    run = make_run(first_session=WEEK[2], last_session=WEEK[2])
    fixed = {symbol: series[:-2] for symbol, series in {**prices, wrong: spoilt(prices[wrong], WEEK[2])}.items()}
    await risk.assess(
        corrected(run, fixed, (wrong, WEEK[2])),
        profiled(run, {}),
        week_of(run, {wrong: 1.5}, WEEK[2:]),
        valued(
            run,
            book(holder, {wrong: 100_000.0}, as_of=WEEK[2]),
            book(other, {calm: 100_000.0}, as_of=WEEK[2]),
        ),
    )

    assert await revisions(risk, holder) == [1, 1, 2, 2, 2]
    assert await revisions(risk, other) == [1, 1, 1, 1, 1]
    factors = (
        "SELECT beta FROM portfolio_factors WHERE portfolio_id = :id AND factor = :factor ORDER BY as_of, revision"
    )
    betas = [row.beta for row in await risk.rows(factors, id=holder, factor=MARKET_BETA)]
    assert betas == [0.5, 0.5, *[0.5, 0.75] * 3], "100,000 of 200,000, with betas of 1 and 1.5"
    assert (await risk.measures(holder))["volatility_21d"].value != before
    assert await touched(risk, holder, other) == []


async def test_books_that_the_run_of_a_correction_does_not_value_are_assessed_with_their_next_run(risk: Risk) -> None:
    owner, (wrong,) = uuid4(), new_symbols(1)
    prices = {wrong: closes(80, seed=3)}
    await a_week(risk, {owner: {wrong: 100_000.0}}, prices)
    run = make_run(portfolio_ids=(uuid4(),))
    fixed = {wrong: spoilt(prices[wrong], WEEK[3])}
    await risk.assess(
        corrected(run, fixed, (wrong, WEEK[3])), profiled(run, {}), week_of(run, {wrong: 1.0}, WEEK[3:]), valued(run)
    )
    assert await revisions(risk, owner) == [1, 1, 1, 1, 1]
    assert await touched(risk, owner) == [(owner, WEEK[3]), (owner, WEEK[4])]

    later = make_run(first_session=shift_session(SESSION, 1), last_session=shift_session(SESSION, 1))
    await risk.assess(
        priced(later, {}),
        profiled(later, {}),
        factored(later, {wrong: 1.0}, as_of=later.last_session),
        valued(later, book(owner, {wrong: 100_000.0}, as_of=later.last_session)),
    )

    assert await revisions(risk, owner) == [1, 1, 1, 2, 2, 1]
    assert await touched(risk, owner) == []


async def test_corrected_proxy_touches_every_book_from_its_session_on(risk: Risk) -> None:
    owner, (held,) = uuid4(), new_symbols(1)
    prices = {held: closes(80, seed=4), MARKET: closes(80, seed=5)}
    await a_week(risk, {owner: {held: 100_000.0}}, prices)
    run = make_run()

    await risk.assess(
        corrected(run, {MARKET: spoilt(prices[MARKET], WEEK[1])}, (MARKET, WEEK[1])),
        profiled(run, {}),
        factored(run, {held: 1.0}),
        valued(run, book(owner, {held: 100_000.0})),
    )

    assert await revisions(risk, owner) == [1, 2, 2, 2, 2]


async def test_correction_that_changes_no_number_writes_nothing(risk: Risk) -> None:
    owner, (held,) = uuid4(), new_symbols(1)
    prices = {held: closes(80, seed=6)}
    await a_week(risk, {owner: {held: 100_000.0}}, prices)
    run = make_run()

    await risk.assess(
        corrected(run, prices, (held, WEEK[0])),
        profiled(run, {}),
        week_of(run, {held: 1.0}, WEEK),
        valued(run, book(owner, {held: 100_000.0})),
    )

    assert await revisions(risk, owner) == [1, 1, 1, 1, 1]


@pytest.mark.parametrize("symbol", ["held", MARKET])
async def test_book_whose_windows_no_longer_hold_the_corrected_bar_is_not_touched(risk: Risk, symbol: str) -> None:
    owner, stranger, (held, other) = uuid4(), uuid4(), new_symbols(2)
    edge = shift_session(SESSION, PRICE_SESSIONS - 1)
    days = (shift_session(SESSION, -1), SESSION, edge, shift_session(edge, 1))
    await risk.deliver(valued(make_run(), *(book(owner, {held: 1.0}, as_of=day) for day in days)))
    await risk.deliver(valued(make_run(), book(stranger, {other: 1.0})))
    run = make_run()
    await risk.deliver(profiled(run, {}), factored(run, {}))

    await risk.deliver(corrected(run, {}, (held if symbol == "held" else symbol, SESSION)))

    assert await touched(risk, owner) == [(owner, SESSION), (owner, edge)]
    assert await touched(risk, stranger) == ([] if symbol == "held" else [(stranger, SESSION)])


@pytest.mark.parametrize(
    ("symbol", "day", "found"),
    [
        (MARKET, date(2020, 3, 2), True),
        (MARKET, date(2020, 3, 24), False),
        ("held", date(2020, 3, 2), False),
    ],
)
async def test_proxy_corrected_within_a_replayed_episode_touches_every_later_book(
    risk: Risk, symbol: str, day: date, found: bool
) -> None:
    owner, (held,) = uuid4(), new_symbols(1)
    await risk.deliver(valued(make_run(), book(owner, {held: 1.0})))
    run = make_run()
    await risk.deliver(profiled(run, {}), factored(run, {}))

    await risk.deliver(corrected(run, {}, (held if symbol == "held" else symbol, day)))

    assert await touched(risk, owner) == ([(owner, SESSION)] if found else [])


async def test_assessment_that_fails_leaves_what_was_touched_to_the_next_attempt(risk: Risk) -> None:
    owner, (held,) = uuid4(), new_symbols(1)
    prices = {held: closes(80, seed=7)}
    await a_week(risk, {owner: {held: 100_000.0}}, prices)
    run = make_run()
    await risk.deliver(
        corrected(run, {held: spoilt(prices[held], WEEK[3])}, (held, WEEK[3])),
        profiled(run, {}),
        week_of(run, {held: 1.0}, WEEK[3:]),
        valued(run, book(owner, {held: 100_000.0})),
    )
    (due,) = await risk.announced(RiskDue, run)

    async def break_down() -> None:
        async with risk.service.unit_of_work() as uow:
            await assess_portfolios(due, uow, panel=risk.panel, factor_set=FactorSet(), rate=RateSensitivity())
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await break_down()
    assert await revisions(risk, owner) == [1, 1, 1, 1, 1]

    await risk.deliver(due)
    assert await revisions(risk, owner) == [1, 1, 1, 2, 2]


async def test_headlines_of_many_sessions_are_those_of_the_newest(risk: Risk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_HEADLINES", 3)
    owner, (held,) = uuid4(), new_symbols(1)
    run = make_run(first_session=WEEK[0], last_session=WEEK[-1])

    (assessed,) = await risk.assess(
        priced(run, {held: closes(80, seed=8)}),
        profiled(run, {}),
        week_of(run, {held: 1.0}, WEEK),
        valued(run, *(book(owner, {held: 100_000.0}, as_of=day) for day in WEEK)),
    )

    assert [headline.as_of for headline in assessed.headlines] == WEEK[-3:]
    assert [(span.first_session, span.last_session) for span in assessed.assessed] == [(WEEK[0], WEEK[-1])]


def test_as_many_headlines_as_there_may_be_fit_into_an_event() -> None:
    value = Measure(value=-1.2345678901234567e-05)
    headline = Headline(
        portfolio_id=uuid4(),
        as_of=SESSION,
        market_beta=value,
        market_beta_coverage=0.12345678901234568,
        volatility_63d=value,
        effective_positions=value,
    )
    run = make_run()
    event = PortfoliosAssessed(run=run, part={"index": 0, "total": 1}, headlines=(headline,) * MAX_HEADLINES)

    assert len(event.model_dump_json()) < 1_000_000
