from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

import numpy as np
import pytest

from services.risk.core.measures import MEASURES
from services.risk.handlers import assess_portfolios as handler
from shared.calendar import shift_session
from shared.contracts.event import Measure
from shared.contracts.market_data import HeldClose
from shared.contracts.run import ONLY_PART
from shared.conventions import FACTORS, MARKET_BETA
from shared.unavailable import Reason
from tests.integration.risk.conftest import Risk
from tests.integration.risk.events import book, closes, factored, new_symbols, priced, profiled, valued
from tests.support.runs import SESSION, make_run

ASSESSED = (
    "assessments",
    "portfolio_factors",
    "portfolio_sectors",
    "portfolio_measures",
    "portfolio_stress",
    "portfolio_correlations",
    "portfolio_contributions",
    "portfolio_active_sectors",
)


async def test_assessment_of_a_levered_book_is_stored_and_announced(risk: Risk) -> None:
    run, portfolio_id = make_run(), uuid4()
    long, short = new_symbols(2)
    exposures = {long: 500_000.0, short: -300_000.0}

    (assessed,) = await risk.assess(
        priced(run, {long: closes(seed=1), short: closes(seed=2)}),
        profiled(run, {long: "Technology", short: "Financial Services"}),
        factored(run, {long: 1.2, short: 1.0}),
        valued(run, book(portfolio_id, exposures)),
    )

    # (500,000 x 1.2 - 300,000 x 1.0) / 200,000 = 1.5
    market = await risk.factor(portfolio_id, MARKET_BETA)
    assert (market.beta, market.dollars, market.coverage) == (1.5, 300_000.0, 1.0)
    # the other betas are 0.5: 0.5 x 200,000 net / 200,000
    assert (await risk.factor(portfolio_id, "value")).beta == 0.5
    sectors = await risk.sectors(portfolio_id)
    assert {name: (row.net, row.gross) for name, row in sectors.items()} == {
        "Technology": (Decimal("500000.00"), Decimal("500000.00")),
        "Financials": (Decimal("-300000.00"), Decimal("300000.00")),
    }
    assert (sectors["Financials"].net_over_equity, sectors["Financials"].gross_over_equity) == (-1.5, 1.5)
    measures = await risk.measures(portfolio_id)
    assert list(measures) == [entry.name for entry in MEASURES]
    assert (measures["gross_leverage"].value, measures["net_leverage"].value) == (4.0, 1.0)
    # weights 5/8 and 3/8: HHI 10,000 x 34/64
    assert measures["hhi"].value == pytest.approx(5312.5)
    (headline,) = assessed.headlines
    assert (headline.portfolio_id, headline.as_of, headline.market_beta_coverage) == (portfolio_id, SESSION, 1.0)
    assert headline.market_beta == Measure(value=1.5)
    assert headline.volatility_63d == Measure(value=measures["volatility_63d"].value)
    assert headline.effective_positions == Measure(value=measures["effective_positions"].value)
    assert (assessed.part, assessed.subjects, assessed.failures) == (ONLY_PART, 1, ())


async def test_volatility_of_a_stored_book_is_that_of_its_weighted_returns(risk: Risk) -> None:
    run, portfolio_id = make_run(), uuid4()
    long, short = new_symbols(2)
    prices = {long: closes(80, seed=3), short: closes(80, seed=4)}

    await risk.assess(
        priced(run, prices),
        profiled(run, {}),
        factored(run, {long: 1.2, short: 1.0}),
        valued(run, book(portfolio_id, {long: 500_000.0, short: -300_000.0})),
    )

    daily = [np.diff(series) / series[:-1] for series in prices.values()]
    series = 2.5 * daily[0] - 1.5 * daily[1]
    measures = await risk.measures(portfolio_id)
    assert measures["volatility_21d"].value == pytest.approx(series[-21:].std(ddof=1) * np.sqrt(252), rel=1e-12)
    assert measures["volatility_63d"].value == pytest.approx(series[-63:].std(ddof=1) * np.sqrt(252), rel=1e-12)


