"""A number of the platform: its value or the reason, what it was made of, and how it comes out again."""

from typing import Annotated, TypedDict

Day = Annotated[str, "date"]
Moment = Annotated[str, "date-time"]
# Money travels as text, with all of its digits.
Amount = str


class Measure(TypedDict):
    """A value, or the reason why there is none."""

    value: float | None
    reason: str | None
    detail: str | None


class Trail(TypedDict):
    """What a result was made of, and by which version of the code."""

    as_of: Day
    revision: int
    known_at: Moment
    digest: str
    code_version: int


class LastPrice(TypedDict):
    """The price behind a number, and who gave it."""

    symbol: str
    session: Day | None
    close: float | None
    source: str | None


class Explained(TypedDict):
    """A number as it is stored, and as it comes out again from its inputs."""

    measure: str
    stored: Measure
    recomputed: Measure
    inputs_unchanged: bool
    agrees: bool
    prices: list[LastPrice]
