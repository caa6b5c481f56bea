"""Reading what is exported, page by page."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any

from services.ops.client import routes
from services.ops.client.answers.numbers import Day
from services.ops.client.answers.pages import Entry, Page
from services.ops.client.answers.portfolios import Performance, Realised
from services.ops.client.answers.risk import Stress
from services.ops.client.client import ApiClient, find
from services.ops.client.lookup import load_portfolios
from services.ops.client.paging import PAGE, pages
from services.ops.client.routes import Route

# Yields the pages of what there is from a session to another; None: from the first, to the last.
Reader = Callable[[ApiClient, date | None, date | None], Iterator[list[Entry]]]


class PortfolioPerformance(Performance):
    """How a portfolio did, and which it is."""

    portfolio_id: str


class PortfolioRealised(Realised):
    """What the daily returns of a portfolio say, and which it is."""

    portfolio_id: str


class PortfolioStress(Stress):
    """What scenarios do to a portfolio, which it is, and when."""

    as_of: Day
    portfolio_id: str


def listed(route: Route[Page[Entry]]) -> Reader[Entry]:
    """Return what reads a list."""

    def read(client: ApiClient, first: date | None, last: date | None) -> Iterator[list[Entry]]:
        return pages(client, route, limit=PAGE, first=first, last=last)

    return read


def read_performance(client: ApiClient, first: date | None, last: date | None) -> Iterator[list[PortfolioPerformance]]:
    """Yield how each portfolio did that was valued meanwhile."""
    for portfolio in load_portfolios(client):
        portfolio_id = portfolio["portfolio_id"]
        found = find(client, routes.PERFORMANCE.at(portfolio_id=portfolio_id), first=first, last=last)
        if found is not None:
            yield [{**found, "portfolio_id": portfolio_id}]


def read_realised(client: ApiClient, _: date | None, last: date | None) -> Iterator[list[PortfolioRealised]]:
    """Yield what the daily returns of each portfolio say, over the windows that end at the last session."""
    for portfolio in load_portfolios(client):
        portfolio_id = portfolio["portfolio_id"]
        found = find(client, routes.REALISED.at(portfolio_id=portfolio_id), as_of=last)
        if found is not None:
            yield [{**found, "portfolio_id": portfolio_id}]


def read_stress(client: ApiClient, first: date | None, last: date | None) -> Iterator[list[PortfolioStress]]:
    """Yield what the scenarios do to each portfolio, for each assessment that was made with scenarios."""
    for page in listed(routes.RISK)(client, first, last):
        for assessed in page:
            portfolio_id, as_of = assessed["portfolio_id"], assessed["as_of"]
            found = find(client, routes.STRESS.at(portfolio_id=portfolio_id), as_of=as_of)
            if found is not None:
                yield [{**found, "portfolio_id": portfolio_id, "as_of": as_of}]


def with_names(client: ApiClient, read: Iterable[list[Any]]) -> Iterator[list[Any]]:
    """Yield the pages with the name of the portfolio in each entry."""
    names = {entry["portfolio_id"]: entry["name"] for entry in load_portfolios(client)}
    for page in read:
        yield [{**entry, "portfolio": names.get(entry["portfolio_id"])} for entry in page]
