"""Reading lists of the API to their end."""

from collections.abc import Callable, Iterator
from typing import Any

from services.ops.client import ApiClient

Entry = dict[str, Any]
Page = list[Entry]


def pages(
    client: ApiClient, path: str, cursor: Callable[[Entry], dict[str, Any]], *, limit: int, **query: object
) -> Iterator[Page]:
    """Yield the pages of a list; `cursor` makes the query for the next page of the last entry of one.

    How full a page is says nothing: some lists count their limit in something else than entries.
    """
    after: dict[str, Any] = {}
    while page := client.get(path, limit=limit, **{**query, **after}):
        yield page
        after = cursor(page[-1])
