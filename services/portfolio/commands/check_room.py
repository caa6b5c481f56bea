"""Refuse what would have to be onboarded while too much waits already."""

from dataclasses import dataclass
from datetime import timedelta

from services.portfolio.commands.errors import QueueFull
from services.portfolio.storage.repository import PortfolioRepository
from shared.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Room:
    """How many calculations may be open, under way or waiting; one older than `longest` has ended unheard."""

    places: int
    longest: timedelta


async def check_room(room: Room, uow: UnitOfWork) -> None:
    """Let one more calculation be asked for.

    Raises
    ------
    QueueFull
    """
    if await PortfolioRepository(uow.connection).count_open_calculations(room.longest) >= room.places:
        raise QueueFull(room.places)
