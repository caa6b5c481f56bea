"""What a list answers."""

from typing import Generic, TypedDict, TypeVar

Entry = TypeVar("Entry")


class Page(TypedDict, Generic[Entry]):
    """A part of a list, and the cursor of the next one."""

    items: list[Entry]
    next: str | None