async def test_number_of_a_book_of_which_too_little_is_known_is_withheld(risk: Risk) -> None:
    run, portfolio_id = make_run(), uuid4()
    long, short = new_symbols(2)

    held = (HeldClose(symbol=short, session=SESSION, rule="UNEXPLAINED_JUMP"),)

    (assessed,) = await risk.assess(
        priced(run, {}).model_copy(update={"held": held}),
        profiled(run, {}),
        factored(run, {long: 1.2, short: None}),
        valued(run, book(portfolio_id, {long: 500_000.0, short: -300_000.0})),
    )

    # 500,000 x 1.2 / 200,000, of 500,000 covered in 800,000
    market = await risk.factor(portfolio_id, MARKET_BETA)
    assert (market.beta, market.reason, market.coverage) == (None, "LOW_COVERAGE", 0.625)
    assert (market.beta_of_covered, market.dollars_of_covered) == (3.0, 600_000.0)
    why = (
        f"62.5% of gross exposure is covered, at least 80% has to be; without {short} (37.5%); "
        f"tainted by UNEXPLAINED_JUMP of {short} on {SESSION}"
    )
    assert market.detail == why
    announced = assessed.headlines[0].market_beta
    assert (announced.reason, announced.detail) == (Reason.MISSING_DATA, f"LOW_COVERAGE: {why}")


async def test_defect_40_factors_of_symbols_without_betas_at_this_session_are_missing(risk: Risk) -> None:
    run, portfolio_id, (symbol,) = make_run(), uuid4(), new_symbols(1)

    (assessed,) = await risk.assess(
        priced(run, {}),
        profiled(run, {}),
        factored(run, {symbol: 1.2}, as_of=shift_session(SESSION, -1)),
        valued(run, book(portfolio_id, {symbol: 100.0})),
    )

    market = await risk.factor(portfolio_id, MARKET_BETA)
    assert (market.beta, market.dollars, market.reason, market.coverage) == (None, None, "MISSING_DATA", 0.0)
    assert assessed.headlines[0].market_beta.reason is Reason.MISSING_DATA
    measures = await risk.measures(portfolio_id)
    assert measures["volatility_63d"].reason == "INSUFFICIENT_HISTORY"
    assert set(await risk.sectors(portfolio_id)) == {"Unclassified"}


async def test_book_without_positions_gets_reasons_and_no_sectors(risk: Risk) -> None:
    run, portfolio_id = make_run(), uuid4()

    (assessed,) = await risk.assess(
        priced(run, {}), profiled(run, {}), factored(run, {}), valued(run, book(portfolio_id, {}))
    )

    market = await risk.factor(portfolio_id, MARKET_BETA)
    assert (market.reason, market.coverage, market.coverage_reason) == ("NOT_APPLICABLE", None, "NOT_APPLICABLE")
    assert (await risk.measures(portfolio_id))["gross_leverage"].value == 0.0
    assert await risk.sectors(portfolio_id) == {}
    assert assessed.headlines[0].market_beta_coverage is None


async def test_book_without_capital_keeps_its_amounts_and_has_no_ratios(risk: Risk) -> None:
    run, portfolio_id, (symbol,) = make_run(), uuid4(), new_symbols(1)

    await risk.assess(
        priced(run, {}),
        profiled(run, {symbol: None}, funds=[symbol]),
        factored(run, {symbol: 1.0}),
        # 8.29 x 100 is 828.9999999999999
        valued(run, book(portfolio_id, {symbol: 8.29}, equity="-50.00")),
    )

    market = await risk.factor(portfolio_id, MARKET_BETA)
    assert (market.reason, market.coverage) == ("DEGENERATE_INPUT", 1.0)
    sector = (await risk.sectors(portfolio_id))["ETFs"]
    assert (sector.net, sector.net_over_equity, sector.reason) == (Decimal("8.29"), None, "DEGENERATE_INPUT")


async def test_part_without_portfolios_is_announced_empty(risk: Risk) -> None:
    run = make_run()

    (assessed,) = await risk.assess(priced(run, {}), profiled(run, {}), factored(run, {}), valued(run))

    assert (assessed.subjects, assessed.headlines, assessed.failures) == (0, (), ())


async def test_sessions_of_a_run_are_assessed_with_their_own_books_and_betas(risk: Risk) -> None:
    days = [shift_session(SESSION, -offset) for offset in (2, 1, 0)]
    run, portfolio_id, (symbol,) = make_run(first_session=days[0]), uuid4(), new_symbols(1)
    betas = [factored(run, {symbol: beta}, as_of=day) for beta, day in zip((1.0, 2.0, 4.0), days, strict=True)]
    merged = betas[0].model_copy(
        update={"as_ofs": tuple(days), "values": tuple(event.values[0] for event in betas)},
    )

    (assessed,) = await risk.assess(
        priced(run, {}),
        profiled(run, {}),
        merged,
        # there is no book of the second day
        valued(
            run,
            book(portfolio_id, {symbol: 100_000.0}, as_of=days[0]),
            book(portfolio_id, {symbol: 300_000.0}, as_of=days[2]),
        ),
    )

    found = {headline.as_of: headline.market_beta.value for headline in assessed.headlines}
    assert found == {days[0]: 0.5, days[2]: 6.0}
    assert assessed.subjects == 1


