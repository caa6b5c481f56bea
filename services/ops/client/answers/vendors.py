"""Who was asked for market data, and what they said."""

from typing import TypedDict

from services.ops.client.answers.numbers import Day, Moment


class Attempt(TypedDict):
    """What a provider said of a symbol that it had no answer for."""

    kind: str
    session: Day
    place: int
    provider: str
    outcome: str
    detail: str
    run_id: str
    tried_at: Moment


class Absence(TypedDict):
    """What a vendor has said of a symbol that it does not have, and when it is asked again."""

    symbol: str
    kind: str
    vendor: str
    lacking: str
    times: int
    since: Moment
    retry_at: Moment | None
    detail: str


class Window(TypedDict):
    """What a plan allows within so many seconds, and what was asked."""

    seconds: int
    allowed: int
    requests: int
    ends_at: Moment | None


class Breaker(TypedDict):
    """Whether a vendor is asked for a kind."""

    kind: str
    state: str
    failures: int
    why: str | None
    open_until: Moment | None
    absent: int


class Requests(TypedDict):
    """How many requests of a run a vendor was to have, and has had."""

    vendor: str
    estimated: int | None
    requests: int


class RunRequests(TypedDict):
    """The requests of a run."""

    vendors: list[Requests]


class Vendor(TypedDict):
    """A vendor of the chain."""

    vendor: str
    windows: list[Window]
    kinds: list[Breaker]
    complete_from: str | None


class Identifier(TypedDict):
    """What a share is called, by whom and when, and who said so."""

    identifier_id: int
    symbol: str
    name: str
    vendor: str | None
    first_day: Day | None
    last_day: Day | None
    source: str
    why: str
    said_by: str
    said_at: Moment
    withdrawn_by: str | None
    withdrawn_at: Moment | None


class Named(TypedDict):
    """What was said of a share, and the symbols that are asked for anew."""

    identifier: Identifier | None
    symbols: list[str]


class Action(TypedDict):
    """What a company did to its shares, and who says so."""

    symbol: str
    kind: str
    ex_day: Day
    pay_day: Day | None
    value: float | None
    other: str | None
    source: str
    why: str | None
    said_at: Moment


class Universe(TypedDict):
    """A list of the constituents of an index."""

    universe: str
    as_of: Day
    symbols: int
    stored: bool


class Constituent(TypedDict):
    """A symbol of an index and its weight."""

    as_of: Day
    symbol: str
    weight: float
