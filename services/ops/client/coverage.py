"""Completeness on the terminal: a calendar of what is done, and whether portfolios are ready."""

from collections.abc import Iterator
from datetime import date

from rich.console import RenderableType
from rich.text import Text

from services.ops.client.answers.coverage import Coverage, ReadinessList, ReasonGroup
from services.ops.client.answers.coverage import Readiness as PortfolioReadiness
from services.ops.client.client import ApiClient
from services.ops.client.lookup import find_portfolio
from services.ops.client.paging import PAGE
from services.ops.client.rendering import console, table
from services.ops.client.routes import CELLS, PORTFOLIO_READINESS, READINESS
from services.ops.client.session_grid import session_grid
from shared.symbols import one_spelling

_READY = "ready"
# The states in the order of their urgency, and their colours.
_STYLES = {"blocked": "red", "stale": "red", "pending": "yellow", "replaying": "yellow", "ready": "green"}


def load_coverage(
    client: ApiClient, portfolio: str | None, symbol: str | None, first: date | None, last: date | None
) -> Coverage:
    """Return what is done of a portfolio, a symbol or everything, session by session."""
    return _joined(_pages(client, portfolio, symbol, first, last))


def print_coverage(found: Coverage) -> None:
    """Draw it as a calendar, with counts and reasons below."""
    out = console()
    out.print(Text(_title(found), style="bold"), session_grid(found["items"]), _count_table(found))
    if found["reasons"]:
        out.print(_reason_table(found))


def load_readiness(client: ApiClient, portfolio: str, as_of: date | None) -> PortfolioReadiness:
    """Return how one portfolio stands."""
    portfolio_id = find_portfolio(client, portfolio)["portfolio_id"]
    return client.get(PORTFOLIO_READINESS.at(portfolio_id=portfolio_id), as_of=as_of)


def is_ready(found: PortfolioReadiness) -> bool:
    """Tell whether every number of a portfolio is there."""
    return found["state"] == _READY


def print_readiness(found: PortfolioReadiness) -> None:
    """Say how a portfolio stands, why, and what to do."""
    _say(_detail(found))


def are_ready(found: ReadinessList) -> bool:
    """Tell whether every portfolio is ready."""
    return not _not_ready(found)


def print_all_readiness(found: ReadinessList) -> None:
    """Say how all portfolios stand."""
    _say(_drawn(found))


def _say(lines: Iterator[RenderableType]) -> None:
    # A command that is folded cannot be copied.
    console().print(*lines, sep="\n", soft_wrap=True)


def _pages(
    client: ApiClient, portfolio: str | None, symbol: str | None, first: date | None, last: date | None
) -> Iterator[Coverage]:
    wanted = None if portfolio is None else find_portfolio(client, portfolio)["portfolio_id"]
    symbol = None if symbol is None else one_spelling(symbol)
    cursor = None
    while True:
        page = client.get(CELLS, portfolio_id=wanted, symbol=symbol, first=first, last=last, cursor=cursor)
        yield page
        cursor = page["next"]
        if cursor is None:
            return


def _joined(pages: Iterator[Coverage]) -> Coverage:
    joined = next(pages)
    reasons = {_key(group): group for group in joined["reasons"]}
    for page in pages:
        joined["items"] += page["items"]
        for group in page["reasons"]:
            known = reasons.setdefault(_key(group), group)
            if known is not group:
                known["cells"] += group["cells"]
                known["last"] = group["last"]
                known["subjects"] = list(dict.fromkeys([*known["subjects"], *group["subjects"]]))
        joined["freshness"] = page["freshness"]
        joined["names"] |= page["names"]
    joined["reasons"] = sorted(reasons.values(), key=lambda group: -group["cells"])
    joined["next"] = None
    return joined


def _key(group: ReasonGroup) -> tuple[str, str, str]:
    return group["fact"], group["reason"], group["detail"]


def _title(found: Coverage) -> str:
    portfolio_id = found["portfolio_id"]
    portfolio = None if portfolio_id is None else found["names"].get(portfolio_id, portfolio_id)
    of = found["symbol"] or portfolio or "everything"
    return f"{of}: {found['items'][0]['session']} to {found['items'][-1]['session']}"


def _count_table(found: Coverage) -> RenderableType:
    totals: dict[str, list[int]] = {}
    for session in found["items"]:
        for count in session["counts"]:
            of = totals.setdefault(count["fact"], [0, 0, 0, 0])
            for place, cells in enumerate((count["expected"], count["done"], count["failed"], count["missing"])):
                of[place] += cells
    return table(
        "cells",
        ("fact", "expected", "done", "failed", "never asked for", "sessions behind: how many"),
        [(fact, *(f"{cells:,}" for cells in of), _behind(found, fact)) for fact, of in totals.items()],
    )


def _behind(found: Coverage, fact: str) -> str:
    ages = [age for age in found["freshness"] if age["fact"] == fact]
    behind = [
        ("over 30" if age["sessions_behind"] is None else age["sessions_behind"], age["subjects"]) for age in ages
    ]
    return ", ".join(f"{sessions}: {subjects:,}" for sessions, subjects in behind)


def _reason_table(found: Coverage) -> RenderableType:
    rows = [
        (
            group["fact"],
            f"{group['cells']:,}",
            group["reason"],
            group["detail"],
            group["first"] if group["first"] == group["last"] else f"{group['first']} to {group['last']}",
            ", ".join(found["names"].get(subject, subject) for subject in group["subjects"]),
        )
        for group in found["reasons"]
    ]
    return table("not done", ("fact", "cells", "reason", "detail", "sessions", "of"), rows)


def load_all_readiness(client: ApiClient, as_of: date | None) -> ReadinessList:
    """Return how every portfolio stands."""
    found = client.get(READINESS, as_of=as_of, limit=PAGE)
    while found["next"] is not None:
        page = client.get(READINESS, as_of=found["as_of"], limit=PAGE, cursor=found["next"])
        found["items"] += page["items"]
        found["next"] = page["next"]
    return found


def _not_ready(found: ReadinessList) -> int:
    return sum(count for state, count in found["counts"].items() if state != _READY)


def _drawn(found: ReadinessList) -> Iterator[RenderableType]:
    counts = ", ".join(f"{count} {state}" for state, count in found["counts"].items() if count)
    yield Text(f"{found['as_of']}: {counts or 'no portfolios yet'}", style="bold")
    if found["dead_letters"]:
        yield Text(f"{found['dead_letters']} dead letters of runs over it; see `sigmasight dead-letters list`")
    lines = [line for line in found["items"] if line["state"] != _READY]
    if lines:
        lines.sort(key=lambda line: (list(_STYLES).index(line["state"]), line["name"] or ""))
        rows = [
            (line["name"] or line["portfolio_id"], *map(line.get, ("state", "newest_session", "cause")))
            for line in lines
        ]
        yield table("not ready", ("portfolio", "state", "newest session", "cause"), rows)


def _detail(found: PortfolioReadiness) -> Iterator[RenderableType]:
    name, state = found["name"] or found["portfolio_id"], found["state"]
    yield Text.assemble((f"{name} as of {found['as_of']}: ", "bold"), (state, f"bold {_STYLES[state]}"))
    if state != _READY:
        yield Text(f"newest session valued and assessed: {found['newest_session'] or 'none of the last thirty'}")
    for cause in found["causes"]:
        yield Text(f"- {cause['what']}\n  what to do: {cause['todo']}")
    for note in found["notes"]:
        yield Text(f"  note: {note}")
