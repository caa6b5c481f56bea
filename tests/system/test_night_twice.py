"""A night on real sample prices, every stored number of which a second, plain implementation computes again."""

import logging
import math
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from services.market_data.settings import MarketDataSettings
from services.risk.core.measures import MEASURES
from shared.unavailable import Reason
from tests.support.platform import Json, running_platform
from tests.support.stack import Servers
from tests.system.agreement import TOLERANCE, Agreement
from tests.system.night import BENCHMARK, FACTOR_SET, INDEX, NIGHT, PORTFOLIOS, company, sectors, write_night
from tests.system.plain import performance
from tests.system.plain.book import RISK_FACTORS
from tests.system.plain.correlations import clusters, correlate, correlated
from tests.system.plain.exposures import active_sectors, factor_exposures, sector_exposures
from tests.system.plain.known import LOW_COVERAGE, Number, cell, withheld
from tests.system.plain.ledger import OLD, Day, PositionDay
from tests.system.plain.metrics import metrics_of
from tests.system.plain.model import model_of
from tests.system.plain.ratios import Ratio, ratios_of
from tests.system.plain.realised import tear_sheet
from tests.system.plain.scenarios import (
    REPLAYS,
    SCENARIOS,
    loaded_symbols,
    moves_of,
    reversed_stress,
    shocks_of,
    stress,
)
from tests.system.plain.symbols import Estimate
from tests.system.twice import Twice, enter

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
async def twice(own_servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Twice]:
    night = write_night(tmp_path_factory.mktemp("prices"))
    sources = MarketDataSettings(providers=("files", "sample"), files_dir=night.directory.path)
    async with running_platform(own_servers, sources, FACTOR_SET) as platform:
        weights = {"as_of": "2022-11-30", "weights": BENCHMARK}
        (await platform.api.client.put("/risk/benchmarks/SP500", json=weights)).raise_for_status()
        made_of = [{"symbol": symbol, "weight": weight} for symbol, weight in INDEX.items()]
        loaded = {"as_of": "2022-11-30", "constituents": made_of}
        (await platform.api.client.put("/universes/SP500", json=loaded)).raise_for_status()
        ids = await enter(platform, night)
        run = await platform.api.run(kind="nightly", last_session=str(NIGHT))
        yield Twice(platform, night, run, ids)


@pytest.fixture(scope="module")
def agreement() -> Iterator[Agreement]:
    """Collects what is compared; the figures are logged when all of it has been."""
    compared = Agreement()
    yield compared
    for line in compared.figures():
        log.info("%s", line)


def named(entries: Sequence[Json], key: str) -> dict[str, Json]:
    return {entry[key]: entry for entry in entries}


async def test_night_fails_only_for_what_nobody_has_prices_of(twice: Twice) -> None:
    assert twice.run["status"] == "completed_with_errors"
    failed = {failure["subject"] for failure in twice.run["failures"]}
    assert failed == {"NOBODYHAS", "NOBODYHAS230120C20", "AAPL221216P145", "SPLITS230217P100"}


async def test_night_holds_every_kind_of_trouble(twice: Twice) -> None:
    estimates = [estimate for row in twice.estimates.values() for estimate in row.values()]
    numbers = [estimate.beta for estimate in estimates] + [
        m.value for table in twice.measures.values() for m in table.values()
    ]
    assert {reason for reason in numbers if isinstance(reason, str)} == set(Reason)
    assert any(estimate.capped for estimate in estimates)
    measures = [measure for table in twice.measures.values() for measure in table.values()]
    assert any(withheld(measure.value, measure.coverage)[0] == LOW_COVERAGE for measure in measures)
    positions = [position for days in twice.days.values() for day in days for position in day.positions]
    assert {position.source for position in positions} == {"CLOSE", "CARRIED", "DELISTED", "COST", "EXIT"}
    assert any(position.oversold for position in positions)
    wild = twice.books["wild"]
    assert correlated(wild).clip > 0
    assert stress(wild, factor_exposures(wild), twice.factors, "rate_spike_300bp").beyond_gross
    assert correlated(twice.books["funds, private and troubled"]).missing_pairs > 0


