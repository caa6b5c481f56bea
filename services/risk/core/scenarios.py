"""The stress scenarios, as data (methodology, 9)."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from shared.conventions import RATE_CONVEXITY, RATE_DURATION, RISK_FACTORS


@dataclass(frozen=True, slots=True)
class RateSensitivity:
    """How the rate's proxy answers to a change of yield: years, and years squared."""

    duration: float = RATE_DURATION
    convexity: float = RATE_CONVEXITY

    def proxy_return(self, change: float) -> float:
        """Return ``-D dy + C dy**2 / 2``."""
        return -self.duration * change + self.convexity * change * change / 2.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """Shocks to risk factors: returns, of a style those beside the market, of the rate a change of yield; fractions.

    `episode` are the closes between which a historical replay takes place.
    """

    scenario_id: str
    name: str
    category: str
    severity: str
    shocks: tuple[tuple[str, float], ...]
    episode: tuple[date, date] | None = None

    def __post_init__(self) -> None:
        unknown = {factor for factor, _ in self.shocks} - set(RISK_FACTORS)
        if unknown or len(dict(self.shocks)) != len(self.shocks):
            raise ValueError(f"shocks must be to distinct risk factors, was {self.shocks}")


def _scenario(scenario_id: str, name: str, kind: str, **shocks: float) -> Scenario:
    category, severity = kind.split("/")
    return Scenario(scenario_id, name, category, severity, tuple(shocks.items()))


def _replay(scenario_id: str, name: str, episode: tuple[date, date], **shocks: float) -> Scenario:
    return Scenario(scenario_id, name, "historical", "extreme", tuple(shocks.items()), episode)


SCENARIOS: Final = (
    _scenario("market_up_5", "Market Up 5%", "market/base", market=0.05),
    _scenario("market_down_5", "Market Down 5%", "market/base", market=-0.05),
    _scenario("rates_up_50bp", "Rates Up 50bp", "rates/base", rate=0.005),
    _scenario("rates_down_50bp", "Rates Down 50bp", "rates/base", rate=-0.005),
    _scenario("market_up_10", "Market Up 10%", "market/moderate", market=0.10),
    _scenario("market_down_10", "Market Down 10%", "market/moderate", market=-0.10),
    _scenario("market_crash_35", "Market Crash 35%", "market/severe", market=-0.35),
    _scenario("market_rally_25", "Market Rally 25%", "market/severe", market=0.25),
    _scenario("rates_up_25bp", "Rates Up 25bp", "rates/mild", rate=0.0025),
    _scenario("rates_down_25bp", "Rates Down 25bp", "rates/mild", rate=-0.0025),
    _scenario("rates_up_100bp", "Rates Up 100bp", "rates/moderate", rate=0.01),
    _scenario("rates_down_100bp", "Rates Down 100bp", "rates/moderate", rate=-0.01),
    _scenario("rate_spike_300bp", "Rate Spike 300bp", "rates/severe", rate=0.03),
    _scenario("value_rotation_20", "Value Rotation 20%", "rotation/moderate", value=0.20, growth=-0.10),
    _scenario("growth_rally_15", "Growth Rally 15%", "rotation/moderate", growth=0.15, momentum=0.10),
    _scenario("small_cap_outperformance_10", "Small Cap Outperformance 10%", "rotation/mild", size=0.10),
    _scenario("quality_flight_12", "Flight to Quality 12%", "rotation/mild", quality=0.12, market=-0.05),
    _scenario("vix_spike_150", "VIX Spike 150%", "volatility/severe", low_volatility=-0.25, market=-0.15),
    _scenario(
        "liquidity_crisis",
        "Liquidity Crisis",
        "volatility/severe",
        market=-0.20,
        low_volatility=-0.30,
        quality=0.15,
        size=-0.10,
    ),
    _replay(
        "financial_crisis_2008",
        "Financial Crisis 2008",
        (date(2007, 10, 9), date(2009, 3, 9)),
        market=-0.45,
        value=-0.30,
        size=-0.25,
        quality=0.20,
        low_volatility=-0.35,
    ),
    _replay(
        "covid_crash_2020",
        "COVID Crash 2020",
        (date(2020, 2, 19), date(2020, 3, 23)),
        market=-0.35,
        growth=0.15,
        value=-0.40,
        size=-0.30,
        quality=0.10,
    ),
    _replay(
        "dotcom_crash_2000",
        "Dot-com Crash 2000",
        (date(2000, 3, 24), date(2002, 10, 9)),
        market=-0.45,
        growth=-0.60,
        value=0.20,
        momentum=-0.50,
        quality=0.15,
    ),
)
