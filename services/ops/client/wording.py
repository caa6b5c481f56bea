"""How numbers are written for people: money with its currency, percentages, days."""

from datetime import date
from typing import Final

from services.ops.client.answers.numbers import Measure

_MINUS: Final = "\N{MINUS SIGN}"
# Measures whose unit is 1 and that are read as they are: counts of something, ratios and statistics.
_PLAIN: Final = ("correlation", "strength", "kupiec", "independence", "conditional", "leverage", "information")


def amount(value: float | str, *, digits: int = 0) -> str:
    """Return an amount with its thousands apart, of a negative one the minus in front."""
    number = round(float(value), digits) + 0.0
    return f"{_MINUS if number < 0 else ''}{abs(number):,.{digits}f}"


def money(value: float | str, currency: str, *, digits: int = 0) -> str:
    """Return an amount with its currency."""
    return f"{currency} {amount(value, digits=digits)}"


def change(value: float | str, *, digits: int = 0) -> str:
    """Return an amount with its sign."""
    told = amount(value, digits=digits)
    return f"+{told}" if round(float(value), digits) > 0 else told


def share(value: float, *, digits: int = 1) -> str:
    """Return a fraction as a percentage."""
    percent = round(value * 100, digits) + 0.0
    return f"{_MINUS if percent < 0 else ''}{abs(percent):,.{digits}f} %"


def gain(value: float, *, digits: int = 2) -> str:
    """Return a fraction as a percentage with its sign."""
    told = share(value, digits=digits)
    return f"+{told}" if round(value * 100, digits) > 0 else told


def day(iso: str) -> str:
    """Return a day in words, 28 December 2022."""
    found = date.fromisoformat(iso)
    return f"{found.day} {found:%B %Y}"


def figure(name: str, unit: str, measure: Measure, *, digits: int = 2) -> str:
    """Return a measure of risk as it is read: a fraction as a percentage, a count as one; nothing without a value."""
    value = measure["value"]
    if value is None:
        return ""
    is_share = unit.startswith("1") and not any(word in name for word in _PLAIN)
    if is_share:
        return share(value, digits=digits)
    return amount(value, digits=0 if value.is_integer() and unit != "1" else digits)
