"""Reading lists of the API to their end."""

from collections.abc import Callable, Iterator
from typing import Any

from services.ops.client.client import ApiClient

Entry = dict[str, Any]
Page = list[Entry]


def pages(
    client: ApiClient,
    path: str,
    cursor: Callable[[Entry], dict[str, Any]],
    *,
    limit: int,
    counted: str | None = None,
    **query: object,
) -> Iterator[Page]:
    """Yield the pages of a list; `cursor` makes the query for the next page of the last entry of one.

    How full a page is says nothing: some lists count their limit in entries of another one, `counted`. An empty page of
    those ends nothing as long as the other one goes on.
    """
    after: dict[str, Any] = {}
    while True:
        page = client.get(path, limit=limit, **{**query, **after})
        if page:
            yield page
        elif counted is not None:
            page = client.get(counted, limit=limit, **{**query, **after})
        if not page:
            return
        after = cursor(page[-1])
