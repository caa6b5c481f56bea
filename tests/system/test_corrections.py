"""Corrected prices, trades and flows: everything they touch has a new revision that is right, the rest is left alone.

Beside each symbol that is wrong at first there is a twin that never was, in a book of its own: once the corrections are
in, both must show the same numbers.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.market_data.settings import MarketDataSettings
from shared.calendar import sessions_between
from shared.factor_set import FactorSet
from tests.support.digests import digest_results
from tests.support.platform import Json, Platform, running_platform
from tests.support.price_directories import PriceDirectory
from tests.support.stack import Servers

pytestmark = pytest.mark.slow

SESSIONS = sessions_between(date(2022, 12, 19), date(2022, 12, 28))
FIRST, SPOILT, AFTER, LAST = SESSIONS[0], SESSIONS[3], SESSIONS[4], SESSIONS[-1]
BEFORE = [str(day) for day in SESSIONS if day < SPOILT]
TOUCHED = [str(day) for day in SESSIONS if day >= SPOILT]
ONLY_MARKET = FactorSet(
    value=None, growth=None, momentum=None, quality=None, size=None, low_volatility=None, market="MKT", rate=None
)
TWINS = {"CLOSE": "RIGHT.CLOSE", "SPLIT": "RIGHT.SPLIT", "PAYER": "RIGHT.PAYER"}


@dataclass(frozen=True, slots=True)
class Figures:
    """What the platform shows of every session."""

    snapshots: dict[str, dict[str, Json]]
    risk: dict[str, dict[str, Json]]
    factors: dict[str, dict[str, Json]]
    metrics: dict[str, dict[str, Json]]

    def revisions(self, table: str, subject: str) -> dict[str, int]:
        return {day: entry["revision"] for day, entry in getattr(self, table)[subject].items()}


@dataclass(slots=True)
class World:
    """The platform, its price files, and three books: one that is wrong, its twin, and one with none of both."""

    platform: Platform
    prices: PriceDirectory
    books: dict[str, str]

    async def run(self, first: date, last: date) -> Json:
        """Run sessions over everything and check that every part of every stage is in."""
        run = await self.platform.api.run(first_session=str(first), last_session=str(last))
        assert (run["status"], run["failures"]) == ("completed", [])
        assert all(stage["parts_done"] == stage["parts_total"] for stage in run["stages"])
        return run

    async def figures(self, **known: str) -> Figures:
        """Read everything, as it was known at an instant."""
        api, days = self.platform.api, {"first": str(FIRST), "last": str(LAST), **known}
        symbols = ("MKT", "CALM", *TWINS, *TWINS.values())
        risk = await api.items("/risk", **days)
        return Figures(
            snapshots={
                name: _by_day(await api.items(f"/portfolios/{book}/snapshots", **days))
                for name, book in self.books.items()
            },
            risk={name: _by_day([e for e in risk if e["portfolio_id"] == book]) for name, book in self.books.items()},
            factors={name: _by_day(await api.items("/factors", symbol=name, **days)) for name in symbols},
            metrics={name: _by_day(await api.items("/symbol-metrics", symbol=name, **days)) for name in symbols},
        )


def _by_day(entries: list[Json]) -> dict[str, Json]:
    return {entry["as_of"]: entry for entry in entries}


@pytest.fixture(scope="module")
async def world(own_servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    prices = PriceDirectory(tmp_path_factory.mktemp("prices"))
    prices.add("MKT", "CALM", *TWINS, last=LAST)
    for wrong, right in TWINS.items():
        prices.closes[right] = dict(prices.closes[wrong])
    halved = {day: round(close / 2.0, 2) for day, close in prices.closes["SPLIT"].items() if day >= SPOILT}
    for symbol in ("SPLIT", "RIGHT.SPLIT"):
        prices.closes[symbol] |= halved
    prices.splits["RIGHT.SPLIT", SPOILT] = 2.0
    prices.dividends["RIGHT.PAYER", SPOILT] = 0.75
    prices.closes["CLOSE"][SPOILT] += 5.0
    prices.write()
    sources = MarketDataSettings(providers=("files",), files_dir=prices.path)
    async with running_platform(own_servers, sources, ONLY_MARKET) as platform:
        books = {
            "wrong": await _book(platform, "wrong", *TWINS),
            "right": await _book(platform, "right", *TWINS.values()),
            "calm": await _book(platform, "calm", "CALM"),
        }
        yield World(platform, prices, books)


async def _book(platform: Platform, name: str, *symbols: str) -> str:
    positions = [
        {"symbol": symbol, "kind": "LONG", "quantity": "10", "entry_date": str(FIRST), "entry_price": "100"}
        for symbol in symbols
    ]
    terms = {"opening_equity": "50000", "opened_on": str(FIRST), "as_of": str(FIRST)}
    entered = await platform.api.post("/portfolios", {"name": name, "positions": positions, **terms})
    assert (await platform.api.ended(entered["run_id"]))["status"] == "completed"
    portfolio_id: str = entered["portfolio_id"]
    return portfolio_id


def _numbers(entry: Json) -> Any:
    """Return what must agree between twins: everything but names, revisions and instants."""
    without = ("symbol", "portfolio_id", "revision", "known_at", "digest", "run_id", "code_version")
    return {name: value for name, value in entry.items() if name not in without}


async def test_corrected_close_split_and_dividend_revise_what_they_touch_and_nothing_else(world: World) -> None:
    await world.run(FIRST, LAST)
    night, known_at = await world.figures(), datetime.now(UTC).isoformat()
    assert {e["revision"] for days in night.snapshots.values() for e in days.values()} == {1}
    assert _numbers(night.snapshots["wrong"][str(LAST)]) != _numbers(night.snapshots["right"][str(LAST)])

    world.prices.closes["CLOSE"] = dict(world.prices.closes["RIGHT.CLOSE"])
    world.prices.splits["SPLIT", SPOILT] = 2.0
    world.prices.dividends["PAYER", SPOILT] = 0.75
    world.prices.write()
    await world.run(SPOILT, SPOILT)

    healed = await world.figures()
    _check_revisions(night, healed)
    _check_twins(healed)
    assert await world.figures(known_at=known_at) == night

    before = await digest_results(world.platform.database.admin_url)
    again = await world.run(SPOILT, SPOILT)
    assert await digest_results(world.platform.database.admin_url) == before
    assert again["status"] == "completed"


def _check_revisions(night: Figures, healed: Figures) -> None:
    """Check that what a correction touches has a second revision, and that nothing else is another one."""
    revised = dict.fromkeys(BEFORE, 1) | dict.fromkeys(TOUCHED, 2)
    for table, wrong in (
        ("snapshots", {"wrong"}),
        ("risk", {"wrong"}),
        ("factors", set(TWINS)),
        ("metrics", set(TWINS)),
    ):
        before, after = getattr(night, table), getattr(healed, table)
        for subject in before:
            if subject in wrong:
                assert healed.revisions(table, subject) == revised, (table, subject)
            else:
                assert after[subject] == before[subject], (table, subject)


def _check_twins(healed: Figures) -> None:
    """Check that what was wrong shows the numbers of what never was."""
    books = {"wrong": "right"}
    for table, pairs in (("snapshots", books), ("risk", books), ("factors", TWINS), ("metrics", TWINS)):
        shown = getattr(healed, table)
        for wrong, right in pairs.items():
            for day in map(str, SESSIONS):
                assert _numbers(shown[wrong][day]) == _close_to(_numbers(shown[right][day])), (table, wrong, day)


def _close_to(value: Any) -> Any:
    """Compare numbers with a relative 1e-9, and everything else as it is."""
    if isinstance(value, float):
        return pytest.approx(value, rel=1e-9, abs=1e-12)
    if isinstance(value, dict):
        return {name: _close_to(entry) for name, entry in value.items()}
    return [_close_to(entry) for entry in value] if isinstance(value, list) else value


async def test_explanation_of_a_corrected_book_names_provider_and_close_of_each_price(world: World) -> None:
    book = world.books["wrong"]
    for path in (f"/portfolios/{book}/explain/equity", f"/risk/portfolios/{book}/explain/market_beta"):
        found = await world.platform.api.get(path, as_of=str(SPOILT))

        assert (found["agrees"], found["inputs_unchanged"]) == (True, True), path
        assert found["prices"] == [
            {"symbol": symbol, "session": str(SPOILT), "close": world.prices.closes[symbol][SPOILT], "source": "files"}
            for symbol in sorted(TWINS)
        ]


async def test_corrected_trade_and_flow_revise_the_risk_of_the_sessions_that_they_touch(world: World) -> None:
    book, client = world.books["calm"], world.platform.api.client
    (position,) = await world.platform.api.items(f"/portfolios/{book}/positions")
    terms = {"symbol": "CALM", "kind": "LONG", "entry_price": "100"}

    async def edited(method: str, path: str, body: Json) -> Figures:
        address = f"/portfolios/{book}/{path}"
        answer = await client.request(method, address, json=body, params={"as_of": str(LAST)})
        run = await world.platform.api.ended(answer.raise_for_status().json()["run_id"])
        assert run["status"] == "completed"
        return await world.figures()

    first = await world.figures()
    entered_later = {**terms, "quantity": "20", "entry_date": str(AFTER)}
    moved = await edited("PUT", f"positions/{position['position_id']}", entered_later)
    paid = await edited("POST", "flows", {"on": str(LAST), "amount": "10000.00"})

    assert first.revisions("risk", "calm") == dict.fromkeys(map(str, SESSIONS), 1)
    assert moved.revisions("risk", "calm") == dict.fromkeys(map(str, SESSIONS), 2)
    assert _beta(moved, SPOILT) is None, "nothing is held before the entry"
    assert paid.revisions("risk", "calm") == dict.fromkeys(map(str, SESSIONS), 2) | {str(LAST): 3}
    # The same exposure over the equity of both: the flow is booked at the open of its session.
    equity = [float(entry.snapshots["calm"][str(LAST)]["equity"]) for entry in (moved, paid)]
    assert _beta(paid, LAST) == pytest.approx((_beta(moved, LAST) or 0.0) * equity[0] / equity[1], rel=1e-12)
    for table in ("snapshots", "risk"):
        assert getattr(paid, table)["right"] == getattr(first, table)["right"]


def _beta(figures: Figures, day: date) -> float | None:
    factors = figures.risk["calm"][str(day)]["factors"]
    value: float | None = next(entry["beta"]["value"] for entry in factors if entry["factor"] == "market_beta")
    return value
