"""The settings are described by hand: every one that bounds a run is, and acts where it should."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from services.market_data.settings import MarketDataSettings
from services.ops.composition import build_services
from services.ops.documents.unconnected import unconnected_services
from services.ops.settings import OpenIdSettings, PeopleSettings, TopicSettings
from services.portfolio.settings import PortfolioSettings
from services.risk.settings import RiskSettings
from services.scheduler.settings import SchedulerSettings
from services.symbol_analytics.settings import SymbolAnalyticsSettings
from shared.contracts.services import SERVICES
from shared.service import Service
from shared.settings import CommonSettings, KafkaPasswords, ServicePasswords

ROOT = Path(__file__).parents[2]
# Those of the predecessor, as its documentation lists them, and what its code had fixed.
PREDECESSOR = """
    DATABASE_URL AI_DATABASE_URL POLYGON_API_KEY POLYGON_PLAN FMP_API_KEY FRED_API_KEY USE_YFINANCE USE_FMP_FOR_STOCKS
    USE_FMP_FOR_FUNDS USE_POLYGON_FOR_OPTIONS YFINANCE_RATE_LIMIT YFINANCE_TIMEOUT_SECONDS YFINANCE_MAX_RETRIES
    FMP_TIMEOUT_SECONDS FMP_MAX_RETRIES SYMBOL_BATCH_TIMEOUT_SECONDS PORTFOLIO_REFRESH_TIMEOUT_SECONDS
    PRICE_FETCH_CONCURRENCY FACTOR_CALC_CONCURRENCY PORTFOLIO_REFRESH_CONCURRENCY SYMBOL_ONBOARDING_CONCURRENCY
    SYMBOL_ONBOARDING_MAX_QUEUE SKIP_PHASE0_VALUATIONS YAHOOQUERY_BATCH_TIMEOUT BATCH_PROCESSING_ENABLED
    MARKET_DATA_UPDATE_INTERVAL DETERMINISTIC_UUIDS INVITE_CODE_ENABLED BETA_INVITE_CODE SECRET_KEY ALGORITHM
    ACCESS_TOKEN_EXPIRE_MINUTES CLERK_* TIER_LIMITS ENVIRONMENT LOG_LEVEL RAILWAY_ENVIRONMENT SIGMASIGHT_FORCE_NY_TIME
    BATCH_TRIGGERED_BY SKIP_STARTUP_VALIDATION MAX_BACKFILL_DATES MAX_PORTFOLIO_CONCURRENCY BATCH_V2_ENABLED
"""
CLASSES = (
    CommonSettings,
    SchedulerSettings,
    MarketDataSettings,
    SymbolAnalyticsSettings,
    PortfolioSettings,
    RiskSettings,
    ServicePasswords,
    KafkaPasswords,
    TopicSettings,
    PeopleSettings,
    OpenIdSettings,
)


def settings_read_by(settings: type[BaseSettings]) -> set[str]:
    """Return the variables of the environment that a class reads."""
    prefix = settings.model_config.get("env_prefix", "")
    return {str(field.validation_alias or f"{prefix}{name}").upper() for name, field in settings.model_fields.items()}


def _example() -> set[str]:
    return set(re.findall(r"^(?:# )?([A-Z_0-9]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_every_setting_is_in_the_example_of_the_environment() -> None:
    assert {name for settings in CLASSES for name in settings_read_by(settings)} <= _example()


def test_every_setting_of_the_predecessor_can_be_set_here_or_is_told_why_not() -> None:
    without_meaning = (ROOT / "docs/settings.md").read_text().partition("that have none here")[2]
    told = set(re.findall(r"`([A-Z_0-9]+\*?)`", without_meaning))
    for name in PREDECESSOR.split():
        assert (name in told) != (name in _example()), name


def _services(**settings: Any) -> dict[str, Service]:
    common = CommonSettings(
        database_url=SecretStr("postgresql://x@h/d"),
        bootstrap_servers="h:1",
        viewer_token=SecretStr("v"),
        operator_token=SecretStr("o"),
        **settings,
    )
    return {service.name: service for service in build_services(SERVICES, common)}


@pytest.mark.parametrize("seconds", [1500.0, 60.0])
def test_barriers_close_by_the_deadline_of_the_symbols_and_in_front_of_their_work_before(seconds: float) -> None:
    services = _services(symbol_batch_timeout_seconds=seconds)

    deadlines = {name: [fan_in.deadline_s for fan_in in service.fan_ins] for name, service in services.items()}

    assert deadlines == {
        "scheduler": [],
        "market_data": [],
        "symbol_analytics": [0.6 * seconds],
        "portfolio": [seconds],
        "risk": [seconds],
    }


def test_what_is_kept_and_for_how_long_is_that_of_the_settings() -> None:
    kept = {
        name: service.relay.retention for name, service in _services(log_kept_days=7, superseded_kept_days=90).items()
    }

    assert {(each.log_days, each.superseded_days) for each in kept.values()} == {(7, 90)}
    revised = {name: [each.head for each in retention.results if each.revised] for name, retention in kept.items()}
    assert revised == {
        "scheduler": [],
        "market_data": [],
        "symbol_analytics": ["symbol_estimates", "symbol_loadings", "symbol_metrics"],
        "portfolio": ["snapshots"],
        "risk": ["assessments"],
    }


def test_by_default_no_revision_is_forgotten() -> None:
    assert {service.relay.retention.superseded_days for service in unconnected_services()} == {None}
