"""Reading lists of the platform to their end."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypedDict, TypeVar

from services.ops.client.client import ApiClient
from services.ops.client.routes import Route

Entry = TypeVar("Entry")
Counted = TypeVar("Counted")
Query = Mapping[str, object]


def pages(
    client: ApiClient,
    route: Route[list[Entry]],
    cursor: Callable[[Entry | Counted], Query],
    *,
    limit: int,
    counted: Route[list[Counted]] | None = None,
    **query: object,
) -> Iterator[list[Entry]]:
    """Yield the pages of a list; `cursor` makes the query for the next page of the last entry of one.

    How full a page is says nothing: some lists count their limit in entries of another one, `counted`. An empty page of
    those ends nothing as long as the other one goes on.
    """
    after: Query = {}
    while True:
        page = client.get(route, limit=limit, **{**query, **after})
        if page:
            yield page
            after = cursor(page[-1])
            continue
        passed = client.get(counted, limit=limit, **{**query, **after}) if counted else None
        if not passed:
            return
        after = cursor(passed[-1])


class _OfPortfolio(TypedDict):
    as_of: str
    portfolio_id: str


class _OfSymbol(TypedDict):
    as_of: str
    symbol: str


def after_portfolio(last: _OfPortfolio) -> Query:
    """Return the query of the page after the one that ends with `last`, in a list by session and portfolio."""
    return {"after_as_of": last["as_of"], "after_portfolio_id": last["portfolio_id"]}


def after_symbol(last: _OfSymbol) -> Query:
    """Return the query of the page after the one that ends with `last`, in a list by session and symbol."""
    return {"after_as_of": last["as_of"], "after_symbol": last["symbol"]}
