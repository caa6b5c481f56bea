"""The chain of five services, on a real database and a real broker: what goes in at one end comes out at the other."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer

from services.market_data.settings import MarketDataSettings
from services.scheduler.main import replay
from shared.calendar import sessions_between
from shared.contracts.market_data import MarketDataDue
from shared.contracts.run import ONLY_PART
from shared.contracts.scheduler import BatchTriggered
from tests.support.eventually import eventually
from tests.support.platform import Json, Platform, running_platform
from tests.support.probe import Sender, with_headers
from tests.support.runs import make_run
from tests.support.stack import Servers

OPENED, ONBOARDED, NIGHT = date(2022, 12, 1), date(2022, 12, 20), date(2022, 12, 28)
STAGES = (
    *("profiles.updated", "prices.updated", "fundamentals.updated", "symbols.factored"),
    *("symbols.measured", "portfolios.valued", "portfolios.assessed"),
)
HEADER = "Symbol,Quantity,Entry Price Per Share,Entry Date,Investment Class\n"
RESULTS = {
    "market_data": ("bars", "findings", "profiles"),
    "symbol_analytics": ("price_bars", "symbol_estimates", "symbol_metrics"),
    "portfolio": ("price_bars", "snapshots", "book_values"),
    "risk": (
        *("price_bars", "betas", "books", "assessments"),
        *("portfolio_factors", "portfolio_measures", "portfolio_sectors"),
    ),
}


@pytest.fixture(scope="module")
async def platform(own_servers: Servers) -> AsyncIterator[Platform]:
    async with running_platform(own_servers, MarketDataSettings(providers=("sample",))) as running:
        yield running


async def onboard(platform: Platform, name: str, *rows: str, as_of: date = ONBOARDED) -> tuple[Json, Json]:
    """Enter a portfolio and return what was answered and the run when it has ended."""
    csv = HEADER + "\n".join(rows)
    entered = await platform.api.import_portfolio(
        name, csv, opening_equity="100000.00", opened_on=str(OPENED), as_of=str(as_of)
    )
    return entered, await platform.api.ended(entered["run_id"])


async def snapshots_of(platform: Platform, portfolio_id: str) -> list[Json]:
    found: list[Json] = await platform.api.items(f"/portfolios/{portfolio_id}/snapshots")
    return found


def factor(symbol: Json, name: str) -> Json:
    """Return one factor of a symbol's answer."""
    found: Json = next(entry for entry in symbol["factors"]["factors"] if entry["factor"] == name)
    return found


def named(entries: list[Json], key: str) -> dict[str, Json]:
    return {entry[key]: entry for entry in entries}


def assert_chained(snapshots: list[Json], opening: str) -> None:
    """Each equity is the one before plus P&L plus flow, to the cent."""
    equities = [Decimal(opening), *(Decimal(entry["equity"]) for entry in snapshots)]
    moves = [Decimal(entry["pnl"]) + Decimal(entry["flow"]) for entry in snapshots]
    assert [after - before for before, after in pairwise(equities)] == moves


async def test_onboarding_of_new_symbols_ends_in_snapshots_risk_and_factors_without_another_call(
    platform: Platform,
) -> None:
    entered, run = await onboard(platform, "new symbols", "AAPL,100,140,2022-11-01,", "XOM,-50,110,2022-12-05,")

    assert run["status"] == "completed"
    assert run["run"]["kind"] == "onboarding"
    assert run["run"]["symbols"] == ["AAPL", "XOM"]
    assert tuple(stage["stage"] for stage in run["stages"]) == STAGES
    assert all(stage["parts_done"] == stage["parts_total"] for stage in run["stages"])
    snapshots = await snapshots_of(platform, entered["portfolio_id"])
    assert [entry["as_of"] for entry in snapshots] == [str(day) for day in sessions_between(OPENED, ONBOARDED)]
    assert_chained(snapshots, "100000.00")
    risk = await platform.api.get(f"/risk/portfolios/{entered['portfolio_id']}", as_of=str(NIGHT))
    assert risk["as_of"] == str(ONBOARDED)
    assert risk["equity"] == snapshots[-1]["equity"]
    assert named(risk["factors"], "factor")["market_beta"]["coverage"]["value"] == 1.0
    symbol = await platform.api.get("/symbols/AAPL", as_of=str(ONBOARDED))
    assert factor(symbol, "market_beta")["n_observations"] == 90
    assert symbol["metrics"]["metrics"]["volatility_252d"]["value"] > 0