async def test_factors_of_every_symbol_agree(twice: Twice, agreement: Agreement) -> None:
    served = {
        row["symbol"]: row for row in await twice.platform.api.items("/factors", first=str(NIGHT), last=str(NIGHT))
    }

    for symbol in agreement.names("factors", "symbols", served, twice.estimates):
        rows = named(served[symbol]["factors"], "factor")
        for name in agreement.names("factors", symbol, rows, twice.estimates[symbol]):
            compare_estimate(agreement, f"{symbol} {name}", rows[name], twice.estimates[symbol][name])
    agreement.check()


def compare_estimate(agreement: Agreement, what: str, served: Json, plain: Estimate) -> None:
    agreement.measure("factors", what, served["beta"], plain.beta)
    agreement.number("factors R2", what, served["r_squared"], plain.r_squared, least=1e-3)
    agreement.number("factors se", what, served["std_error"], plain.std_error)
    agreement.number("factors p", what, served["p_value"], plain.p_value)
    span = [None if day is None else str(day) for day in (plain.first, plain.last)]
    found = [served["n_observations"], served["capped"], served["first_session"], served["last_session"]]
    agreement.same("factors", f"{what} n, capped, first, last", found, [plain.n, plain.capped, *span])


async def test_loadings_of_every_symbol_agree(twice: Twice, agreement: Agreement) -> None:
    served = {row["symbol"]: row["model"] for row in await twice.platform.api.items("/factors", first=str(NIGHT))}

    for symbol in agreement.names("loadings", "symbols", served, twice.loadings):
        row, plain = served[symbol], twice.loadings[symbol]
        for entry in row["loadings"]:
            factor, what = entry["factor"], f"{symbol} {entry['factor']}"
            agreement.measure("loadings", what, entry["loading"], plain.of(factor), least=1e-6)
            agreement.number("loadings se", what, entry["std_error"], plain.errors.get(factor), least=1e-6)
        left: Number = plain.why or plain.specific
        agreement.measure("loadings", f"{symbol} specific", row["specific_volatility"], left, least=1e-6)
        agreement.number("loadings R2", symbol, row["r_squared"], plain.r_squared, least=1e-3)
        span = [None if day is None else str(day) for day in (plain.first, plain.last)]
        found = [row["n_observations"], row["first_session"], row["last_session"]]
        agreement.same("loadings", f"{symbol} n, first, last", found, [plain.n, *span])
    agreement.check()


async def test_metrics_of_every_symbol_agree(twice: Twice, agreement: Agreement) -> None:
    served = {
        row["symbol"]: row
        for row in await twice.platform.api.items("/symbol-metrics", first=str(NIGHT), last=str(NIGHT))
    }

    for symbol in agreement.names("metrics", "symbols", served, twice.estimates):
        rows, plain = served[symbol]["metrics"], metrics_of(symbol, twice.night.prices, NIGHT)
        ratios = ratios_of(company(symbol, twice.night.prices))
        for name in agreement.names("metrics", symbol, rows, {**plain, **ratios}):
            if name in ratios:
                compare_ratio(agreement, f"{symbol} {name}", rows[name], ratios[name])
            else:
                agreement.measure("metrics", f"{symbol} {name}", rows[name], plain[name])
        betas = served[symbol]["betas"]
        for name in agreement.names("metrics", f"{symbol} betas", betas, twice.estimates[symbol]):
            agreement.measure("metrics", f"{symbol} {name}", betas[name], twice.estimates[symbol][name].beta)
    agreement.check()


