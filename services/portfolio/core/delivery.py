"""Options that end in shares: exercised by who holds them, assigned to who wrote them (methodology, 5)."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID, uuid5

from services.portfolio.core.assembly import Window
from services.portfolio.core.cents import AmountOutOfRange
from services.portfolio.core.positions import CALLS, MAX_COST, Exit, Position, PositionTerms, PositionType
from shared.conventions import OPTION_MULTIPLIER

# Nobody can deliver an index: options on these are settled in cash.
INDICES: Final = frozenset({"SPX", "XSP", "NDX", "XND", "RUT", "MRUT", "DJX", "OEX", "XEO", "VIX"})
_DECIMALS: Final = Decimal("1E-10")


def ends_in_shares(terms: PositionTerms) -> bool:
    """Tell whether a position is an option that is delivered, if it is worth anything at its end."""
    underlying = None if terms.option is None else terms.option.underlying
    return underlying is not None and not underlying.startswith("^") and underlying not in INDICES


def shares_id(option_id: UUID) -> UUID:
    """Return the id of the position that an option becomes: the same whenever its end is looked at."""
    return uuid5(option_id, "shares")


def shares_of(option: Position, *, contracts: float, strike: float, on: date, exits: Sequence[Exit] = ()) -> Position:
    """Return the trade that options in the money end in: at the strike, on the session that settles them.

    Calls that are held buy, and so do puts that were written; puts that are held sell, and so do calls that were
    written.

    Parameters
    ----------
    option : Position
        Whose contract is known.
    contracts : float
        What is left of them, signed.
    strike : float
        In the shares of the session.
    on : date
        The session.
    exits : sequence of Exit
        Of those shares.

    Raises
    ------
    AmountOutOfRange
        If the shares cost more than a position may.
    """
    contract = option.terms.option
    if contract is None:
        raise ValueError(f"an option must have a contract, was {option.terms}")
    side = 1 if option.terms.kind in CALLS else -1
    quantity, price = _plain(Decimal(contracts) * OPTION_MULTIPLIER * side), _plain(Decimal(strike))
    if abs(quantity) * price > MAX_COST:
        raise AmountOutOfRange(f"cost of delivered shares must be at most {MAX_COST}, was {abs(quantity) * price}")
    terms = PositionTerms(
        symbol=contract.underlying,
        kind=PositionType.LONG if quantity > 0 else PositionType.SHORT,
        quantity=quantity,
        entry_date=on,
        entry_price=price,
        exits=tuple(entry for entry in exits if entry.on >= on),
    )
    return Position(shares_id(option.position_id), option.portfolio_id, terms)


def _plain(amount: Decimal) -> Decimal:
    """Return an amount at ten decimals, written without those that are none."""
    return Decimal(f"{amount.quantize(_DECIMALS).normalize():f}")


def from_before(positions: Sequence[Position], window: Window) -> Mapping[UUID, Position]:
    """Return the shares among the positions that others of them were found to end in on these sessions, by their id."""
    entered = [position for position in positions if window.opening < position.terms.entry_date <= window.sessions[-1]]
    # Nights on which nothing was bought, which are most, need no ids of what every position might end in.
    ids = {shares_id(position.position_id) for position in positions} if entered else set[UUID]()
    return {position.position_id: position for position in entered if position.position_id in ids}
