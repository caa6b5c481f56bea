"""What is said of a portfolio first, in words and few numbers: its value, its returns, what it holds, what it risks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.ops.client.answers.numbers import Measure
from services.ops.client.answers.portfolios import PositionValue, Realised
from services.ops.client.answers.risk import RiskMeasure, Scenario
from services.ops.client.portfolio_overview import PortfolioOverview
from services.ops.client.portfolio_report import worst_scenario
from services.ops.client.reasons import sentence, why
from services.ops.client.wording import amount, change, day, gain, money, share

_HOLDINGS: Final = 10
_CONTRIBUTORS: Final = 4
_MARKET: Final = "market_beta"
_CRASH: Final = "market_down_10"


@dataclass(frozen=True, slots=True)
class Line:
    """A number with its name, and what is to be known with it; `tone` is gain, loss or nothing."""

    name: str
    text: str
    note: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Holding:
    """A position among the largest."""

    symbol: str
    sector: str
    value: str
    weight: str
    gained: Line


@dataclass(frozen=True, slots=True)
class Contributor:
    """What a position has added to the value, or taken from it; `width` in percent of the largest."""

    symbol: str
    amount: str
    of_equity: str
    tone: str
    width: int


@dataclass(frozen=True, slots=True)
class Front:
    """The first page about a portfolio."""

    name: str
    on: str
    currency: str
    value: str
    headline: Sequence[Line]
    returns: Sequence[Line]
    holdings: Sequence[Holding]
    others: str
    contributors: Sequence[Contributor]
    contributed: str
    risks: Sequence[str]
    gaps: Sequence[str]


def front(found: PortfolioOverview) -> Front:
    """Return what is said first of a portfolio."""
    snapshot, currency = found["snapshot"], found["portfolio"]["currency"]
    listed = sorted(found["positions"], key=lambda value: -abs(float(value["market_value"] or 0)))
    return Front(
        name=found["portfolio"]["name"],
        on=day(snapshot["as_of"]),
        currency=currency,
        value=money(snapshot["equity"], currency),
        headline=list(_headline(found)),
        returns=list(_returns(found)),
        holdings=[_holding(value, float(snapshot["equity"])) for value in listed[:_HOLDINGS]],
        others=_others(listed[_HOLDINGS:], snapshot["cash"], currency),
        contributors=list(_contributors(found)),
        contributed=_contributed(found),
        risks=list(_risks(found)),
        gaps=list(gaps(found)),
    )


def _toned(name: str, value: float, text: str, note: str = "") -> Line:
    return Line(name, text, note, "gain" if value > 0 else "loss" if value < 0 else "")


def returned(name: str, measure: Measure, note: str = "") -> Line:
    """Return a return, or a sentence why there is none."""
    if measure["value"] is None:
        return Line(name, "–", why(measure))
    return _toned(name, measure["value"], gain(measure["value"]), note)


def _headline(found: PortfolioOverview) -> Iterator[Line]:
    snapshot, performance = found["snapshot"], found["performance"]
    pnl = float(snapshot["pnl"])
    yield _toned("on the day", pnl, change(pnl), _percent_of(found["returns"]["day"]))
    whole = float(performance["pnl"])
    yield _toned("gained since " + day(performance["first"]), whole, change(whole), _percent_of(performance["twr"]))
    paid = float(performance["contributions"]) - float(performance["withdrawals"])
    if paid:
        yield Line("paid in since then, less withdrawals", change(paid))


def _percent_of(measure: Measure) -> str:
    return "" if measure["value"] is None else gain(measure["value"])


def _returns(found: PortfolioOverview) -> Iterator[Line]:
    returns, performance, windows = found["returns"], found["performance"], totals(found["realised"])
    yield returned("1 day", returns["day"])
    yield returned("Month to date", returns["month_to_date"])
    for window, name in (("3M", "3 months"), ("YTD", "Year to date"), ("1Y", "1 year")):
        if window in windows:
            yield returned(name, windows[window])
    yield returned("Since inception", returns["since_inception"], f"from {day(performance['first'])}")
    if performance["twr_annual"]["value"] is not None:
        yield returned("Since inception, a year", performance["twr_annual"])
    yield returned("Of the money paid in", performance["mwr"], "money-weighted, since inception")
    fall = performance["drawdown"]
    when = f"{day(fall['peak'])} to {day(fall['trough'])}" if fall["peak"] and fall["trough"] else ""
    yield returned("Deepest fall", fall["depth"], when)


def totals(realised: Realised) -> Mapping[str, Measure]:
    """Return the total return by window."""
    return {entry["window"]: entry["total"] for entry in realised["windows"]}


def _holding(value: PositionValue, equity: float) -> Holding:
    worth, gained = value["market_value"], value["unrealised_pnl"]
    if worth is None:
        told = sentence(value["value_reason"] or "MISSING_DATA")
        return Holding(value["symbol"], value["sector"], "–", "–", Line("gained", "–", told))
    weight = share(float(worth) / equity) if equity > 0 else "–"
    if gained is None:
        line = Line("gained", "–", sentence(value["gain_reason"] or "MISSING_DATA"))
    else:
        line = _toned("gained", float(gained), change(gained))
    return Holding(value["symbol"], value["sector"], amount(worth), weight, line)


def _others(rest: Sequence[PositionValue], cash: str, currency: str) -> str:
    held = sum(float(value["market_value"] or 0) for value in rest)
    more = f"{len(rest)} more positions: {money(held, currency)}. " if rest else ""
    return f"{more}Cash: {money(cash, currency)}."


def _contributors(found: PortfolioOverview) -> Iterator[Contributor]:
    earned = found["earned"]
    if earned is None:
        return
    moved = [entry for entry in earned["by_position"] if round(float(entry["total"]))]
    gains = sorted((entry for entry in moved if float(entry["total"]) > 0), key=lambda one: -float(one["total"]))
    losses = sorted((entry for entry in moved if float(entry["total"]) < 0), key=lambda one: float(one["total"]))
    shown = [*gains[:_CONTRIBUTORS], *reversed(losses[:_CONTRIBUTORS])]
    largest = max((abs(float(entry["total"])) for entry in shown), default=1.0)
    equity = float(earned["before"]["equity"])
    for entry in shown:
        total = float(entry["total"])
        yield Contributor(
            symbol=entry["symbol"],
            amount=change(total),
            of_equity=gain(total / equity) if equity > 0 else "–",
            tone="gain" if total > 0 else "loss",
            width=max(round(abs(total) / largest * 100), 1),
        )


def _contributed(found: PortfolioOverview) -> str:
    earned = found["earned"]
    return "" if earned is None else f"since {day(earned['before']['as_of'])}, of the value then"


def _risks(found: PortfolioOverview) -> Iterator[str]:
    if found["risk"] is None:
        yield "The risk of this portfolio has not been assessed yet."
        return
    equity, currency = float(found["snapshot"]["equity"]), found["portfolio"]["currency"]
    measures = {entry["measure"]: entry for entry in found["risk"]["measures"]}
    yield from _tail_words(measures, equity, currency)
    volatility = _value_of(measures, "volatility_63d")
    if volatility is not None:
        yield f"At the pace of the last three months its value would move by {share(volatility)} in a typical year."
    beta = next((one["beta"] for one in found["risk"]["factors"] if one["factor"] == _MARKET), None)
    if beta is not None and beta["value"] is not None:
        yield (
            f"When the market moves by 1 %, this portfolio tends to move by {share(beta['value'] / 100, digits=2)} "
            f"({'with' if beta['value'] >= 0 else 'against'} it)."
        )
    yield from _stress_words(found, currency)


def _tail_words(measures: Mapping[str, RiskMeasure], equity: float, currency: str) -> Iterator[str]:
    var, beyond = (_value_of(measures, name) for name in ("var_95_1d_historical", "es_95_1d_historical"))
    if var is not None:
        yield (
            f"Held as it is now through the sessions of about the last year, it would have lost at most "
            f"{money(var * equity, currency)} ({share(var)}) on 19 days of 20."
        )
    if beyond is not None:
        yield f"On the worst day of 20 it would have lost {money(beyond * equity, currency)} on average."


def _stress_words(found: PortfolioOverview, currency: str) -> Iterator[str]:
    scenarios: Mapping[str, Scenario] = {
        entry["scenario"]: entry for entry in (found["stress"]["scenarios"] if found["stress"] else ())
    }
    fall = scenarios[_CRASH]["model"]["value"] if _CRASH in scenarios else None
    if fall is not None:
        yield f"If the market fell by 10 %, it would be expected to {_made(fall, currency)}."
    worst = worst_scenario(found["stress"])
    value = scenarios[worst]["model"]["value"] if worst else None
    if worst and worst != _CRASH and value is not None:
        name, told = scenarios[worst]["name"], _made(value, currency)
        yield f"The hardest of {len(scenarios)} scenarios is {name}: it would be expected to {told}."


def _made(value: float, currency: str) -> str:
    return f"{'lose' if value < 0 else 'gain'} {money(abs(value), currency)}"


def _value_of(measures: Mapping[str, RiskMeasure], name: str) -> float | None:
    return measures[name]["value"]["value"] if name in measures else None


def gaps(found: PortfolioOverview) -> Iterator[str]:
    """Yield in sentences how far the numbers can be trusted: old prices, what is not valued, what is not covered."""
    snapshot = found["snapshot"]
    marks = snapshot["positions"] - snapshot["unvalued_positions"]
    if snapshot["stale_positions"]:
        old = "session" if snapshot["oldest_mark"] == 1 else "sessions"
        yield (
            f"{snapshot['stale_positions']} of {marks} prices are from an earlier close, "
            f"the oldest {snapshot['oldest_mark']} {old} old."
        )
    elif marks:
        yield f"All {marks} positions are valued at the close of {day(snapshot['as_of'])}."
    if snapshot["at_cost_positions"]:
        yield f"{snapshot['at_cost_positions']} positions have never had a price and stand at what they cost."
    for value in found["positions"]:
        if value["value_reason"]:
            yield f"{value['symbol']}: {sentence(value['value_reason'], value['value_detail'])}"
    yield from _uncovered(found)


def _uncovered(found: PortfolioOverview) -> Iterator[str]:
    if found["risk"] is None:
        return
    entries = {entry["measure"]: entry for entry in found["risk"]["measures"]}
    var = entries.get("var_95_1d_historical")
    if var is not None and var["coverage"]["value"] is not None:
        yield f"The risk speaks for {share(var['coverage']['value'])} of what is held."
    for name, told in (("var_95_1d_historical", "Value at risk"), ("volatility_63d", "Volatility")):
        if name in entries and entries[name]["value"]["reason"]:
            yield f"{told}: {why(entries[name]['value'])}"
