"""Who calls: a person or a program, in which role, and as whom portfolios are theirs."""

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

# Of people and of groups: without what separates them where they are listed.
NAME_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}"
OWNER_PATTERN: Final = rf"^(group:)?{NAME_PATTERN}$"


class Role(IntEnum):
    """What a caller may do; each role includes the ones below it."""

    ANYONE = 0
    # Reads what is theirs.
    OWNER = 1
    # Reads everybody's.
    VIEWER = 2
    OPERATOR = 3
    ADMIN = 4


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller.

    Attributes
    ----------
    name : str
        Of a person, or of the program's role.
    role : Role
        What they may do.
    groups : tuple of str
        Whose portfolios are theirs too.
    csrf : str or None
        What has to come with whatever changes something; None for a bearer token, which no browser sends by itself.
    until : datetime or None
        When who they are has to be looked up again; None for a bearer token.
    """

    name: str
    role: Role
    groups: tuple[str, ...] = ()
    csrf: str | None = None
    until: datetime | None = None

    @property
    def sees_all(self) -> bool:
        """Tell whether every portfolio may be read."""
        return self.role > Role.OWNER

    @property
    def owners(self) -> tuple[str, ...]:
        """Return the owners whose portfolios are theirs."""
        return (self.name, *(f"group:{group}" for group in self.groups))


# Who the request that is being served is from; nobody's is what a service does by itself.
CALLER: ContextVar[Principal | None] = ContextVar("caller", default=None)
