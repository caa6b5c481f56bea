"""Lists over HTTP come in pages, each with the cursor of the next one."""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import quote

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from shared.problems import Problem

Entry = TypeVar("Entry")
Row = TypeVar("Row")
Key = TypeVar("Key")

# The numbers by which tables order their rows.
Place = Annotated[int, Field(ge=-(2**63), lt=2**63)]
# What the database takes as text.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]

Cursor = Annotated[
    str | None,
    Query(max_length=2_000, description="`next` of the page before; none: the first page", examples=["WyJBQVBMIl0="]),
]


class Page(BaseModel, Generic[Entry]):
    """A part of a list, in its order, and where the list goes on."""

    items: list[Entry]
    next: str | None = Field(description="`cursor` of the next page, also in the header `Link`; null: the list ends")


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of a list is asked for.

    A cursor is the key of the last entry of a page. Lists are read with one entry more than a page has: that tells
    whether they go on.
    """

    limit: int
    cursor: str | None
    request: Request
    response: Response

    @property
    def wanted(self) -> int:
        """How many entries to read."""
        return self.limit + 1

    def after(self, kind: type[Key]) -> Key | None:
        """Return the key that the page begins behind, None for the first page.

        Raises
        ------
        Problem
            422 if the cursor is none of this list.
        """
        if self.cursor is None:
            return None
        try:
            written = json.loads(urlsafe_b64decode(self.cursor.encode()))
            return TypeAdapter(kind).validate_python(written)
        except (binascii.Error, ValueError, ValidationError) as error:
            raise Problem.of_field("query.cursor", "must be `next` of a page of this list") from error

    def cut(self, found: Sequence[Row], key: Callable[[Row], tuple[object, ...]]) -> tuple[Sequence[Row], str | None]:
        """Return the entries of the page and the cursor of the next one, which the answer is told to link to."""
        page = found[: self.limit]
        if len(found) == len(page):
            return page, None
        written = json.dumps(to_jsonable_python(key(page[-1])), separators=(",", ":"))
        cursor = urlsafe_b64encode(written.encode()).decode()
        url = self.request.url.include_query_params(cursor=cursor)
        self.response.headers["Link"] = f'<{quote(url.path)}?{url.query}>; rel="next"'
        return page, cursor

    def page(
        self, found: Sequence[Row], view: Callable[[Row], Entry], key: Callable[[Row], tuple[object, ...]]
    ) -> Page[Entry]:
        """Return the page of what was found."""
        page, cursor = self.cut(found, key)
        return Page(items=[view(row) for row in page], next=cursor)


def paged(default: int, *, most: int, of: str = "entries") -> Any:
    """Return the dependency on which page is asked for, of at most so many entries."""

    async def paging(
        request: Request,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=most, description=f"{of} a page")] = default,
        cursor: Cursor = None,
    ) -> Paging:
        return Paging(limit, cursor, request, response)

    return Depends(paging)