def compare_ratio(agreement: Agreement, what: str, served: Json, plain: Ratio) -> None:
    agreement.measure("ratios", what, served, plain.value)
    rests_on = [plain.basis, None if plain.period_end is None else str(plain.period_end)]
    agreement.same("ratios", f"{what} basis", [served["basis"], served["period_end"]], rests_on)


@pytest.mark.parametrize("name", PORTFOLIOS)
async def test_snapshots_of_all_sessions_agree_to_the_cent(twice: Twice, agreement: Agreement, name: str) -> None:
    served = await twice.platform.api.items(f"/portfolios/{twice.portfolio_ids[name]}/snapshots")

    agreement.same(
        "snapshots", f"{name} sessions", [s["as_of"] for s in served], [str(d.session) for d in twice.days[name]]
    )
    for snapshot, day in zip(served, twice.days[name], strict=True):
        what = f"{name} {day.session}"
        amounts = amounts_of(day)
        told = {key: snapshot[key] and Decimal(snapshot[key]) for key in amounts}
        agreement.same("snapshots", what, told, amounts)
        counts = counts_of(day)
        agreement.same("snapshots", f"{what} counts", {key: snapshot[key] for key in counts}, counts)
        agreement.measure("snapshots", f"{what} return", snapshot["daily_return"], day.daily_return)
        agreement.measure("snapshots", f"{what} index", snapshot["twr_index"], day.index)
    agreement.check()


def amounts_of(day: Day) -> dict[str, Decimal | None]:
    long, short, realised = day.total("value", sign=1), day.total("value", sign=-1), day.total("realised")
    return {
        "equity": day.equity,
        "pnl": day.pnl,
        "flow": day.flow,
        "contributions": day.contributions,
        "withdrawals": day.withdrawals,
        "cash": day.equity - long - short,
        "long_value": long,
        "short_value": short,
        "gross": long - short,
        "net": long + short,
        "exit_pnl": day.total("exit_pnl"),
        "realised_pnl": None if any(sold(each) and not each.splits_known for each in day.positions) else realised,
        "dividends": day.total("dividends"),
    }


def sold(position: PositionDay) -> bool:
    return bool(position.exit_pnl or position.realised)


def counts_of(day: Day) -> dict[str, int]:
    return {
        "positions": day.count(),
        "long_positions": day.count(sign=1),
        "short_positions": day.count(sign=-1),
        "stale_positions": day.count(*OLD),
        "at_cost_positions": day.count("COST"),
        "unvalued_positions": 0,
    }


@pytest.mark.parametrize("name", PORTFOLIOS)
async def test_position_values_of_all_sessions_agree(twice: Twice, agreement: Agreement, name: str) -> None:
    served = await twice.platform.api.items(
        "/position-values", portfolio_id=twice.portfolio_ids[name], first="2022-12-01", last=str(NIGHT)
    )

    for day in twice.days[name]:
        rows = sorted((row for row in served if row["as_of"] == str(day.session)), key=served_order)
        plain = sorted((position for position in day.positions if position.active), key=plain_order)
        symbols = [position.held.symbol for position in plain]
        agreement.same("positions", f"{name} {day.session}", [row["symbol"] for row in rows], symbols)
        for row, position in zip(rows, plain, strict=False):
            compare_position(agreement, f"{name} {day.session} {row['symbol']}", row, position)
    agreement.check()


def served_order(row: Json) -> tuple[Any, ...]:
    # Shares that options have ended in lie beside those that were bought.
    return row["symbol"], row["quantity"], Decimal(row["pnl"]), Decimal(row["cost"])


def plain_order(position: PositionDay) -> tuple[Any, ...]:
    return position.held.symbol, float(position.quantity), position.pnl, position.cost