async def test_book_of_an_older_revision_does_not_replace_a_newer_one(risk: Risk) -> None:
    run, portfolio_id, (symbol,) = make_run(), uuid4(), new_symbols(1)

    await risk.assess(
        priced(run, {}),
        profiled(run, {}),
        factored(run, {symbol: 1.0}),
        valued(make_run(), book(portfolio_id, {symbol: 400_000.0}, revision=2)),
        valued(run, book(portfolio_id, {symbol: 100_000.0}, revision=1)),
    )

    assert (await risk.factor(portfolio_id, MARKET_BETA)).beta == 2.0


async def test_assessment_with_unchanged_inputs_writes_nothing(risk: Risk) -> None:
    portfolio_id, (symbol, other) = uuid4(), new_symbols(2)
    prices = {symbol: closes(seed=5), other: closes(seed=6)}

    for exposures in ({symbol: 5.0, other: 7.0}, {other: 7.0, symbol: 5.0}):
        run = make_run()
        (assessed,) = await risk.assess(
            priced(run, prices),
            profiled(run, {symbol: "Technology"}),
            factored(run, {symbol: 1.1}),
            valued(run, book(portfolio_id, exposures), book(uuid4(), {symbol: 1.0})),
        )
        assert len(assessed.headlines) == 2

    for table, rows in (("assessments", 1), ("portfolio_factors", len(FACTORS)), ("portfolio_measures", 1)):
        found = await risk.rows(f"SELECT revision FROM {table} WHERE portfolio_id = :id", id=portfolio_id)
        assert [row.revision for row in found] == [1] * rows


@pytest.mark.parametrize("changed", ["beta", "reason", "price", "sector", "exposure", "equity"])
async def test_assessment_with_a_changed_input_writes_the_next_revision(risk: Risk, changed: str) -> None:
    portfolio_id, (symbol, other) = uuid4(), new_symbols(2)

    for index, what in enumerate((None, changed)):
        run = make_run()
        await risk.assess(
            priced(run, {symbol: closes(seed=8 if what == "price" else 7)}),
            profiled(run, {symbol: "Utilities" if what == "sector" else "Energy"}),
            factored(
                run,
                {symbol: 1.2 if what == "beta" else 1.1, other: None},
                reason=Reason.STALE_INPUT if what == "reason" else Reason.INSUFFICIENT_HISTORY,
            ),
            valued(
                run,
                book(
                    portfolio_id,
                    {symbol: 100.01 if what == "exposure" else 100.0, other: 50.0},
                    equity="200.01" if what == "equity" else "200.00",
                    revision=index + 1,
                ),
            ),
        )

    found = await risk.rows("SELECT revision FROM assessments WHERE portfolio_id = :id ORDER BY 1", id=portfolio_id)
    assert [row.revision for row in found] == [1, 2]
    assert (await risk.factor(portfolio_id, MARKET_BETA)).revision == 2


async def test_assessment_of_a_portfolio_does_not_depend_on_its_neighbours(risk: Risk) -> None:
    symbols = new_symbols(6)
    rng = np.random.default_rng(11)
    prices = {symbol: closes(seed=seed) for seed, symbol in enumerate(symbols)}
    sectors = dict(zip(symbols, ("Energy", "Utilities", None) * 2, strict=True))
    holdings = {uuid4(): {symbol: float(rng.integers(-9, 9) * 1000) for symbol in symbols[i:]} for i in range(5)}
    alone, together = {}, {}

    for portfolio_id, exposures in holdings.items():
        run = make_run()
        await risk.assess(
            priced(run, prices),
            profiled(run, sectors),
            factored(run, dict.fromkeys(symbols, 1.1)),
            valued(run, book(portfolio_id, exposures)),
        )
        alone[portfolio_id] = await results(risk, portfolio_id)
    await forget(risk)
    run = make_run()
    await risk.assess(
        priced(run, prices),
        profiled(run, sectors),
        factored(run, dict.fromkeys(symbols, 1.1)),
        valued(run, *(book(portfolio_id, exposures) for portfolio_id, exposures in holdings.items())),
    )
    for portfolio_id in holdings:
        together[portfolio_id] = await results(risk, portfolio_id)

    assert alone == together


async def forget(risk: Risk) -> None:
    """Let it write again, instead of recognising the digests."""
    async with risk.service.engine.begin() as connection:
        for table in ASSESSED:
            await connection.exec_driver_sql(f"DELETE FROM {table}")


