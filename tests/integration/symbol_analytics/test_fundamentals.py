"""Statements and profiles on their way to stored and announced ratios, on real PostgreSQL."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from services.symbol_analytics.core.columns import METRICS, RATIOS
from services.symbol_analytics.core.digest import CODE_VERSION
from services.symbol_analytics.events import report_failed_analysis
from shared.calendar import shift_session
from shared.contracts.event import Failure
from shared.contracts.market_data import Profile, Statement
from shared.contracts.run import ONLY_PART, Run
from shared.contracts.symbol_analytics import SymbolAnalyticsDue, SymbolsFactored, SymbolsMeasured
from shared.conventions import FACTORS
from tests.integration.symbol_analytics.conftest import NOW, Analytics, new_symbols, priced, profiled, walk
from tests.support.runs import SESSION, make_run
from tests.unit.symbol_analytics.companies import Report, Year

ENDS = tuple(SESSION - timedelta(days=40 + 91 * index) for index in range(4))


def for_symbols(*symbols: str) -> Run:
    return make_run(symbols=symbols)


def quarters(symbol: str, year: Year | None = None) -> list[Statement]:
    return [stated(symbol, report) for report in replace(year or Year(), ends=ENDS).reports()]


def stated(symbol: str, report: Report) -> Statement:
    return Statement(
        symbol=symbol,
        statement=report.statement,
        frequency=report.frequency,
        period_end=report.period_end,
        revision=report.revision,
        published_on=report.counts_from,
        counts_from=report.counts_from,
        currency=report.currency,
        items=dict(report.items),
        source="test",
        fetched_at=NOW,
    )


def in_dollars(symbol: str, **facts: Any) -> Profile:
    return Profile(**{"symbol": symbol, "currency": "USD", "source": "test", "fetched_at": NOW, **facts})


async def metrics_of(analytics: Analytics, symbol: str, as_of: date = SESSION) -> Any:
    return (await analytics.shown(symbol, as_of))["metrics"]["metrics"]


async def test_ratios_are_shown_and_announced_with_their_basis_and_period(analytics: Analytics) -> None:
    (name,) = new_symbols(1)
    run, closes = for_symbols(name), walk(20)
    await analytics.analyse(priced(run, {name: closes}), [in_dollars(name)], quarters(name))

    shown = await metrics_of(analytics, name)

    value = 10.0 * closes[-1]
    expected = [value, value / 10.0, value / 50.0, value / 100.0, (value + 20.0) / 20.0, 2.0 / value]
    assert [shown[ratio]["value"] for ratio in RATIOS] == pytest.approx(expected, rel=1e-15)
    assert {shown[ratio]["period_end"] for ratio in RATIOS} == {str(ENDS[0])}
    assert [shown[ratio]["basis"] for ratio in RATIOS] == ["quarterly", "ttm", "quarterly", "ttm", "ttm", "ttm"]
    _, measured = await analytics.results(run)
    announced = dict(zip(measured.columns, measured.values[0][measured.symbols.index(name)], strict=True))
    assert measured.columns == METRICS
    assert {ratio: announced[ratio] for ratio in RATIOS} == {ratio: shown[ratio]["value"] for ratio in RATIOS}


async def test_betas_beside_the_metrics_are_those_of_the_factors_with_their_reasons(analytics: Analytics) -> None:
    (name,) = new_symbols(1)
    await analytics.analyse(priced(for_symbols(name), {name: walk(21)}), profiled({name: 0.75}))

    shown = await analytics.shown(name, SESSION)

    of_factors = {entry["factor"]: entry["beta"] for entry in shown["factors"]["factors"]}
    assert shown["metrics"]["betas"] == of_factors
    assert set(of_factors) == set(FACTORS)
    assert {beta["reason"] for beta in of_factors.values()} == {None, "NOT_APPLICABLE"}


async def test_metrics_say_from_which_sessions_and_how_many_observations(analytics: Analytics) -> None:
    (name,) = new_symbols(1)
    await analytics.analyse(priced(for_symbols(name), {name: walk(22)}))

    shown = await metrics_of(analytics, name)

    month, day = shown["volatility_21d"], shown["total_return_1d"]
    assert (month["n_observations"], month["first_session"]) == (21, str(shift_session(SESSION, -20)))
    assert (day["n_observations"], day["first_session"]) == (2, str(shift_session(SESSION, -1)))
    assert month["last_session"] == day["last_session"] == str(SESSION)
    assert shown["pe_ratio"]["n_observations"] is None


async def test_results_carry_digest_and_version_of_the_code(analytics: Analytics) -> None:
    (name,) = new_symbols(1)
    await analytics.analyse(priced(for_symbols(name), {name: walk(23)}))

    shown = await analytics.shown(name, SESSION)

    for table in ("factors", "metrics"):
        assert shown[table]["code_version"] == CODE_VERSION
        assert len(bytes.fromhex(shown[table]["digest"])) == 16
    assert shown["factors"]["digest"] != shown["metrics"]["digest"]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
async def test_older_revision_of_a_statement_never_replaces_a_newer_one(
    analytics: Analytics, order: Sequence[int]
) -> None:
    (name,) = new_symbols(1)
    closes = walk(24)
    balance = quarters(name)[1]
    restated = balance.model_copy(update={"revision": 2, "items": {"total_stockholders_equity": 40.0}})
    others = [statement for statement in quarters(name) if statement.statement == "income"]
    for revision in order:
        await analytics.analyse(
            priced(for_symbols(name), {name: closes}), [in_dollars(name)], [*others, (balance, restated)[revision - 1]]
        )

    shown = await metrics_of(analytics, name)

    assert shown["pb_ratio"]["value"] == pytest.approx(10.0 * closes[-1] / 40.0, rel=1e-15)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_older_profile_never_replaces_a_newer_one(analytics: Analytics, order: Sequence[int]) -> None:
    (name,) = new_symbols(1)
    closes = walk(25)
    dated = {"counts_from": {"shares_outstanding": SESSION}}
    old = in_dollars(name, shares_outstanding=7.0, is_etf=True, **dated)
    new = in_dollars(name, shares_outstanding=8.0, is_etf=False, fetched_at=NOW + timedelta(hours=1), **dated)
    for index in order:
        await analytics.analyse(priced(for_symbols(name), {name: closes}), [(old, new)[index]])

    shown = await metrics_of(analytics, name)

    assert shown["market_cap"]["value"] == 8.0 * closes[-1]
    assert (shown["market_cap"]["basis"], shown["market_cap"]["period_end"]) == ("profile_shares", str(SESSION))
    assert shown["pe_ratio"]["reason"] == "MISSING_DATA"  # no longer a fund


async def test_restatement_writes_a_revision_of_the_metrics_of_its_symbol_and_of_no_factor(
    analytics: Analytics,
) -> None:
    changed, calm = new_symbols(2)
    closes = {changed: walk(26), calm: walk(27)}
    profiles = [in_dollars(changed), in_dollars(calm)]
    await analytics.analyse(priced(for_symbols(changed, calm), closes), profiles, [*quarters(changed), *quarters(calm)])
    income = next(statement for statement in quarters(changed) if statement.statement == "income")
    restated = income.model_copy(update={"revision": 2, "items": {**income.items, "net_income": 5.0}})
    for _ in range(2):
        await analytics.analyse(priced(for_symbols(changed, calm), closes), statements=[restated])

    assert await analytics.revisions([changed, calm], "symbol_metrics") == {changed: 2, calm: 1}
    assert await analytics.revisions([changed, calm], "symbol_estimates") == {changed: 1, calm: 1}


async def test_later_knowledge_changes_nothing_of_an_earlier_session(analytics: Analytics) -> None:
    (name,) = new_symbols(1)
    before = shift_session(SESSION, -5)
    closes = walk(28)
    early = make_run(first_session=before, last_session=before, symbols=[name])
    known = [in_dollars(name, beta=0.9, beta_as_of=before, dividend_yield=0.03, counts_from={"dividend_yield": before})]
    await analytics.analyse(priced(early, {name: closes}), known, quarters(name))
    first = await analytics.shown(name, before)

    later = Report("income", "quarterly", ENDS[0], {"net_income": 400.0}, SESSION, revision=2)
    news = in_dollars(
        name,
        beta=1.4,
        beta_as_of=SESSION,
        dividend_yield=0.05,
        counts_from={"dividend_yield": SESSION},
        fetched_at=NOW + timedelta(hours=1),
    )
    again = early.model_copy(update={"run_id": make_run().run_id})
    await analytics.analyse(priced(again, {name: closes}), [news], [stated(name, later)])

    assert await analytics.shown(name, before) == first
    assert first["metrics"]["metrics"]["pe_ratio"]["value"] is not None
    assert first["metrics"]["betas"]["provider_beta"]["value"] == 0.9
    for table in ("symbol_estimates", "symbol_metrics"):
        assert await analytics.revisions([name], table) == {name: 1}


@pytest.mark.parametrize(
    "assignment",
    [
        "pe_ratio = NULL",
        "pe_ratio = 'NaN'",
        "pe_ratio = 'Infinity'",
        "pe_ratio_basis = NULL",
        "price_return_1d = 'NaN'",
    ],
)
async def test_ratio_that_is_no_number_or_without_its_basis_is_refused_by_the_database(
    analytics: Analytics, assignment: str
) -> None:
    (name,) = new_symbols(1)
    await analytics.analyse(priced(for_symbols(name), {name: walk(29)}), [in_dollars(name)], quarters(name))
    async with analytics.service.unit_of_work.reading() as connection:
        with pytest.raises(IntegrityError):
            await connection.execute(
                sa.text(f"UPDATE symbol_metrics SET {assignment} WHERE symbol = :name"), {"name": name}
            )


async def test_shard_that_failed_is_announced_as_failed_in_both_stages(analytics: Analytics) -> None:
    names = new_symbols(2)
    run = for_symbols(*names)
    due = SymbolAnalyticsDue(run=run, part=ONLY_PART, symbols=names)
    async with analytics.service.unit_of_work() as uow:
        await report_failed_analysis(due, Failure(subject="shard-0", reason="KeyError", detail="a bug"), uow)

    for announced in (SymbolsFactored, SymbolsMeasured):
        (event,) = await analytics.announced(announced, run)
        assert [failure.subject for failure in event.failures] == list(names)
        assert {failure.reason for failure in event.failures} == {"KeyError"}


async def test_sessions_of_one_shard_are_those_of_a_run_each(analytics: Analytics) -> None:
    together, alone = new_symbols(2)
    closes = walk(30)
    first = shift_session(SESSION, -2)
    days = [first, shift_session(SESSION, -1), SESSION]
    run = make_run(first_session=first, last_session=SESSION, symbols=[together])
    await analytics.analyse(priced(run, {together: closes}), [in_dollars(together)], quarters(together))
    for day in days:
        own = make_run(first_session=day, last_session=day, symbols=[alone])
        prices = priced(run, {alone: closes}).model_copy(update={"run": own})
        await analytics.analyse(prices, [in_dollars(alone)], quarters(alone))

    for day in days:
        shown, other = await analytics.shown(together, day), await analytics.shown(alone, day)
        assert shown["factors"]["factors"] == other["factors"]["factors"]
        assert shown["metrics"]["metrics"] == other["metrics"]["metrics"]
    factored, measured = await analytics.results(run)
    assert factored.as_ofs == measured.as_ofs == tuple(days)
