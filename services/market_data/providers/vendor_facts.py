"""Facts of a profile as vendors write them: read whatever stands there, what cannot be used is set aside."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from services.market_data.core.findings import Finding, Rule
from services.market_data.providers.currency import HUNDRED, currency_of, in_hundredths
from services.market_data.providers.fact_bounds import PRICES, possible_number, possible_text
from services.market_data.providers.json_fields import day, number
from shared.profile import DESCRIPTION_LENGTH, FACTS, ProfileFacts

_QUOTED: Final = 100


def read_facts(symbol: str, given: Mapping[str, Any], provider: str) -> tuple[ProfileFacts, list[Finding]]:
    """Return what a vendor says of a symbol under our names of the facts, and what of it cannot be used.

    Nothing is said of a fact that is None or an empty text. A beta counts from a day: without one it is none.
    """
    findings: list[Finding] = []
    facts: dict[str, Any] = {}
    for name in FACTS:
        value = given.get(name)
        if value is None or value == "":
            continue
        facts[name] = _fact(name, value)
        if facts[name] is None:
            detail = f"{name} {str(value)[:_QUOTED]!r}"
            findings.append(Finding(symbol, None, Rule.UNUSABLE_FIELD, detail, provider))
    if facts.get("beta") is None or facts.get("beta_as_of") is None:
        facts.pop("beta", None)
        facts.pop("beta_as_of", None)
    if in_hundredths(str(given.get("currency"))):
        facts |= {name: facts[name] / HUNDRED for name in PRICES if facts.get(name) is not None}
    return ProfileFacts(symbol=symbol, **facts), findings


def _fact(name: str, value: Any) -> Any:
    kind = ProfileFacts.model_fields[name].annotation
    if kind == bool | None:
        return value if isinstance(value, bool) else None
    if kind == date | None:
        return value if isinstance(value, date) else day(value)
    if kind == str | None:
        return _text(name, value)
    read = number(value)
    if not abs(read) < float("inf") or not possible_number(name, read):
        return None
    if kind == int | None:
        return int(read) if read.is_integer() else None
    return read


def _text(name: str, value: Any) -> str | None:
    if not isinstance(value, str) or not possible_text(name, value):
        return None
    return currency_of(value) if name == "currency" else value.strip()[:DESCRIPTION_LENGTH] or None
