from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from pydantic import SecretStr, ValidationError
from pytest_httpserver import HTTPServer

from services.market_data.core.bar_checks import Request, check_rows
from services.market_data.core.judging import with_derived
from services.market_data.core.statement_checks import check_statements
from services.market_data.main import LOCAL, VENDORS, build_providers
from services.market_data.providers.provider import (
    BarProvider,
    Closing,
    Kind,
    ProfileProvider,
    Provider,
    RateProvider,
    StatementProvider,
)
from services.market_data.settings import MarketDataSettings
from shared.calendar import sessions_between
from shared.profile import FACTS
from shared.providers import PROVIDER_NAMES, ProviderName
from shared.sectors import sector_name
from shared.unavailable import Reason
from tests.unit.market_data.providers.directories import FIRST, GOOD, LAST, write
from tests.unit.market_data.providers.vendors import (
    fmp_server,
    fred_server,
    massive_server,
    tiingo_server,
    yahoo_server,
    yahooquery_server,
)

KEY = SecretStr("canary-27b9")
PROFILES = 'symbol,name,sector\nAAPL,Apple Inc.,Information Technology\nKO,"Coca-Cola Company, The",Consumer Staples\n'
STATEMENTS = "symbol,statement,frequency,period_end,net_income\naapl,income,annual,2021-09-25,94680000000\n"


class ProviderContract:
    """What every provider owes, for AAPL and KO in March 2022; a subclass puts there what the provider reads."""

    name: ClassVar[ProviderName]

    @pytest.fixture
    async def provider(self, settings: MarketDataSettings) -> AsyncIterator[Provider]:
        (provider,) = build_providers(settings)
        yield provider
        if isinstance(provider, Closing):
            await provider.close()

    async def test_provider_has_the_name_under_which_it_is_configured(self, provider: Provider) -> None:
        assert provider.name == self.name

    async def test_provider_keeps_the_contract_of_every_kind_that_it_has(self, provider: Provider) -> None:
        assert isinstance(self, BarContract) == isinstance(provider, BarProvider)
        assert isinstance(self, ProfileContract) == isinstance(provider, ProfileProvider)
        assert isinstance(self, StatementContract) == isinstance(provider, StatementProvider)
        assert isinstance(self, RateContract) == isinstance(provider, RateProvider)

    async def test_edition_stays_while_nothing_changes(self, provider: Provider) -> None:
        for kind in Kind:
            assert await provider.edition(kind) == await provider.edition(kind)


class BarContract(ProviderContract):
    """What a provider of bars owes."""

    async def test_bars_of_known_symbols_pass_the_checks(self, provider: BarProvider) -> None:
        fetched = await provider.fetch_bars(["KO", "AAPL"], FIRST, LAST)

        sessions = np.array(sessions_between(FIRST, LAST), dtype="datetime64[D]")
        checked = check_rows(fetched.rows, Request(provider.name, sessions, LAST))
        assert fetched.provider == provider.name
        assert (fetched.unavailable, fetched.failed) == ({}, {})
        assert fetched.rows.symbols == ("KO", "AAPL")
        assert checked.findings == ()
        assert checked.bars.present[:2].all()
        assert not np.isnan(with_derived(checked.bars).adjusted[:2]).any()

    async def test_bars_of_an_unknown_symbol_are_unavailable_and_no_error(self, provider: BarProvider) -> None:
        fetched = await provider.fetch_bars(["NOSUCH", "AAPL"], FIRST, LAST)

        assert fetched.rows.symbols == ("AAPL",)
        assert fetched.unavailable["NOSUCH"].reason is Reason.MISSING_DATA
        assert fetched.unavailable["NOSUCH"].detail.startswith("not in ")

    async def test_bars_of_unknown_symbols_only_are_no_rows(self, provider: BarProvider) -> None:
        fetched = await provider.fetch_bars(["NOSUCH"], FIRST, LAST)

        assert len(fetched.rows) == 0
        assert fetched.rows.symbols == ()

    async def test_bars_outside_the_history_are_unavailable(self, provider: BarProvider) -> None:
        fetched = await provider.fetch_bars(["AAPL"], date(2023, 6, 1), date(2023, 6, 30))

        assert "2023-06-01" in fetched.unavailable["AAPL"].detail

    async def test_bars_never_lie_before_the_first_day(self, provider: BarProvider) -> None:
        fetched = await provider.fetch_bars(["AAPL"], date(2022, 3, 2), LAST)

        assert fetched.rows.day.min() == np.datetime64("2022-03-02")

    async def test_bars_do_not_depend_on_the_symbols_asked_for_together(self, provider: BarProvider) -> None:
        alone = await provider.fetch_bars(["KO"], FIRST, LAST)
        together = await provider.fetch_bars(["AAPL", "KO"], FIRST, LAST)

        of_ko = together.rows.take(together.rows.code == 1)
        assert np.array_equal(of_ko.close, alone.rows.close)
        assert np.array_equal(of_ko.day, alone.rows.day)


