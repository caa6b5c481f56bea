"""symbol_analytics from prices to stored and announced numbers, on real PostgreSQL."""

from datetime import date
from itertools import product

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from services.symbol_analytics.core.factors import estimate_factors
from services.symbol_analytics.core.metrics import realised_volatilities
from services.symbol_analytics.fan_out import SHARD_CELLS
from services.symbol_analytics.storage.inputs import SESSIONS_NEEDED
from shared.calendar import sessions_between, shift_session
from shared.contracts.market_data import HeldClose
from shared.contracts.run import ONLY_PART, Run
from shared.contracts.symbol_analytics import SymbolAnalyticsDue
from shared.conventions import FACTORS, MARKET_BETA
from shared.unavailable import Quantities, Reason, Unavailable
from tests.integration.symbol_analytics.conftest import (
    FACTOR_SET,
    Analytics,
    new_symbols,
    priced,
    profiled,
    proxies,
    walk,
)
from tests.support.runs import SESSION, make_run


def for_symbols(*symbols: str) -> Run:
    return make_run(symbols=symbols)


async def test_stored_factors_are_the_core_s_output_to_the_bit(analytics: Analytics) -> None:
    names = new_symbols(3)
    closes = {name: walk(index) for index, name in enumerate(names)}
    closes[names[1]][:200] = np.nan
    series = {name: series[~np.isnan(series)] for name, series in closes.items()}
    run = for_symbols(*names)
    await analytics.analyse(
        priced(run, {name: closes[name] for name in (names[0], names[2])}), profiled({names[0]: 1.25})
    )
    second = for_symbols(names[1])
    young = priced(second, {**{ticker: p[-66:] for ticker, p in proxies().items()}, names[1]: series[names[1]]})
    await analytics.analyse(young)

    no_beta = Unavailable(Reason.MISSING_DATA, "no provider has given a beta")
    provided = Quantities(np.array([1.25, np.nan, np.nan]), np.array([None, no_beta, no_beta], dtype=object))
    expected = estimate_factors(
        np.stack([closes[name][-SESSIONS_NEEDED:] for name in names], axis=1),
        {ticker: prices[-SESSIONS_NEEDED:] for ticker, prices in proxies().items()},
        factor_set=FACTOR_SET,
        provider_betas=provided,
    )
    stored = await analytics.rows("SELECT * FROM symbol_estimates_whole WHERE symbol = ANY(:names)", names=list(names))
    by_name = {row.symbol: row for row in stored if row.as_of == SESSION}
    assert len(by_name) == len(names)
    for i, name in enumerate(names):
        row = by_name[name]
        assert len(row.betas) == len(FACTORS)
        for j, factor in enumerate(FACTORS):
            reason = row.reasons[j]
            found = row.betas[j] if reason is None else Unavailable(Reason(reason), row.details[j])
            assert found == expected.betas.at((i, j)), (name, factor)
            assert row.n_observations[j] == expected.n_observations[i, j]
    assert {*by_name[names[1]].reasons} > {None, "NOT_APPLICABLE"}


async def test_announced_numbers_are_the_stored_ones(analytics: Analytics) -> None:
    (name,) = new_symbols(1)
    run = for_symbols(name)
    await analytics.analyse(priced(run, {name: walk(7)}))

    factored, measured = await analytics.results(run)

    shown = await analytics.shown(name, SESSION)
    at = factored.symbols.index(name)
    betas = {entry["factor"]: entry["beta"]["value"] for entry in shown["factors"]["factors"]}
    model = shown["factors"]["model"]
    loadings = {f"loading_{entry['factor']}": entry["loading"]["value"] for entry in model["loadings"]}
    errors = {f"loading_error_{entry['factor']}": entry["std_error"] for entry in model["loadings"]}
    left = {"specific_volatility": model["specific_volatility"]["value"]}
    assert dict(zip(factored.columns, factored.values[0][at], strict=True)) == betas | loadings | errors | left
    assert {factor for factor, loading in loadings.items() if loading is not None} == {
        "loading_market",
        "loading_value",
        "loading_momentum",
    }
    assert (model["n_observations"], model["last_session"]) == (252, str(SESSION))
    metrics = {metric: entry["value"] for metric, entry in shown["metrics"]["metrics"].items()}
    assert dict(zip(measured.columns, measured.values[0][at], strict=True)) == metrics
    window = realised_volatilities(walk(7)[:, None])
    assert metrics["volatility_21d"] == window.at((0, 0))
    assert all((entry["value"] is None) != (entry["reason"] is None) for entry in shown["metrics"]["metrics"].values())