def compare_position(agreement: Agreement, what: str, row: Json, plain: PositionDay) -> None:
    amounts = {
        "market_value": plain.value,
        "cost": plain.cost,
        "pnl": plain.pnl,
        "exit_pnl": plain.exit_pnl,
        "dividends": plain.dividends,
        "exposure": plain.exposure,
    }
    agreement.same("positions", what, {key: Decimal(row[key]) for key in amounts}, amounts)
    gains = {"unrealised_pnl": plain.value - plain.cost, "realised_pnl": plain.realised}
    told = {key: row[key] and Decimal(row[key]) for key in gains}
    agreement.same("positions", f"{what} gains", told, gains if plain.splits_known else dict.fromkeys(gains))
    option = plain.held.option
    facts = {
        "mark_source": plain.source,
        "mark_age": plain.age,
        "oversold": plain.oversold,
        "underlying": option.underlying if option else None,
        "sector": sectors().get(plain.held.symbol, "Unclassified"),
    }
    agreement.same("positions", what, {key: row[key] for key in facts}, facts)
    agreement.number("positions", f"{what} quantity", row["quantity"], float(plain.quantity))
    agreement.number("positions", f"{what} mark", row["mark"], float(plain.mark))
    agreement.number("positions", f"{what} volatility", row["assumed_volatility"], plain.assumed)
    for name in ("gamma", "vega", "theta", "rho"):
        agreement.number("greeks", f"{what} {name}", row[name], plain.greeks.get(name))
    for name, expected in (("delta", plain.delta), ("implied_volatility", plain.implied)):
        if expected is None:
            agreement.same("greeks", f"{what} {name}", row[name], None)
        else:
            agreement.measure("greeks", f"{what} {name}", row[name], expected)


@pytest.mark.parametrize("first", [None, date(2022, 12, 15)])
@pytest.mark.parametrize("name", PORTFOLIOS)
async def test_performance_over_a_window_agrees(
    twice: Twice, agreement: Agreement, name: str, first: date | None
) -> None:
    portfolio, since = PORTFOLIOS[name], first or PORTFOLIOS[name].opened_on
    query = {"first": str(first)} if first else {}
    path = f"/portfolios/{twice.portfolio_ids[name]}/performance"
    served = await twice.platform.api.get(path, last=str(NIGHT), **query)

    eve = twice.night.prices.session_before(since)
    window = performance.window_of(twice.days[name], portfolio.opening_equity, since, eve)
    fall, what = performance.drawdown(window), f"{name} from {since}"
    agreement.measure("performance", f"{what} TWR", served["twr"], performance.time_weighted(window))
    agreement.measure(
        "performance", f"{what} TWR a year", served["twr_annual"], performance.time_weighted_annual(window)
    )
    agreement.measure("performance", f"{what} MWR", served["mwr"], performance.money_weighted(window))
    agreement.measure(
        "performance", f"{what} MWR a year", served["mwr_annual"], performance.money_weighted_annual(window)
    )
    agreement.measure("performance", f"{what} depth", served["drawdown"]["depth"], fall.depth)
    agreement.measure("performance", f"{what} current", served["drawdown"]["current"], fall.current)
    when = {key: None if day is None else str(day) for key, day in fall.when().items()}
    agreement.same("performance", what, {key: served["drawdown"][key] for key in when}, when)
    for place, (entry, (deep, *edges)) in enumerate(zip(served["drawdown"]["worst"], fall.worst, strict=True)):
        agreement.number("performance", f"{what} fall {place}", entry["depth"], deep)
        told = [entry[day] for day in ("peak", "trough", "recovery")]
        agreement.same("performance", f"{what} fall {place}", told, [day and str(day) for day in edges])
    sums = {"opening_equity": window.equity, "closing_equity": window.days[-1].equity, **window.sums()}
    agreement.same("performance", f"{what} sums", {key: Decimal(served[key]) for key in sums}, sums)
    for point, depth in zip(served["points"], fall.falls or [None] * len(window.days), strict=True):
        agreement.number("performance", f"{what} {point['as_of']}", point["drawdown"], depth)
    agreement.check()


