"""Providers are asked under their names of shares, and answer under those that were asked for."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from services.market_data.core.findings import Finding, Rule
from services.market_data.core.names import Identifier, Names
from services.market_data.core.raw_bars import RawBars
from services.market_data.core.statements import GivenStatement, Period
from services.market_data.core.tiers import EVERYTHING, DueTiers
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.files import FilesProvider
from services.market_data.providers.massive import MassiveProvider
from services.market_data.providers.naming import bars_of, profiles_of, sources_of, statements_of
from services.market_data.providers.provider import FetchedBars, FetchedProfiles, FetchedStatements, Kind
from services.market_data.providers.tiingo import TiingoProvider
from services.market_data.providers.yahoo import YahooProvider
from services.market_data.settings import Access
from shared.profile import ProfileFacts
from shared.unavailable import Reason, Unavailable
from tests.unit.market_data.providers.directories import FIRST, GOOD, LAST, check, write
from tests.unit.market_data.providers.vendors import invented, massive_server, tiingo_server, yahoo_server
from tests.unit.market_data.providers.vendors.massive_server import RENAMED_ON

KEY = "canary-5b1d"
RENAMED = Identifier("KO9", "KO8", last_day=RENAMED_ON - timedelta(days=1))
COMPANY = Identifier("KO", "FIZZ", last_day=RENAMED_ON)


class Register:
    """Where the names are."""

    def __init__(self, *identifiers: Identifier) -> None:
        self._names = Names(identifiers)

    async def names(self) -> Names:
        return self._names


class Companies:
    """A vendor of profiles and statements that knows KO, and fails on DOWN."""

    name = "fmp"
    facts = frozenset({"name"})

    async def edition(self, _: Kind) -> str:
        return "1"

    async def fetch_profiles(self, symbols: Sequence[str], _: DueTiers = EVERYTHING, /) -> FetchedProfiles:
        known = {"KO": ProfileFacts(symbol="KO", name="Fizz Bottlers Co.")}
        absent = {
            each: Unavailable(Reason.MISSING_DATA, "not in fmp") for each in symbols if each not in {"KO", "DOWN"}
        }
        findings = (Finding("KO", None, Rule.UNUSABLE_FIELD, "sector 7", "fmp"),)
        return FetchedProfiles("fmp", known, absent, findings, failed={"DOWN": "broken off"})

    async def fetch_statements(self, symbols: Sequence[str]) -> FetchedStatements:
        given = GivenStatement(Period("KO", "income", "annual", date(2021, 12, 31)), {"net_income": 1.0})
        return FetchedStatements("fmp", {"KO": [given]} if "KO" in symbols else {}, {})


@pytest.fixture
async def massive(httpserver: HTTPServer) -> AsyncIterator[MassiveProvider]:
    massive_server.serve(httpserver, key=KEY)
    provider = MassiveProvider(Access(httpserver.url_for(""), SecretStr(KEY)))
    yield provider
    await provider.close()


@pytest.mark.parametrize("first", [FIRST, RENAMED_ON - timedelta(days=1)], ids=["by symbol", "by session"])
async def test_renamed_share_has_its_whole_history_under_each_of_its_names(
    massive: MassiveProvider, first: date
) -> None:
    chain = ProviderChain([massive], register=Register(RENAMED))

    fetched = await chain.fetch_bars(["KO8", "KO9", "KO"], first, LAST, check)

    (answer,) = fetched.answers
    traded = [bar.close for bar in invented.history("KO") if first <= bar.day <= LAST]
    for column, symbol in enumerate(answer.bars.symbols):
        present = answer.bars.present[:, column]
        assert answer.bars.close[present, column].tolist() == traded, symbol
    assert set(answer.bars.symbols) == {"KO8", "KO9", "KO"}
    assert fetched.attempts.unanswered == ()


async def test_without_the_rename_a_share_ends_and_another_begins(massive: MassiveProvider) -> None:
    (answer,) = (await ProviderChain([massive]).fetch_bars(["KO8", "KO9"], FIRST, LAST, check)).answers

    together = answer.bars.present.sum(axis=0).tolist()
    assert sum(together) == len([bar for bar in invented.history("KO") if FIRST <= bar.day <= LAST])
    assert min(together) > 0


async def test_ticker_events_of_a_symbol_without_bars_are_the_names_of_its_share(massive: MassiveProvider) -> None:
    eve = RENAMED_ON - timedelta(days=1)

    found = await massive.fetch_names({"KO8": eve, "NOSUCH": eve, "KO": eve})

    assert found.identifiers == [Identifier("KO9", "KO8", first_day=date(2012, 5, 18), last_day=eve)]


@pytest.mark.parametrize("symbol", ["BRK.B", "BRK-B"])
async def test_class_of_a_share_is_asked_for_as_the_vendor_spells_it(httpserver: HTTPServer, symbol: str) -> None:
    tiingo_server.serve(httpserver, key=KEY)
    yahoo_server.serve(httpserver)
    access = Access(httpserver.url_for(""), SecretStr(KEY))
    tiingo, yahoo = TiingoProvider(access), YahooProvider(access)

    fetched = [await bars_of(each, [symbol], Names(), first=FIRST, last=LAST) for each in (tiingo, yahoo)]

    assert [each.rows.symbols for each in fetched] == [(symbol,), (symbol,)]
    paths = [request.path for request, _ in httpserver.log]
    assert paths == ["/tiingo/daily/BRK-B/prices", "/v8/finance/chart/BRK-B"]
    await tiingo.close()
    await yahoo.close()


async def test_file_with_the_old_name_is_read_before_one_with_the_new(tmp_path: Path) -> None:
    write(tmp_path, GOOD + "FIZZ,2022-03-01,99,99\n")
    files = FilesProvider(tmp_path)

    both = await bars_of(files, ["FIZZ", "KO"], Names([COMPANY]), first=FIRST, last=LAST)
    write(tmp_path, GOOD)
    new = await bars_of(FilesProvider(tmp_path), ["FIZZ", "KO"], Names([COMPANY]), first=FIRST, last=LAST)

    assert both.rows.close[both.rows.code == both.rows.symbols.index("FIZZ")].tolist() == [99.0]
    assert new.rows.symbols == ("FIZZ", "KO")
    assert new.rows.close.tolist() == [62.5, 62.9, 62.5, 62.9]


async def test_what_nobody_knows_says_under_which_name_it_was_asked_for(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    names = Names([Identifier("NEWER", "OLDER", last_day=LAST)])

    fetched = await bars_of(FilesProvider(tmp_path), ["OLDER", "AAPL"], names, first=FIRST, last=LAST)

    assert fetched.unavailable["OLDER"].detail == "not in prices.csv (asked for as NEWER)"
    assert fetched.rows.symbols == ("AAPL",)
    assert np.isfinite(fetched.rows.close).all()


async def test_companies_are_told_under_the_symbol_that_is_held() -> None:
    names = Names([COMPANY, Identifier("DOWN", "UP", last_day=LAST)])

    profiles = await profiles_of(Companies(), ["FIZZ", "KO", "UP", "XYZ"], names)
    statements = await statements_of(Companies(), ["FIZZ"], names)

    assert {symbol: facts.symbol for symbol, facts in profiles.profiles.items()} == {"FIZZ": "FIZZ", "KO": "KO"}
    assert (profiles.failed, set(profiles.unavailable)) == ({"UP": "broken off"}, {"XYZ"})
    assert sorted(str(finding.symbol) for finding in profiles.findings) == ["FIZZ", "KO"]
    assert [given.period.symbol for given in statements.statements["FIZZ"]] == ["FIZZ"]


@pytest.mark.parametrize("first", [FIRST, RENAMED_ON], ids=["by symbol", "by session"])
async def test_option_has_its_own_closes_from_who_has_options(
    httpserver: HTTPServer, massive: MassiveProvider, first: date
) -> None:
    contract = massive_server.CONTRACT.removeprefix("O:")
    symbols = [contract, "KO220617P00090000", *(f"KO{number}" for number in range(1, 4))]

    fetched = await bars_of(massive, symbols, Names(), first=first, last=RENAMED_ON)

    own = fetched.rows.close[fetched.rows.code == fetched.rows.symbols.index(contract)].tolist()
    assert own == [bar.close for bar in invented.history("AAPL") if first <= bar.day <= RENAMED_ON]
    assert set(fetched.unavailable) == {"KO220617P00090000"}
    asked = [request.path for request, _ in httpserver.log if "O:" in request.path]
    assert len(asked) == 2, "one a contract"
    assert any("grouped" in request.path for request, _ in httpserver.log) == (first == RENAMED_ON)


async def test_plan_without_options_leaves_them_open_and_has_the_shares(httpserver: HTTPServer) -> None:
    refused = {"status": "NOT_AUTHORIZED", "request_id": "0", "message": "You are not entitled to this data."}
    httpserver.expect_request(re.compile("/v2/aggs/ticker/O:.*")).respond_with_json(refused, status=403)
    massive_server.serve(httpserver, key=KEY)
    massive = MassiveProvider(Access(httpserver.url_for(""), SecretStr(KEY)))

    fetched = await bars_of(massive, ["KO220617C00090000", "KO220617P00090000", "KO"], Names(), first=FIRST, last=LAST)

    assert fetched.rows.symbols == ("KO",)
    assert fetched.failure is None, "nobody stops asking for shares"
    assert set(fetched.failed) == {"KO220617C00090000", "KO220617P00090000"}
    assert "not entitled" in fetched.failed["KO220617C00090000"]
    assert len([request for request, _ in httpserver.log if "O:" in request.path]) == 1
    await massive.close()


async def test_option_is_not_asked_for_where_there_are_none_and_has_no_profile(httpserver: HTTPServer) -> None:
    tiingo = TiingoProvider(Access(httpserver.url_for(""), SecretStr(KEY)))

    bars = await bars_of(tiingo, ["KO220617C00090000"], Names(), first=FIRST, last=LAST)
    profiles = await profiles_of(Companies(), ["KO220617C00090000"], Names())

    assert bars.unavailable["KO220617C00090000"].detail == "not asked: it has none of options"
    assert set(profiles.unavailable) == {"KO220617C00090000"}
    assert httpserver.log == []
    await tiingo.close()


class HalfKnown(Companies):
    """A vendor with names of the day that fails on one of them."""

    name = "massive"

    async def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> FetchedBars:
        known = RawBars.of(
            ("KO9",), np.array([0]), np.array([RENAMED_ON], dtype="M8[D]"), columns={"close": np.array([1.0])}
        )
        return FetchedBars(self.name, known, {}, failed={"KO8": "broken off"})


async def test_share_of_which_one_name_could_not_be_had_is_open(httpserver: HTTPServer) -> None:
    fetched = await bars_of(HalfKnown(), ["KO8"], Names([RENAMED]), first=FIRST, last=LAST)

    assert (fetched.rows.symbols, fetched.failed) == ((), {"KO8": "broken off"})


class Kept:
    """Answers that are kept in memory."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    async def waiting(self) -> int:
        return 0

    async def known(self) -> frozenset[str]:
        return frozenset(self.texts)

    async def load(self, what: str, /) -> str | None:
        return self.texts.get(what)

    async def store(self, what: str, _: date, text: str, /) -> None:
        self.texts[what] = text


