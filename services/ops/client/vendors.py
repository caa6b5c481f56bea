"""Vendors on the terminal: where a symbol's data come from, and how those who are asked answer."""

from collections.abc import Sequence
from datetime import date
from typing import Final, TypedDict

from services.ops.client.answers.findings import Finding
from services.ops.client.answers.symbols import Bar
from services.ops.client.answers.vendors import Absence, Attempt, Vendor
from services.ops.client.client import ApiClient
from services.ops.client.paging import load_list
from services.ops.client.rendering import console, table
from services.ops.client.routes import ASK_AGAIN, ATTEMPTS, FINDINGS, PRICES, VENDORS

_MOST_BARS: Final = 10_000  # of forty years


class Why(TypedDict):
    """Where a symbol's data come from: its newest bar, what was tried in vain, and what was set aside."""

    symbol: str
    bar: Bar | None
    attempts: list[Attempt]
    findings: list[Finding]


def load_why(client: ApiClient, symbol: str, as_of: date | None) -> Why:
    """Return where a symbol's data come from."""
    until = {} if as_of is None else {"last": str(as_of)}
    bars = client.get(PRICES.at(symbol=symbol), limit=_MOST_BARS, **until)["items"]
    on = {} if as_of is None else {"as_of": str(as_of)}
    attempts = load_list(client, ATTEMPTS.at(symbol=symbol), **on)
    findings = load_list(client, FINDINGS, symbol=symbol)
    known = [each for each in findings if each["day"] is None or as_of is None or str(each["day"]) <= str(as_of)]
    return {"symbol": symbol, "bar": bars[-1] if bars else None, "attempts": attempts, "findings": known}


def print_why(found: Why) -> None:
    """Show it on the terminal."""
    bar, symbol = found["bar"], found["symbol"]
    if bar is None:
        console().print(f"{symbol} has no bar")
    else:
        console().print(f"{symbol} closed at {bar['close']} on {bar['session']}, from {bar['source']}")
    tried = [
        (each["kind"], each["session"], each["provider"], each["outcome"], each["detail"]) for each in found["attempts"]
    ]
    columns = ("kind", "session", "provider", "outcome", "said")
    console().print(table("asked in vain", columns, tried) if tried else "nobody was asked in vain")
    if found["findings"]:
        rows = [(each["day"], each["rule"], each["detail"], each["provider"]) for each in found["findings"]]
        console().print(table("set aside", ("day", "rule", "detail", "provider"), rows))


def forget_absences(client: ApiClient, symbol: str | None, vendor: str | None) -> list[Absence]:
    """Let vendors be asked again, and return what they have said that they do not have."""
    return client.send(ASK_AGAIN, {"symbol": symbol, "vendor": vendor})


def print_forgotten(forgotten: Sequence[Absence]) -> None:
    """Show what the next run asks for again."""
    rows = [
        (each["symbol"], each["kind"], each["vendor"], each["lacking"], each["times"], each["retry_at"] or "no more")
        for each in forgotten
    ]
    columns = ("symbol", "kind", "vendor", "was", "times", "was to be asked again")
    console().print(table("asked for again by the next run", columns, rows) if rows else "nothing was known absent")


def load_vendors(client: ApiClient) -> list[Vendor]:
    """Return the vendors of the chain."""
    return load_list(client, VENDORS)


def print_vendors(found: Sequence[Vendor]) -> None:
    """Show what was asked of each, and what it is not asked for."""
    rows = [
        (
            vendor["vendor"],
            ", ".join(
                f"{each['requests']:,} of {each['allowed']:,} in {each['seconds']:,} s" for each in vendor["windows"]
            ),
            "; ".join(
                f"{each['kind']} {each['state']} until {each['open_until']}: {each['why']}"
                for each in vendor["kinds"]
                if each["state"] != "closed"
            ),
            ", ".join(f"{each['kind']} of {each['absent']:,}" for each in vendor["kinds"] if each["absent"]),
        )
        for vendor in found
    ]
    console().print(
        table("vendors", ("vendor", "requests", "not asked for", "does not have"), rows)
        if rows
        else "no vendor is asked"
    )