async def test_symbol_without_prices_has_a_reason_in_every_cell(analytics: Analytics) -> None:
    (known, missing) = new_symbols(2)
    run = for_symbols(known, missing)
    await analytics.analyse(priced(run, {known: walk(8)}, missing=[missing]))

    shown = await analytics.shown(missing, SESSION)

    assert {entry["beta"]["reason"] for entry in shown["factors"]["factors"]} == {"MISSING_DATA", "NOT_APPLICABLE"}
    assert {entry["loading"]["reason"] for entry in shown["factors"]["model"]["loadings"]} == {"MISSING_DATA"}
    assert {entry["reason"] for entry in shown["metrics"]["metrics"].values()} == {"MISSING_DATA"}


async def test_shards_hold_every_symbol_at_every_session_of_the_run_once_and_stay_bounded(analytics: Analytics) -> None:
    names = new_symbols(40)
    run = make_run(first_session=shift_session(SESSION, -99), symbols=names)
    event = priced(run, {name: walk(1, 3) for name in names} | {ticker: walk(2, 3) for ticker in proxies()})
    async with analytics.service.unit_of_work() as uow:
        await analytics.fan_in.fan_out(run, [], uow)
    (empty,) = await analytics.announced(SymbolAnalyticsDue, run)
    assert (empty.symbols, empty.part) == ((), ONLY_PART)

    second = run.model_copy(update={"run_id": make_run().run_id})
    await analytics.analyse(event.model_copy(update={"run": second}))

    due = await analytics.announced(SymbolAnalyticsDue, second)
    assert [part.part.index for part in due] == list(range(len(due)))
    assert {part.part.total for part in due} == {len(due)}
    days_of = [sessions_between(part.first_session or date.max, part.last_session or date.min) for part in due]
    assert max(len(part.symbols) * len(days) for part, days in zip(due, days_of, strict=True)) <= SHARD_CELLS
    told = [(symbol, day) for part, days in zip(due, days_of, strict=True) for symbol in part.symbols for day in days]
    wanted = product([*names, *proxies()], sessions_between(run.first_session, run.last_session))
    assert sorted(told) == sorted(wanted)
    assert min(len(part.symbols) for part in due) == len(names) + len(proxies()), "a session costs the same for few"


@pytest.mark.parametrize(
    ("beta", "reason"), [(None, None), (1.0, "MISSING_DATA"), (float("nan"), None), (float("inf"), None)]
)
async def test_factor_without_exactly_one_of_value_and_reason_is_refused_by_the_database(
    analytics: Analytics, beta: float | None, reason: str | None
) -> None:
    (name,) = new_symbols(1)
    await analytics.analyse(priced(for_symbols(name), {name: walk(9)}))
    spoil = sa.text(
        "UPDATE symbol_estimates SET betas[:place] = :beta, reasons[:place] = CAST(:reason AS text), "
        "details[:place] = CAST(:reason AS text) WHERE symbol = :name"
    )
    place = FACTORS.index(MARKET_BETA) + 1
    async with analytics.service.unit_of_work.reading() as connection:
        with pytest.raises(IntegrityError):
            await connection.execute(spoil, {"name": name, "place": place, "beta": beta, "reason": reason})


@pytest.mark.parametrize("metric", ["price_return_1d", "volatility_252d", "factor_market_beta"])
async def test_metric_without_value_and_reason_is_refused_by_the_database(analytics: Analytics, metric: str) -> None:
    (name,) = new_symbols(1)
    await analytics.analyse(priced(for_symbols(name), {name: walk(10)}))
    async with analytics.service.unit_of_work.reading() as connection:
        with pytest.raises(IntegrityError):
            await connection.execute(
                sa.text(f"UPDATE symbol_metrics SET {metric} = NULL WHERE symbol = :name"), {"name": name}
            )


async def test_unchanged_inputs_write_nothing_and_a_changed_price_a_second_revision_of_its_symbol(
    analytics: Analytics,
) -> None:
    changed, calm = new_symbols(2)
    closes = {changed: walk(11), calm: walk(12)}
    await analytics.analyse(priced(for_symbols(changed, calm), closes))
    await analytics.analyse(priced(for_symbols(changed, calm), closes))
    for table in ("symbol_estimates", "symbol_metrics"):
        assert await analytics.revisions([changed, calm], table) == {changed: 1, calm: 1}

    corrected = closes[changed].copy()
    corrected[-3] *= 1.01
    await analytics.analyse(priced(for_symbols(changed, calm), closes | {changed: corrected}))

    for table in ("symbol_estimates", "symbol_metrics"):
        assert await analytics.revisions([changed, calm], table) == {changed: 2, calm: 1}


