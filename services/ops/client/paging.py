"""Reading lists of the platform to their end."""

from collections.abc import Iterator

from services.ops.client.answers.pages import Entry, Page
from services.ops.client.client import ApiClient
from services.ops.client.routes import Route


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