@pytest.mark.parametrize("name", PORTFOLIOS)
async def test_realised_performance_agrees(twice: Twice, agreement: Agreement, name: str) -> None:
    days, opened_on = twice.days[name], PORTFOLIOS[name].opened_on
    served = await twice.platform.api.get(f"/portfolios/{twice.portfolio_ids[name]}/realised", as_of=str(NIGHT))

    known = [np.nan if isinstance(day.daily_return, str) else day.daily_return for day in days]
    returns = pd.Series(known, index=pd.DatetimeIndex([day.session for day in days]))
    eve, broken = twice.night.prices.session_before(opened_on), isinstance(days[-1].index, str)
    plain = tear_sheet(returns, opened_on, eve, broken=broken)
    rows = named(served["windows"], "window")
    for window in agreement.names("realised", name, rows, plain):
        count, figures = plain[window]
        agreement.same("realised", f"{name} {window} returns", rows[window]["returns"], count)
        for figure, value in figures.items():
            agreement.measure("realised", f"{name} {window} {figure}", rows[window][figure], value)
    agreement.check()


@pytest.mark.parametrize("name", PORTFOLIOS)
async def test_every_measure_of_risk_agrees(twice: Twice, agreement: Agreement, name: str) -> None:
    served = await twice.risk(name)

    agreement.same("measures", f"{name} equity", Decimal(served["equity"]), twice.days[name][-1].equity)
    rows = named(served["measures"], "measure")
    plain = twice.measures[name]
    agreement.same("measures", "the table", sorted(rows), sorted(measure.name for measure in MEASURES))
    for measure in agreement.names("measures", name, rows, plain):
        row, mine = rows[measure], plain[measure]
        what = f"{name} {measure}"
        agreement.figure(family_of(measure), what, row["value"], mine.value, coverage=mine.coverage, least=1e-6)
        agreement.measure("measures coverage", f"{name} {measure}", row["coverage"], mine.coverage)
        looked_at = row["observations"], row["window"]
        agreement.same(family_of(measure), f"{name} {measure} n", looked_at, (mine.observations, mine.window))
    agreement.check()


def family_of(measure: str) -> str:
    families: dict[str, tuple[str, ...]] = {
        "volatility": ("volatility_",),
        "VaR and ES": ("var_", "es_", "ten_session"),
        "back-test": ("kupiec", "var_exceptions", "independence", "conditional"),
        "correlation": ("average_correlation", "effective_bets"),
        "active risk": ("tracking_error", "information_ratio"),
        "factor model": ("model_", "systematic_", "specific_"),
    }
    found = [family for family, begins in families.items() if measure.startswith(begins)]
    return f"measures of {found[-1] if found else 'state'}"


@pytest.mark.parametrize("name", PORTFOLIOS)
async def test_factor_and_sector_exposures_agree(twice: Twice, agreement: Agreement, name: str) -> None:
    served, active, book = await twice.risk(name), await twice.risk(name, "/active-sectors"), twice.books[name]

    rows, plain = named(served["factors"], "factor"), factor_exposures(book)
    for factor in agreement.names("factor exposures", name, rows, plain):
        coverage = plain[factor].coverage
        agreement.measure("factor exposures", f"{name} {factor} coverage", rows[factor]["coverage"], coverage)
        for kind in ("beta", "dollars"):
            value = getattr(plain[factor], kind)
            what = f"{name} {factor} {kind}"
            agreement.figure("factor exposures", what, rows[factor][kind], value, coverage=coverage)
    held, mine = named(served["sectors"], "sector"), sector_exposures(book)
    for sector in agreement.names("sectors", name, held, mine):
        for kind in ("net", "gross"):
            what = f"{name} {sector} {kind}"
            agreement.same("sectors", what, float(held[sector][kind]), round(getattr(mine[sector], kind), 2))
            ratio = f"{kind}_over_equity"
            agreement.measure("sectors", what, held[sector][ratio], getattr(mine[sector], ratio))
    against, difference = named(active["sectors"], "sector"), active_sectors(book, BENCHMARK)
    agreement.same("sectors", f"{name} active", active["reason"], None if book.equity > 0 else book.why_nothing)
    for sector in agreement.names("sectors", f"{name} active", against, difference):
        weight, active_weight = difference[sector]
        agreement.number("sectors", f"{name} {sector} weight", against[sector]["benchmark_weight"], weight)
        agreement.number("sectors", f"{name} {sector} active", against[sector]["active"], active_weight)
    agreement.check()