async def test_onboarding_of_a_known_and_a_new_symbol_asks_the_provider_for_the_new_one_only(
    platform: Platform,
) -> None:
    await onboard(platform, "knows JNJ", "JNJ,10,170,2022-11-01,")
    before = await platform.api.get("/prices/JNJ")

    entered, run = await onboard(platform, "JNJ and KO", "JNJ,10,170,2022-11-01,", "KO,20,60,2022-11-01,")

    assert run["status"] == "completed"
    assert await platform.api.get("/prices/JNJ") == before
    assert len((await platform.api.get("/prices/KO"))["items"]) == len(before["items"])
    values = await platform.api.items(f"/portfolios/{entered['portfolio_id']}/values", as_of=str(ONBOARDED))
    assert [(value["symbol"], value["mark_source"]) for value in values] == [("JNJ", "CLOSE"), ("KO", "CLOSE")]
    due = await platform.fetch(
        "SELECT convert_from(value, 'UTF8')::jsonb AS event FROM market_data.outbox "
        "WHERE topic = 'market_data.due' AND run_id = $1",
        UUID(entered["run_id"]),
    )
    fetched = {symbol for row in due for symbol in _fetched(row["event"])}
    assert fetched == {"KO"}


def _fetched(event: str) -> list[str]:
    due = MarketDataDue.model_validate_json(event)
    return [] if due.fetch_first is None else list(due.symbols)


async def test_night_over_everything_serves_every_portfolio_and_heals_the_nights_that_were_skipped(
    platform: Platform,
) -> None:
    entered, _ = await onboard(platform, "skips nights", "MSFT,10,240,2022-11-01,")

    night = await platform.api.run(kind="nightly", last_session=str(NIGHT))

    assert night["status"] in {"completed", "completed_with_errors"}
    assert night["run"]["symbols"] is None
    snapshots = await snapshots_of(platform, entered["portfolio_id"])
    assert [entry["as_of"] for entry in snapshots] == [str(day) for day in sessions_between(OPENED, NIGHT)]
    assert_chained(snapshots, "100000.00")
    known = [entry["known_at"] for entry in snapshots]
    assert known == sorted(known), "the oldest session is written first"
    everyone = await platform.api.items("/portfolios")
    newest = await platform.api.items("/snapshots", first=str(NIGHT), last=str(NIGHT))
    assert {entry["portfolio_id"] for entry in newest} == {entry["portfolio_id"] for entry in everyone}
    assessed = await platform.api.items("/risk", first=str(NIGHT), last=str(NIGHT))
    assert {entry["portfolio_id"] for entry in assessed} == {entry["portfolio_id"] for entry in everyone}
    analysed = await platform.api.items("/factors", first=str(NIGHT), last=str(NIGHT))
    watched = await platform.api.items("/coverage")
    assert {entry["symbol"] for entry in analysed} == {entry["symbol"] for entry in watched}


async def test_what_is_unavailable_says_why_and_lowers_coverage(platform: Platform) -> None:
    entered, run = await onboard(
        platform,
        "unavailable",
        *("PG,100,140,2022-11-01,", "NOBODYHAS,20,230,2022-12-12,", "HARBOR_HOUSE,1,20000,2022-01-03,PRIVATE"),
    )

    assert run["status"] == "completed_with_errors"
    assert run["failures"] == [
        {
            "stage": "prices.updated",
            "subject": "NOBODYHAS",
            "reason": "MISSING_DATA",
            "detail": "no provider serves NOBODYHAS (sample: not in the sample)",
        }
    ]
    known = await platform.api.get("/symbols/PG", as_of=str(ONBOARDED))
    assert factor(known, "growth")["beta"]["reason"] == "NOT_APPLICABLE"
    assert factor(known, "rate_beta")["beta"]["reason"] == "NOT_APPLICABLE"
    assert factor(known, "momentum")["beta"]["value"] is not None
    unknown = await platform.api.get("/symbols/NOBODYHAS", as_of=str(ONBOARDED))
    assert factor(unknown, "market_beta")["beta"]["reason"] == "MISSING_DATA"
    assert unknown["metrics"]["metrics"]["volatility_21d"]["reason"] == "MISSING_DATA"

    values = named(await platform.api.items(f"/portfolios/{entered['portfolio_id']}/values"), "symbol")
    assert {symbol: value["mark_source"] for symbol, value in values.items()} == {
        "HARBOR_HOUSE": "COST",
        "NOBODYHAS": "COST",
        "PG": "CLOSE",
    }
    risk = await platform.api.get(f"/risk/portfolios/{entered['portfolio_id']}")
    covered = Decimal(values["PG"]["market_value"])
    gross = covered + Decimal("20000") + Decimal("4600")
    market = named(risk["factors"], "factor")["market_beta"]
    assert market["coverage"]["value"] == pytest.approx(float(covered / gross), rel=1e-12)
    assert named(risk["factors"], "factor")["rate_beta"]["beta"]["value"] is None
    assert named(risk["measures"], "measure")["volatility_63d"]["coverage"]["value"] == market["coverage"]["value"]


