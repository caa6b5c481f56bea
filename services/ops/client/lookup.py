"""Finding a portfolio and what is stored of it."""

from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID

from services.ops.client.answers.portfolios import Portfolio, Snapshot
from services.ops.client.client import ApiClient
from services.ops.client.paging import load_list
from services.ops.client.routes import PORTFOLIO, PORTFOLIO_SNAPSHOTS, PORTFOLIOS
from services.ops.errors import Misused

_PAGE: Final = 500


def load_snapshots(
    client: ApiClient, portfolio_id: str, *, first: date | None = None, last: date | None = None
) -> list[Snapshot]:
    """Return a portfolio's snapshots, the oldest first."""
    route = PORTFOLIO_SNAPSHOTS.at(portfolio_id=portfolio_id)
    return load_list(client, route, limit=_PAGE, first=first, last=last)


def load_portfolios(client: ApiClient) -> list[Portfolio]:
    """Return every portfolio by name."""
    return load_list(client, PORTFOLIOS, limit=_PAGE)


def find_portfolio(client: ApiClient, wanted: str) -> Portfolio:
    """Return the portfolio with this id or name.

    Raises
    ------
    Misused, Refused
        If there is none.
    """
    return client.get(PORTFOLIO.at(portfolio_id=_portfolio_id(client, wanted)))


def find_portfolio_ids(client: ApiClient, wanted: Sequence[str]) -> list[str]:
    """Return the portfolios with these ids or names, each once.

    Raises
    ------
    Misused
        If there is none of some; it names all of those.
    """
    known = load_portfolios(client)
    ids = {entry["portfolio_id"]: entry["portfolio_id"] for entry in known}
    ids |= {entry["name"]: entry["portfolio_id"] for entry in known}
    found = {given: ids.get(given) or ids.get(given.lower()) for given in wanted}
    unknown = [given for given, portfolio_id in found.items() if portfolio_id is None]
    if unknown:
        raise Misused(f"no portfolio has the name or id {', '.join(map(repr, unknown))}")
    return list(dict.fromkeys(filter(None, found.values())))


def _portfolio_id(client: ApiClient, wanted: str) -> str:
    try:
        return str(UUID(wanted))
    except ValueError:
        named = [entry["portfolio_id"] for entry in load_portfolios(client) if entry["name"] == wanted]
        if not named:
            raise Misused(f"no portfolio has the name or id {wanted!r}") from None
        return named[0]
