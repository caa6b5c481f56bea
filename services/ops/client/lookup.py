"""Finding a portfolio and what is stored of it."""

from datetime import date
from typing import Any
from uuid import UUID

from services.ops.client.client import ApiClient
from services.ops.client.paging import pages
from services.ops.errors import Misused

_PAGE = 500


def load_snapshots(
    client: ApiClient, portfolio_id: str, *, first: date | None = None, last: date | None = None
) -> list[dict[str, Any]]:
    """Return a portfolio's snapshots, the oldest first."""
    read = pages(
        client,
        f"/portfolios/{portfolio_id}/snapshots",
        lambda entry: {"after_as_of": entry["as_of"], "after_portfolio_id": portfolio_id},
        limit=_PAGE,
        first=first,
        last=last,
    )
    return [entry for page in read for entry in page]


def load_portfolios(client: ApiClient) -> list[dict[str, Any]]:
    """Return every portfolio by name."""
    read = pages(client, "/portfolios", lambda last: {"after": last["name"]}, limit=_PAGE)
    return [entry for page in read for entry in page]


def find_portfolio(client: ApiClient, wanted: str) -> dict[str, Any]:
    """Return the portfolio with this id or name.

    Raises
    ------
    Misused, Refused
        If there is none.
    """
    found: dict[str, Any] = client.get(f"/portfolios/{_portfolio_id(client, wanted)}")
    return found


def _portfolio_id(client: ApiClient, wanted: str) -> str:
    try:
        return str(UUID(wanted))
    except ValueError:
        named = [entry["portfolio_id"] for entry in load_portfolios(client) if entry["name"] == wanted]
        if not named:
            raise Misused(f"no portfolio has the name or id {wanted!r}") from None
        return str(named[0])