@pytest.mark.parametrize("name", PORTFOLIOS)
async def test_correlations_and_clusters_agree(twice: Twice, agreement: Agreement, name: str) -> None:
    served, book = await twice.risk(name, "/correlations"), twice.books[name]

    plain = correlated(book)
    symbols = [str(name) for name in plain.matrix]
    agreement.same("correlations", f"{name} symbols", served["symbols"], symbols)
    for one, row in zip(symbols, served["matrix"], strict=True):
        for other, value in zip(symbols, row, strict=True):
            expected = cell(plain.matrix, one, other)
            known = expected if math.isfinite(expected) else None
            agreement.number("correlations", f"{name} {one} {other}", value, known)
    agreement.number("correlations", f"{name} clip", served["clip"], plain.clip)
    agreement.same("correlations", f"{name} missing pairs", served["missing_pairs"], plain.missing_pairs)
    found = [(cluster["name"], cluster["symbols"]) for cluster in served["clusters"]]
    agreement.same("clusters", name, found, clusters(book, plain))
    agreement.check()


@pytest.mark.parametrize("name", PORTFOLIOS)
async def test_scenarios_agree_directly_and_by_the_model(twice: Twice, agreement: Agreement, name: str) -> None:
    served, book = await twice.risk(name, "/stress"), twice.books[name]

    exposures = factor_exposures(book)
    rows = named(served["scenarios"], "scenario")
    for scenario in agreement.names("stress", name, rows, SCENARIOS):
        row, plain = rows[scenario], stress(book, exposures, twice.factors, scenario)
        what = f"{name} {scenario}"
        agreement.figure("stress direct", what, row["direct"], plain.direct, coverage=plain.direct_coverage)
        agreement.figure("stress model", what, row["model"], plain.model, coverage=plain.model_coverage)
        told = isinstance(withheld(plain.model, plain.model_coverage)[0], float)
        risen = plain.at_risen_volatility if told else None
        agreement.number("stress at risen volatility", what, row["model_at_risen_volatility"], risen)
        agreement.measure("stress coverage", what, row["coverage"], plain.coverage)
        agreement.same("stress", f"{name} {scenario} beyond gross", row["beyond_gross"], plain.beyond_gross)
        agreement.number(
            "stress shares", f"{name} {scenario}", row["extrapolated_share"], plain.extrapolated_share, least=1e-6
        )
    agreement.check()


async def test_book_of_the_markets_proxy_loses_what_the_market_does_in_every_scenario(twice: Twice) -> None:
    served = await twice.risk("the market", "/stress")

    (held,) = twice.days["the market"][-1].positions
    assert len(served["scenarios"]) == 22
    for row in served["scenarios"]:
        (market,) = [move for move in row["moves"] if move["factor"] == "market"]
        moved = float(held.value) * market["move"]
        assert row["model"]["value"] == pytest.approx(moved, rel=1e-9), row["scenario"]
        if market["shock"] is not None:
            assert market["move"] == pytest.approx(market["shock"], rel=1e-9), row["scenario"]


