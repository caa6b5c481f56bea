from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from services.market_data.main import build_chain, build_providers
from services.market_data.providers.provider import Kind
from services.market_data.settings import MarketDataSettings
from shared.metrics.service_metrics import ServiceMetrics

KEY = "canary-61d0"


def _of_environment(monkeypatch: pytest.MonkeyPatch, **variables: str) -> MarketDataSettings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return MarketDataSettings()


def test_provider_without_its_key_says_so_and_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _of_environment(monkeypatch, MARKET_DATA_PROVIDERS="tiingo,sample", TIINGO_API_KEY=" ")

    with capture_logs() as logs:
        providers = build_providers(settings)

    assert [provider.name for provider in providers] == ["sample"]
    (line,) = logs
    assert (line["event"], line["provider"], line["missing"]) == ("provider left out", "tiingo", "TIINGO_API_KEY")


def test_chain_of_providers_without_keys_is_refused_and_the_variables_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="tiingo lacks TIINGO_API_KEY"):
        _of_environment(monkeypatch, MARKET_DATA_PROVIDERS="tiingo")


async def test_each_kind_can_have_an_order_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"MARKET_DATA_PROVIDERS": "tiingo,sample", "TIINGO_API_KEY": KEY, "MARKET_DATA_BARS": "sample, tiingo"}
    settings = _of_environment(monkeypatch, MARKET_DATA_STATEMENTS="", **variables)

    chain = build_chain(settings, build_providers(settings), ServiceMetrics("market_data"))

    asked = {kind: [part.partition("=")[0] for part in (await chain.edition(kind)).split(";")] for kind in Kind}
    assert asked == {
        Kind.BARS: ["sample", "tiingo"],
        Kind.PROFILES: ["sample"],
        Kind.STATEMENTS: [""],
        Kind.RATES: [""],
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"bars": ("tiingo",)}, r"bars must be of the providers \('sample',\), had \['tiingo'\]"),
        ({"tiingo_url": "http://api.tiingo.com"}, "must begin with https"),
        ({"tiingo_plan": "gold"}, "'free' or 'power'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        MarketDataSettings(providers=("sample",), tiingo_api_key=KEY, **given)
    assert KEY not in str(refused.value)


def test_vendors_of_a_chain_share_the_time_of_a_shard() -> None:
    settings = MarketDataSettings(providers=("sample", "tiingo"), tiingo_api_key=KEY, vendor_seconds=90.0)

    access = settings.access("tiingo")

    assert (access.patience_s, access.url) == (90.0, "https://api.tiingo.com")
    assert KEY not in repr(access)