async def test_sessions_that_are_stored_at_once_are_what_each_is_alone(
    risk: Risk, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [shift_session(SESSION, -offset) for offset in (2, 1, 0)]
    long, short, symbols = uuid4(), uuid4(), new_symbols(2)
    prices = {symbol: closes(80, seed=seed) for seed, symbol in enumerate(symbols)}
    # There is no book of the first session of the second portfolio.
    exposures = {(long, day): 1000.0 + day.day for day in days} | {(short, day): -500.0 for day in days[1:]}
    await risk.deliver(*(factored(make_run(), dict.fromkeys(symbols, day.day / 7), as_of=day) for day in days[:2]))

    async def assess(*, at_once: int, changed: Sequence[tuple[UUID, date]] = ()) -> list[tuple[object, ...]]:
        monkeypatch.setattr(handler, "_AT_ONCE", at_once)
        run = make_run(first_session=days[0])
        books = [
            book(cell[0], {symbols[0]: exposure, symbols[1]: 1.0 + (cell in changed)}, as_of=cell[1], revision=2)
            for cell, exposure in exposures.items()
        ]
        await risk.assess(
            priced(run, prices),
            profiled(run, {symbols[0]: "Energy"}),
            factored(run, dict.fromkeys(symbols, 1.1)),
            valued(run, *books),
        )
        return [row for portfolio_id in (long, short) for row in await results(risk, portfolio_id)]

    alone = await assess(at_once=1)
    await forget(risk)
    assert await assess(at_once=3) == alone

    await assess(at_once=3, changed=[(long, days[2]), (short, days[1])])

    revisions = [(long, days[0], 1), (long, days[1], 1), (long, days[2], 1), (long, days[2], 2)]
    revisions += [(short, days[1], 1), (short, days[1], 2), (short, days[2], 1)]
    for table in ("assessments", "portfolio_measures"):
        query = f"SELECT portfolio_id, as_of, revision FROM {table} WHERE portfolio_id IN (:long, :short)"
        assert {tuple(row) for row in await risk.rows(query, long=long, short=short)} == set(revisions)


async def results(risk: Risk, portfolio_id: object) -> list[tuple[object, ...]]:
    queries = (
        "SELECT digest, equity FROM assessments WHERE portfolio_id = :id ORDER BY as_of",
        "SELECT * FROM portfolio_factors WHERE portfolio_id = :id ORDER BY as_of, factor",
        "SELECT * FROM portfolio_measures_whole WHERE portfolio_id = :id ORDER BY as_of",
        "SELECT * FROM portfolio_stress_whole WHERE portfolio_id = :id ORDER BY as_of",
        "SELECT * FROM portfolio_correlations_whole WHERE portfolio_id = :id ORDER BY as_of",
        "SELECT * FROM portfolio_contributions_whole WHERE portfolio_id = :id ORDER BY as_of",
        "SELECT * FROM portfolio_sectors WHERE portfolio_id = :id ORDER BY as_of, sector",
    )
    return [tuple(row) for query in queries for row in await risk.rows(query, id=portfolio_id)]


async def test_book_of_a_session_that_the_run_has_revised_is_assessed_too(risk: Risk) -> None:
    run, own, revised, (symbol,) = make_run(), uuid4(), uuid4(), new_symbols(1)
    event = valued(run, book(own, {symbol: 1.0}), book(revised, {symbol: 1.0}, as_of=date(2025, 3, 3)))

    (assessed,) = await risk.assess(priced(run, {}), profiled(run, {}), factored(run, {symbol: 1.0}), event)

    appeared = {(headline.portfolio_id, headline.as_of) for headline in assessed.headlines}
    assert appeared == {(own, run.last_session), (revised, date(2025, 3, 3))}


async def test_book_of_another_run_and_session_is_left_alone(risk: Risk) -> None:
    earlier, run, portfolio_id, (symbol,) = make_run(), make_run(), uuid4(), new_symbols(1)
    old = valued(earlier, book(portfolio_id, {symbol: 1.0}, as_of=date(2025, 3, 3)))
    await risk.assess(priced(earlier, {}), profiled(earlier, {}), factored(earlier, {symbol: 1.0}), old)
    event = valued(run, book(portfolio_id, {symbol: 1.0}))

    (assessed,) = await risk.assess(priced(run, {}), profiled(run, {}), factored(run, {symbol: 1.0}), event)

    assert [headline.as_of for headline in assessed.headlines] == [run.last_session]