async def test_poison_stops_nobody_and_is_shown_to_people(platform: Platform) -> None:
    good = BatchTriggered(run=make_run(), part=ONLY_PART)
    producer = AIOKafkaProducer(bootstrap_servers=platform.servers.bootstrap_servers)
    await producer.start()
    try:
        sender = Sender(producer)
        for topic in ("batch.triggered", "prices.updated", "portfolio.due"):
            await sender.raw(topic, b'{"run": "nonsense', headers=with_headers(good))
        await sender.raw("batch.triggered", b"{}", headers=with_headers(good, ce_type="batch.triggered.v9"))
    finally:
        await producer.stop()

    _, run = await onboard(platform, "goes on", "WMT,10,150,2022-11-01,")

    assert run["status"] == "completed"

    async def letters() -> list[Json]:
        found: list[Json] = await platform.api.items("/dead-letters")
        return found if len(found) >= 7 else []

    found = await eventually(letters)
    said = {(letter["topic"], letter["consumer"], letter["reason"]) for letter in found}
    consumers = {
        "batch.triggered": ["market_data.plan_run"],
        "prices.updated": [
            "portfolio.store_prices",
            "risk.store_prices",
            "scheduler.record_progress",
            "symbol_analytics.store_prices",
        ],
        "portfolio.due": ["portfolio.value_portfolios"],
    }
    assert said == {(topic, name, "InvalidEvent") for topic, names in consumers.items() for name in names}
    assert any("v9" in letter["detail"] for letter in found)


async def test_rerun_of_a_session_writes_nothing(platform: Platform) -> None:
    await onboard(platform, "runs again", "HD,10,300,2022-11-01,", "BAC,-20,35,2022-11-01,")
    bounds = {"first_session": "2022-12-22", "last_session": str(NIGHT)}
    await platform.api.run(**bounds)
    before = await _written(platform)

    again = await platform.api.run(**bounds)

    assert again["status"] in {"completed", "completed_with_errors"}
    assert await _written(platform) == before


async def _written(platform: Platform) -> dict[str, tuple[int, Any]]:
    # The newest inserting transaction shows rows that were rewritten with the values they had.
    found = {}
    for service, tables in RESULTS.items():
        for table in tables:
            rows = await platform.fetch(f"SELECT count(*), max(xmin::text::bigint) FROM {service}.{table}")
            found[f"{service}.{table}"] = (rows[0][0], rows[0][1])
    return found


async def test_run_over_no_portfolio_ends_with_symbols_alone_and_one_over_all_computes_every_one(
    platform: Platform,
) -> None:
    await onboard(platform, "everybody", "PG,10,140,2022-11-01,")
    session = sessions_between(ONBOARDED, NIGHT)[1]

    nobody = await _opened(platform, symbols=None, portfolio_ids=(), first_session=session, last_session=session)

    stages = named(nobody["stages"], "stage")
    assert nobody["missing"] == []
    # A symbol that nobody has prices for may be among those of earlier tests.
    assert {failure["stage"] for failure in nobody["failures"]} <= {"prices.updated"}
    assert [stages[name]["subjects"] for name in ("portfolios.valued", "portfolios.assessed")] == [0, 0]
    assert stages["symbols.factored"]["subjects"] > 0
    owned = await platform.fetch(
        "SELECT run_id FROM portfolio.snapshots WHERE run_id = $1 UNION SELECT run_id FROM risk.assessments "
        "WHERE run_id = $1",
        UUID(nobody["run"]["run_id"]),
    )
    assert owned == []

    everybody = await _opened(platform, symbols=(), portfolio_ids=None, first_session=session, last_session=session)

    stages, known = named(everybody["stages"], "stage"), await platform.api.items("/portfolios")
    assert everybody["missing"] == []
    assert {stages[name]["subjects"] for name in ("portfolios.valued", "portfolios.assessed")} == {len(known)}
    for path in ("/snapshots", "/risk"):
        served = await platform.api.items(path, first=str(session), last=str(session))
        assert {entry["portfolio_id"] for entry in served} == {entry["portfolio_id"] for entry in known}


async def _opened(platform: Platform, **terms: Any) -> Json:
    """Open a run of a scope that nobody can ask for, and return it when it has ended."""
    run = make_run(**terms)
    assert not await replay(platform.database.common, run)
    return await platform.api.ended(str(run.run_id))


async def test_flow_entered_later_revises_the_sessions_from_its_day_on(platform: Platform) -> None:
    entered, _ = await onboard(platform, "paid in later", "CVX,10,170,2022-11-01,")
    paid = date(2022, 12, 14)

    path = f"/portfolios/{entered['portfolio_id']}/flows?as_of={ONBOARDED}"
    edited = await platform.api.post(path, {"on": str(paid), "amount": "25000.00"})
    await platform.api.ended(edited["run_id"])

    snapshots = await snapshots_of(platform, entered["portfolio_id"])
    assert_chained(snapshots, "100000.00")
    assert {entry["as_of"]: entry["revision"] for entry in snapshots} == {
        str(day): 2 if day >= paid else 1 for day in sessions_between(OPENED, ONBOARDED)
    }
