"""What a field of the API is called on the command line."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

# An argument is written as in the help. Of several names, the one counts that the command has.
FLAGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "amount": ("--amount",),
        "as_of": ("--as-of",),
        "backfill_id": ("BACKFILL",),
        "basis": ("--basis",),
        "csv": ("FILE",),
        "currency": ("--currency",),
        "entry_date": ("--entered-on", "--on"),
        "entry_price": ("--price",),
        "expiration": ("--expires-on",),
        "first": ("--from",),
        "first_session": ("--start",),
        "kind": ("--kind",),
        "last": ("--to", "--as-of"),
        "last_session": ("--as-of",),
        "letter_id": ("LETTER",),
        "letter_ids": ("LETTERS",),
        "limit": ("--limit",),
        "measure": ("MEASURE",),
        "name": ("NAME", "--name"),
        "on": ("--on",),
        "opened_on": ("--opened-on",),
        "opening_equity": ("--equity",),
        "portfolio_id": ("--portfolio", "PORTFOLIO"),
        "portfolio_ids": ("--portfolio", "PORTFOLIO"),
        "price": ("--price",),
        "quantity": ("--quantity",),
        "reason": ("--cause",),
        "reference": ("--reference",),
        "rule": ("--rule",),
        "run_id": ("--run", "RUN"),
        "session": ("--session", "SESSION"),
        "strike": ("--strike",),
        "symbol": ("--symbol", "SYMBOL"),
        "symbols": ("--symbol", "SYMBOL"),
        "topic": ("--topic",),
        "underlying": ("--underlying",),
        "why": ("--why",),
    }
)


def flag_of(field: str, names: Collection[str]) -> str:
    """Return which of a command's names a field such as ``body.symbols.0`` was taken from, else the field."""
    steps = [step for step in field.split(".") if not step.isdigit()]
    known = FLAGS.get(steps[-1], ()) if steps else ()
    return next((flag for flag in known if flag in names), field)
