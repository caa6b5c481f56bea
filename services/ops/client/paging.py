"""Reading lists of the platform: to their end, or as far as somebody looks."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from services.ops.client.answers.pages import Entry, Page
from services.ops.client.client import ApiClient
from services.ops.client.routes import Route

# How many entries are asked for at once; every list gives as many.
PAGE: Final = 500


def pages(client: ApiClient, route: Route[Page[Entry]], **query: object) -> Iterator[list[Entry]]:
    """Yield the pages of a list."""
    cursor = None
    while True:
        page = client.get(route, cursor=cursor, **query)
        yield page["items"]
        cursor = page["next"]
        if cursor is None:
            return


def load_list(client: ApiClient, route: Route[Page[Entry]], **query: object) -> list[Entry]:
    """Return all entries of a list."""
    return [entry for page in pages(client, route, **query) for entry in page]


def load_first(client: ApiClient, route: Route[Page[Entry]], most: int, **query: object) -> list[Entry]:
    """Return the first entries of a list, at most so many."""
    read = pages(client, route, limit=min(most, PAGE), **query)
    return list(islice((entry for page in read for entry in page), most))
