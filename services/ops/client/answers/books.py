"""Books as they were entered: positions, flows, and what was corrected."""

from typing import TypedDict

from services.ops.client.answers.numbers import Amount, Day, Moment


class Exit(TypedDict):
    """Part or all of a position closed."""

    on: Day
    price: Amount
    quantity: Amount | None


class Contract(TypedDict):
    """What an option is on."""

    underlying: str
    strike: Amount
    expiration: Day


class Position(TypedDict):
    """A position as it was entered."""

    position_id: str
    symbol: str
    kind: str
    quantity: Amount
    entry_date: Day
    entry_price: Amount
    exits: list[Exit]
    option: Contract | None
    basis: str


class Flow(TypedDict):
    """Money paid in, or taken out."""

    flow_id: str
    reference: str | None
    on: Day
    amount: Amount


class Edit(TypedDict):
    """A correction."""

    kind: str
    subject_id: str
    before: dict[str, object] | None
    after: dict[str, object] | None
    edited_at: Moment
    edited_by: str | None
