"""The real vendors, asked for little: only where the environment has a key, and for Yahoo where it is wanted."""

import os
from datetime import date

import numpy as np
import pytest

from services.market_data.main import build_providers
from services.market_data.providers.provider import BarProvider, Closing, ProfileProvider, RateProvider
from services.market_data.settings import MarketDataSettings
from shared.providers import ProviderName

pytestmark = pytest.mark.slow

FIRST, LAST = date(2026, 8, 3), date(2026, 8, 28)
# vendor -> the variable that lets it be asked
WANTED: dict[ProviderName, str] = {
    "fmp": "FMP_API_KEY",
    "massive": "POLYGON_API_KEY",
    "tiingo": "TIINGO_API_KEY",
    "yahoo": "SIGMASIGHT_LIVE_YAHOO",
    "yahooquery": "SIGMASIGHT_LIVE_YAHOO",
    "fred": "FRED_API_KEY",
}


@pytest.mark.parametrize("name", WANTED)
async def test_vendor_answers_about_a_company_that_everybody_has(name: ProviderName) -> None:
    if not os.environ.get(WANTED[name]):
        pytest.skip(f"{name} is not asked: the environment has no {WANTED[name]}")
    (provider,) = build_providers(MarketDataSettings(providers=(name,)))

    if isinstance(provider, BarProvider):
        fetched = await provider.fetch_bars(["AAPL", "NOSUCHXYZ"], FIRST, LAST)
        assert fetched.rows.symbols == ("AAPL",)
        assert len(fetched.rows) == 20
        assert np.isfinite(fetched.rows.close).all()
        assert set(fetched.unavailable) == {"NOSUCHXYZ"}
    if isinstance(provider, ProfileProvider):
        profiles = await provider.fetch_profiles(["AAPL"])
        assert profiles.profiles["AAPL"].currency == "USD"
    if isinstance(provider, RateProvider):
        rates = await provider.fetch_rates(["DGS3MO"], FIRST, LAST)
        assert len(rates.rates["DGS3MO"]) == 20
    if isinstance(provider, Closing):
        await provider.close()