@pytest.mark.parametrize("name", PORTFOLIOS)
async def test_reverse_stress_agrees(twice: Twice, agreement: Agreement, name: str) -> None:
    served, book = await twice.risk(name, "/stress"), twice.books[name]

    assert [entry["loss"] for entry in served["reverse"]] == [0.05, 0.1, 0.2]
    # With options either side searches.
    within = 1e-6 if book.options else TOLERANCE
    for entry in served["reverse"]:
        distance, moves = reversed_stress(book, twice.factors, entry["loss"])
        coverage, what = book.coverage(loaded_symbols(book)), f"{name} {entry['loss']}"
        agreement.figure("reverse stress", what, entry["distance"], distance, coverage=coverage, within=within)
        for move in entry["moves"]:
            what = f"{name} {entry['loss']} {move['factor']}"
            agreement.number("reverse stress", what, move["move"], moves.get(move["factor"]), least=1e-6, within=within)
    agreement.check()


async def test_moves_and_covariance_of_the_factors_agree(twice: Twice, agreement: Agreement) -> None:
    (stored,) = await twice.platform.fetch("SELECT * FROM risk.factor_moves WHERE as_of = $1", NIGHT)
    served = await twice.risk("long only", "/stress")

    factors, place = twice.factors, list(RISK_FACTORS).index
    for row in served["scenarios"]:
        basis = "tabulated" if row["scenario"] in REPLAYS else "hypothetical"
        agreement.same("factor moves", f"{row['scenario']} basis", row["basis"], basis)
        shocks = shocks_of(row["scenario"])
        moves = moves_of(row["scenario"], factors)
        for entry in row["moves"]:
            name, what = entry["factor"], f"{row['scenario']} {entry['factor']}"
            agreement.number("factor moves", what, entry["move"], moves.get(name))
            agreement.number("factor moves", f"{what} shock", entry["shock"], shocks.get(name))
            beyond = name in moves and abs(moves[name]) > factors.largest[name]
            agreement.same("factor moves", f"{what} extrapolated", entry["extrapolated"], beyond)
    there = [str(name) for name in factors.covariance]
    for one in there:
        agreement.number("factor moves", f"largest {one}", stored["largest"][place(one)], factors.largest[one])
        for other in there:
            covariance = stored["covariance"][place(one) * len(RISK_FACTORS) + place(other)]
            expected = cell(factors.covariance, one, other)
            agreement.number("factor covariance", f"{one} {other}", covariance, expected)
    assert stored["correlated"] == there
    matrix = correlate(twice.factor_returns[there]).matrix
    pairs = [(one, other) for index, one in enumerate(there) for other in there[index + 1 :]]
    for (one, other), value in zip(pairs, stored["correlations"], strict=True):
        agreement.number("factor correlations", f"{one} {other}", value, cell(matrix, one, other))
    agreement.check()


@pytest.mark.parametrize("name", PORTFOLIOS)
async def test_contributions_to_the_volatility_agree(twice: Twice, agreement: Agreement, name: str) -> None:
    served, book = await twice.risk(name, "/contributions"), twice.books[name]

    plain = model_of(book, twice.basis)
    total = plain.measures()["model_volatility"]
    agreement.figure("contributions", name, served["volatility"], total, coverage=plain.coverage, least=1e-9)
    agreement.number("contributions", f"{name} specific", served["specific"], plain.by_specific, least=1e-9)
    for entry in served["factors"]:
        what, expected = f"{name} {entry['factor']}", plain.by_factor.get(entry["factor"])
        agreement.number("contributions", what, entry["contribution"], expected, least=1e-9)
    agreement.same("contributions", name, [entry["symbol"] for entry in served["holdings"]], book.symbols)
    for entry in served["holdings"]:
        symbol, what = entry["symbol"], f"{name} {entry['symbol']}"
        weight = book.weight(symbol) if book.equity > 0 else None
        agreement.number("contributions", f"{what} weight", entry["weight"], weight, least=1e-9)
        agreement.number("contributions", what, entry["contribution"], plain.by_holding.get(symbol), least=1e-9)
        agreement.number("contributions", f"{what} marginal", entry["marginal"], plain.marginal.get(symbol), least=1e-9)
    agreement.check()
