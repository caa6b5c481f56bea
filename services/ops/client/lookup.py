"""Finding a portfolio and what is stored of it."""

from collections.abc import Sequence
from datetime import date

from services.ops.client.answers.portfolios import Portfolio, Snapshot
from services.ops.client.client import ApiClient
from services.ops.client.paging import PAGE, load_list
from services.ops.client.routes import PORTFOLIO, PORTFOLIO_SNAPSHOTS, PORTFOLIOS
from services.ops.errors import Misused
from services.ops.likeness import meant


def load_snapshots(
    client: ApiClient, portfolio_id: str, *, first: date | None = None, last: date | None = None
) -> list[Snapshot]:
    """Return a portfolio's snapshots, the oldest first."""
    route = PORTFOLIO_SNAPSHOTS.at(portfolio_id=portfolio_id)
    return load_list(client, route, limit=PAGE, first=first, last=last)


def load_portfolios(client: ApiClient) -> list[Portfolio]:
    """Return every portfolio by name."""
    return load_list(client, PORTFOLIOS, limit=PAGE)


def find_portfolio(client: ApiClient, wanted: str) -> Portfolio:
    """Return the portfolio with this id or name.

    Raises
    ------
    Misused, Refused
        If there is none; it names those that are alike.
    """
    (portfolio_id,) = find_portfolio_ids(client, [wanted])
    return client.get(PORTFOLIO.at(portfolio_id=portfolio_id))


def find_portfolio_ids(client: ApiClient, wanted: Sequence[str]) -> list[str]:
    """Return the portfolios with these ids or names, each once.

    Raises
    ------
    Misused
        If there is none of some; it names all of those, and names that are like them.
    """
    known = load_portfolios(client)
    ids = {entry["portfolio_id"]: entry["portfolio_id"] for entry in known}
    ids |= {entry["name"]: entry["portfolio_id"] for entry in known}
    found = {given: ids.get(given) or ids.get(given.lower()) for given in wanted}
    unknown = [given for given, portfolio_id in found.items() if portfolio_id is None]
    if unknown:
        raise Misused(_no_portfolio(unknown, [entry["name"] for entry in known]))
    return list(dict.fromkeys(filter(None, found.values())))


def _no_portfolio(unknown: Sequence[str], names: Sequence[str]) -> str:
    return f"no portfolio has the name or id {', '.join(map(repr, unknown))}{meant(unknown, names)}"