async def test_known_at_serves_what_was_known_before_a_correction(analytics: Analytics) -> None:
    (name,) = new_symbols(1)
    closes = walk(13)
    await analytics.analyse(priced(for_symbols(name), {name: closes}))
    first = await analytics.shown(name, SESSION)
    closes[-1] *= 1.02
    await analytics.analyse(priced(for_symbols(name), {name: closes}))

    now = await analytics.shown(name, SESSION)
    then = await analytics.shown(name, SESSION, known_at=first["metrics"]["known_at"])

    assert now["metrics"]["revision"] == 2
    assert now["factors"] != first["factors"]
    assert then == first


async def test_known_at_serves_the_session_that_was_the_newest_then(analytics: Analytics) -> None:
    (name,) = new_symbols(1)
    closes = walk(13)
    before = shift_session(SESSION, -1)
    await analytics.analyse(priced(make_run(first_session=before, last_session=before, symbols=[name]), {name: closes}))
    first = await analytics.shown(name, SESSION)
    await analytics.analyse(priced(for_symbols(name), {name: closes}))

    then = await analytics.shown(name, SESSION, known_at=first["metrics"]["known_at"])

    assert first["as_of"] == before.isoformat()
    assert (await analytics.shown(name, SESSION))["as_of"] == SESSION.isoformat()
    assert then == first


@pytest.mark.parametrize("as_of", [date(1990, 1, 3), date(1990, 1, 12)])
async def test_first_sessions_of_the_calendar_have_too_short_a_history(analytics: Analytics, as_of: date) -> None:
    (name,) = new_symbols(1)
    run = make_run(first_session=shift_session(as_of, -1), last_session=as_of, symbols=[name])
    await analytics.analyse(priced(run, {name: walk(14, 9), **{ticker: walk(15, 9) for ticker in proxies()}}))

    shown = await analytics.shown(name, as_of)

    betas = {entry["factor"]: entry["beta"]["reason"] for entry in shown["factors"]["factors"]}
    assert betas["market_beta"] == "INSUFFICIENT_HISTORY"
    assert shown["metrics"]["metrics"]["total_return_1d"]["value"] is not None
    assert shown["metrics"]["metrics"]["total_return_1y"]["reason"] == "INSUFFICIENT_HISTORY"


async def test_provider_beta_is_not_known_before_its_date_and_is_shown_with_its_origin(analytics: Analytics) -> None:
    (name,) = new_symbols(1)
    before = shift_session(SESSION, -1)
    run = make_run(first_session=before, last_session=SESSION, symbols=[name])
    await analytics.analyse(priced(run, {name: walk(16)}), profiled({name: 1.25}))

    entries = [(await analytics.shown(name, as_of))["factors"]["factors"] for as_of in (before, SESSION)]
    then, now = ({entry["factor"]: entry for entry in shown} for shown in entries)

    assert then["provider_beta"]["beta"]["value"] is None
    assert then["provider_beta"]["beta"]["detail"] == f"the provider's beta is of {SESSION}"
    assert now["provider_beta"]["beta"]["value"] == 1.25
    assert (now["provider_beta"]["source"], now["provider_beta"]["source_date"]) == ("test", str(SESSION))
    assert (now["market_beta"]["source"], now["market_beta"]["source_date"]) == (None, None)


async def test_number_that_held_closes_made_unavailable_says_so_until_nothing_is_held(analytics: Analytics) -> None:
    (symbol,) = new_symbols(1)
    closes, day = walk(7), shift_session(SESSION, -7)
    closes[[-4, -8]] = np.nan
    told = []
    for held in ((HeldClose(symbol=symbol, session=day, rule="UNEXPLAINED_JUMP"),), None, ()):
        run = make_run(symbols=(symbol,))
        await analytics.analyse(priced(run, {symbol: closes}).model_copy(update={"held": held}))
        told.append((await analytics.shown(symbol, SESSION))["metrics"]["metrics"]["volatility_21d"])

    missing = "4 of 21 returns are missing, 19 have to be there"
    tainted = f"{missing}; tainted by UNEXPLAINED_JUMP of {symbol} on {day}"
    assert [(entry["reason"], entry["detail"]) for entry in told] == [
        ("MISSING_DATA", tainted),
        ("MISSING_DATA", tainted),  # an event that says nothing of it leaves it as it was
        ("MISSING_DATA", missing),
    ]
