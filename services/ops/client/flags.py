"""What a field of the API is called on the command line."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

FLAGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "amount": "--amount",
        "as_of": "--as-of",
        "entry_date": "--entered-on",
        "entry_price": "--price",
        "expiration": "--expires-on",
        "first": "--from",
        "first_session": "--start",
        "kind": "--kind",
        "last": "--to",
        "last_session": "--as-of",
        "on": "--on",
        "opened_on": "--opened-on",
        "opening_equity": "--equity",
        "portfolio_id": "--portfolio",
        "portfolio_ids": "--portfolio",
        "price": "--price",
        "quantity": "--quantity",
        "session": "--session",
        "strike": "--strike",
        "symbols": "--symbol",
        "underlying": "--underlying",
        "why": "--why",
    }
)


def flag_of(field: str) -> str:
    """Return the option that a field such as ``body.symbols.0`` was taken from, else the field."""
    names = [step for step in field.split(".") if not step.isdigit()]
    return FLAGS.get(names[-1], field) if names else field
