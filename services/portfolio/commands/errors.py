"""Why a use case is refused; what each is over HTTP is decided in `web/problems.py`.

Refused
├── UnknownPortfolio
├── UnknownPosition
├── UnknownFlow
├── NameTaken
├── OpeningOutOfReach
├── FlowOutOfReach
├── ReferenceTaken
├── ExitOutOfReach
├── TradeAfterClosing
├── ClosingOutOfReach
├── ImpossibleExit
├── NothingToCorrect
├── Oversold
├── QueueFull
├── TooManySymbols
└── RangeReversed
"""

from datetime import date
from decimal import Decimal
from uuid import UUID


class Refused(Exception):
    """Nothing was stored and nothing asked for."""


class UnknownPortfolio(Refused):
    """There is no portfolio of this id."""

    def __init__(self, portfolio_id: UUID) -> None:
        self.portfolio_id = portfolio_id
        super().__init__(f"no portfolio {portfolio_id}")


class UnknownPosition(Refused):
    """The portfolio has no position of this id."""

    def __init__(self, portfolio_id: UUID, position_id: UUID) -> None:
        self.portfolio_id, self.position_id = portfolio_id, position_id
        super().__init__(f"portfolio {portfolio_id} has no position {position_id}")


class UnknownFlow(Refused):
    """The portfolio has no flow of this id."""

    def __init__(self, portfolio_id: UUID, flow_id: UUID) -> None:
        self.portfolio_id, self.flow_id = portfolio_id, flow_id
        super().__init__(f"portfolio {portfolio_id} has no flow {flow_id}")


class NameTaken(Refused):
    """Another portfolio has the name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"a portfolio named {name!r} exists")


class OpeningOutOfReach(Refused):
    """The first session of a portfolio lies after the session to calculate."""

    def __init__(self, opened_on: date, *, as_of: date) -> None:
        self.opened_on, self.as_of = opened_on, as_of
        super().__init__(f"must be at most {as_of}, was {opened_on}")


class FlowOutOfReach(Refused):
    """No session of the portfolio up to the one to calculate would book the flow."""

    def __init__(self, on: date, *, opened_on: date, as_of: date) -> None:
        self.on, self.opened_on, self.as_of = on, opened_on, as_of
        super().__init__(f"must lie between {opened_on} and {as_of}, was {on}")


class ReferenceTaken(Refused):
    """The reference stands for another flow of the portfolio."""

    def __init__(self, reference: str, *, on: date, amount: Decimal) -> None:
        self.reference = reference
        super().__init__(f"{reference!r} stands for the flow of {amount} on {on}")


class ExitOutOfReach(Refused):
    """The exit is dated after the session to calculate."""

    def __init__(self, on: date, *, as_of: date) -> None:
        self.on, self.as_of = on, as_of
        super().__init__(f"must be at most {as_of}, was {on}")


class TradeAfterClosing(Refused):
    """No session of the closed portfolio would hold what was traded then."""

    def __init__(self, on: date, *, closed_on: date) -> None:
        self.on, self.closed_on = on, closed_on
        super().__init__(f"must be at most {closed_on}, the last session of the closed portfolio, was {on}")


class ClosingOutOfReach(Refused):
    """A portfolio cannot be closed before its first session, or after the session to calculate."""

    def __init__(self, on: date, *, opened_on: date, as_of: date) -> None:
        self.on, self.opened_on, self.as_of = on, opened_on, as_of
        super().__init__(f"must lie between {opened_on} and {as_of}, was {on}")


class ImpossibleExit(Refused):
    """The position cannot have been closed so."""

    def __init__(self, position_id: UUID, reason: str) -> None:
        self.position_id = position_id
        super().__init__(reason)


class NothingToCorrect(Refused):
    """What is to be corrected is so already."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        super().__init__(f"nothing to correct: {subject} is so already")


class Oversold(Refused):
    """An exit closes more than was held."""


class QueueFull(Refused):
    """As many calculations as there may be are under way or wait."""

    def __init__(self, places: int) -> None:
        self.places = places
        super().__init__(f"{places} calculations are under way or wait; try again when some have ended")


class TooManySymbols(Refused):
    """A book would hold more symbols than one event names."""

    def __init__(self, symbols: int, *, most: int) -> None:
        self.symbols, self.most = symbols, most
        super().__init__(f"a book must hold at most {most:,} symbols, was {symbols:,}")


class RangeReversed(Refused):
    """A calculation would end before it begins."""

    def __init__(self, first_session: date, *, as_of: date) -> None:
        self.first_session, self.as_of = first_session, as_of
        super().__init__(f"must not be after {as_of}, the session to calculate, was {first_session}")