async def test_symbol_is_looked_up_in_the_newest_session_that_is_kept_without_a_request(httpserver: HTTPServer) -> None:
    massive_server.serve(httpserver, key=KEY)
    massive = MassiveProvider(Access(httpserver.url_for(""), SecretStr(KEY), answers=Kept()))
    await massive.fetch_bars(["AAPL", "KO", "KO1"], date(2022, 3, 24), date(2022, 3, 25))
    asked = len(httpserver.log)

    found = await sources_of(
        massive, ["KO8", "BRK-B", "NOSUCH", "HOME_EQUITY"], Names([RENAMED]), first=FIRST, last=LAST
    )
    chained = await ProviderChain([massive], register=Register(RENAMED)).find_sources(["KO8", "NOSUCH"], FIRST, LAST)

    assert found.rows.symbols == ("KO8", "BRK-B")
    listed = len([symbol for symbol in massive_server.COMPANIES if symbol != "KO8"])
    assert found.unavailable["NOSUCH"].detail == f"not among the {listed} symbols of massive on 2022-03-25"
    assert found.unavailable["HOME_EQUITY"].detail == "not asked: a private name"
    assert chained["KO8"] == "massive"
    assert len(httpserver.log) == asked

    # Of a time long before nothing is said by what is traded now, and of a contract never.
    await sources_of(massive, ["KO"], Names(), first=date(2022, 1, 3), last=date(2022, 1, 31))
    assert len(httpserver.log) > asked
    await massive.close()
