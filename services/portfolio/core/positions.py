"""Positions of a portfolio: what was bought or sold, when, at what price, and how it was closed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from shared.conventions import OPTION_MULTIPLIER

# Portfolio currency. Keeps every sum of cents of a shard inside 63 bits.
MAX_COST: Final = Decimal(10) ** 12


class PositionType(StrEnum):
    """What is held; the sign of the quantity says on which side, and the two must agree."""

    LONG = "LONG"
    SHORT = "SHORT"
    LC = "LC"  # long call
    LP = "LP"  # long put
    SC = "SC"  # short call
    SP = "SP"  # short put
    PRIVATE = "PRIVATE"  # either sign: a private liability has a negative quantity


_OPTIONS: Final = frozenset({PositionType.LC, PositionType.LP, PositionType.SC, PositionType.SP})
CALLS: Final = frozenset({PositionType.LC, PositionType.SC})
_LONG: Final = frozenset({PositionType.LONG, PositionType.LC, PositionType.LP})
_SHORT: Final = frozenset({PositionType.SHORT, PositionType.SC, PositionType.SP})


class Basis(StrEnum):
    """In whose shares a position is that was bought before its book was opened."""

    AS_TRADED = "AS_TRADED"  # those of its entry date: splits since then change quantity and price
    AS_OF_OPENING = "AS_OF_OPENING"  # those of the day on which the book was handed over


def is_option(kind: PositionType) -> bool:
    """Tell whether a type is a call or a put."""
    return kind in _OPTIONS


def multiplier(kind: PositionType) -> int:
    """Return the units of the underlying per unit of quantity: 100 for options, 1 otherwise."""
    return OPTION_MULTIPLIER if is_option(kind) else 1


def sign_agrees(kind: PositionType, quantity: Decimal) -> bool:
    """Tell whether the sign of a quantity is the one its type demands; zero never is."""
    return quantity != 0 and not (quantity < 0 and kind in _LONG) and not (quantity > 0 and kind in _SHORT)


def may_be_given(kind: PositionType) -> bool:
    """Tell whether a position may have cost nothing: a gift or an award is a holding, no debt and no contract."""
    return kind in {PositionType.LONG, PositionType.PRIVATE}


@dataclass(frozen=True, slots=True)
class Exit:
    """Part or all of a position closed at a price.

    `quantity` is the size closed (positive), in the shares of that session, i.e. after every split effective until
    then. None closes whatever is left.
    """

    on: date
    price: Decimal
    quantity: Decimal | None = None

    def __post_init__(self) -> None:
        if self.price <= 0:
            raise ValueError(f"exit price must be positive, was {self.price}")
        if self.quantity is not None and self.quantity <= 0:
            raise ValueError(f"exit quantity must be positive, was {self.quantity}")


@dataclass(frozen=True, slots=True)
class OptionTerms:
    """The contract behind an option position."""

    underlying: str
    strike: Decimal
    expiration: date


@dataclass(frozen=True, slots=True)
class PositionTerms:
    """A position as it was entered: quantity and price on its basis, the exits that followed."""

    symbol: str
    kind: PositionType
    quantity: Decimal
    entry_date: date
    entry_price: Decimal
    exits: tuple[Exit, ...] = ()
    subtype: str | None = None
    option: OptionTerms | None = None
    basis: Basis = Basis.AS_TRADED

    def __post_init__(self) -> None:
        if not sign_agrees(self.kind, self.quantity):
            raise ValueError(f"quantity of a {self.kind} position must have the sign of its type, was {self.quantity}")
        if self.entry_price < 0 or (self.entry_price == 0 and not may_be_given(self.kind)):
            raise ValueError(f"entry price of a {self.kind} position must be positive, was {self.entry_price}")
        if self.option is not None and self.option.expiration < self.entry_date:
            raise ValueError(f"an option must expire after its entry {self.entry_date}, was {self.option.expiration}")
        if self.cost > MAX_COST:
            raise ValueError(f"cost of a position must be at most {MAX_COST}, was {self.cost}")
        if not self.exits:
            return
        days = [self.entry_date, *(exit_.on for exit_ in self.exits)]
        if days != sorted(days):
            raise ValueError(f"exits must follow the entry in the order of their dates, was {days}")

    @property
    def cost(self) -> Decimal:
        """Return the unsigned cost of the whole position."""
        return abs(self.quantity) * self.entry_price * multiplier(self.kind)

    @property
    def split_as(self) -> str:
        """Return the symbol whose splits change the quantity: of an option its underlying's."""
        return self.symbol if self.option is None else self.option.underlying

    @property
    def dates(self) -> frozenset[date]:
        """Return the days on which it was traded."""
        return frozenset({self.entry_date, *(exit_.on for exit_ in self.exits)})


def priced_symbols(terms: Iterable[PositionTerms]) -> list[str]:
    """Return the symbols that positions need the prices of, their own and those of underlyings, sorted."""
    needed: set[str] = set()
    for entry in terms:
        if entry.kind is not PositionType.PRIVATE:
            needed.add(entry.symbol)
        if entry.option is not None:
            needed.add(entry.option.underlying)
    return sorted(needed)


@dataclass(frozen=True, slots=True)
class Position:
    """A position of a portfolio."""

    position_id: UUID
    portfolio_id: UUID
    terms: PositionTerms


@dataclass(frozen=True, slots=True)
class Flow:
    """Money paid into a portfolio (positive) or taken out of it (negative).

    `reference` is what it is known by to whoever entered it, one flow's of a portfolio.
    """

    portfolio_id: UUID
    on: date
    amount: Decimal
    reference: str | None = None