class ProfileContract(ProviderContract):
    """What a provider of profiles owes."""

    async def test_profiles_have_no_fact_that_the_provider_does_not_say_it_may_have(
        self, provider: ProfileProvider
    ) -> None:
        fetched = await provider.fetch_profiles(["AAPL"])

        assert provider.facts <= set(FACTS)
        assert {fact for fact in FACTS if getattr(fetched.profiles["AAPL"], fact) is not None} <= provider.facts

    async def test_profiles_name_the_symbol_asked_for(self, provider: ProfileProvider) -> None:
        fetched = await provider.fetch_profiles(["AAPL", "NOSUCH"])

        assert fetched.profiles["AAPL"].symbol == "AAPL"
        assert sector_name(fetched.profiles["AAPL"].sector, is_etf=False) == "Technology"
        assert set(fetched.unavailable) == {"NOSUCH"}


class StatementContract(ProviderContract):
    """What a provider of statements owes."""

    async def test_statements_are_of_the_symbols_asked_for_or_say_why_not(self, provider: StatementProvider) -> None:
        fetched = await provider.fetch_statements(["AAPL", "NOSUCH"])

        assert fetched.provider == provider.name
        assert {*fetched.statements, *fetched.unavailable} == {"AAPL", "NOSUCH"}
        assert not fetched.statements.keys() & fetched.unavailable.keys()
        assert all(row.period.symbol == symbol for symbol, rows in fetched.statements.items() for row in rows)
        assert check_statements(fetched.statements.get("AAPL", ()), provider=provider.name, today=LAST).findings == ()


class RateContract(ProviderContract):
    """What a provider of interest rates owes."""

    async def test_rates_are_fractions_of_the_days_asked_for(self, provider: RateProvider) -> None:
        fetched = await provider.fetch_rates(["DGS3MO", "NOSUCH"], FIRST, LAST)

        assert fetched.provider == provider.name
        assert {*fetched.rates, *fetched.unavailable} == {"DGS3MO", "NOSUCH"}
        assert all(FIRST <= day <= LAST and abs(rate) < 0.2 for day, rate in fetched.rates["DGS3MO"].items())


class TestFilesProvider(BarContract, ProfileContract, StatementContract):
    name = "files"

    @pytest.fixture
    def settings(self, tmp_path: Path) -> MarketDataSettings:
        write(tmp_path, GOOD)
        write(tmp_path, PROFILES, "profiles.csv")
        write(tmp_path, STATEMENTS, "fundamentals.csv")
        return MarketDataSettings(providers=("files",), files_dir=tmp_path)


class TestSampleProvider(BarContract, ProfileContract, StatementContract):
    name = "sample"

    @pytest.fixture
    def settings(self) -> MarketDataSettings:
        return MarketDataSettings(providers=("sample",))


class TestFmp(ProfileContract, StatementContract):
    name = "fmp"

    @pytest.fixture
    def settings(self, httpserver: HTTPServer) -> MarketDataSettings:
        fmp_server.serve(httpserver, key=KEY.get_secret_value())
        return MarketDataSettings(
            providers=("fmp",), fmp_api_key=KEY, fmp_url=httpserver.url_for(""), fmp_plan="ultimate"
        )


class TestFred(RateContract):
    name = "fred"

    @pytest.fixture
    def settings(self, httpserver: HTTPServer) -> MarketDataSettings:
        fred_server.serve(httpserver, key=KEY.get_secret_value())
        return MarketDataSettings(providers=("fred",), fred_api_key=KEY, fred_url=httpserver.url_for(""))


class TestMassive(BarContract):
    name = "massive"

    @pytest.fixture
    def settings(self, httpserver: HTTPServer) -> MarketDataSettings:
        massive_server.serve(httpserver, key=KEY.get_secret_value())
        return MarketDataSettings(
            providers=("massive",), massive_api_key=KEY, massive_url=httpserver.url_for(""), massive_plan="advanced"
        )


class TestTiingo(BarContract):
    name = "tiingo"

    @pytest.fixture
    def settings(self, httpserver: HTTPServer) -> MarketDataSettings:
        tiingo_server.serve(httpserver, key=KEY.get_secret_value())
        return MarketDataSettings(providers=("tiingo",), tiingo_api_key=KEY, tiingo_url=httpserver.url_for(""))


class TestYahoo(BarContract):
    name = "yahoo"

    @pytest.fixture
    def settings(self, httpserver: HTTPServer) -> MarketDataSettings:
        yahoo_server.serve(httpserver)
        return MarketDataSettings(providers=("yahoo",), yahoo_url=httpserver.url_for(""))


class TestYahooquery(ProfileContract, StatementContract):
    name = "yahooquery"

    @pytest.fixture
    def settings(self, httpserver: HTTPServer) -> MarketDataSettings:
        yahooquery_server.serve(httpserver)
        return MarketDataSettings(
            providers=("yahooquery",),
            yahooquery_url=httpserver.url_for(""),
            yahooquery_cookies_url=httpserver.url_for("/cookies"),
        )


def test_every_provider_that_settings_know_can_be_built_and_keeps_the_contract() -> None:
    vendors = (TestFmp, TestFred, TestMassive, TestTiingo, TestYahoo, TestYahooquery)
    kept = {each.name for each in (TestFilesProvider, TestSampleProvider, *vendors)}
    assert set(PROVIDER_NAMES) == {*LOCAL, *VENDORS} == kept


def test_unknown_provider_of_the_environment_is_an_error_that_lists_the_known_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MARKET_DATA_PROVIDERS", "sample, oracle")

    with pytest.raises(ValidationError) as refused:
        MarketDataSettings()

    assert all(repr(name) in str(refused.value) for name in PROVIDER_NAMES)
