"""Who did what over HTTP."""

from typing import TypedDict

from services.ops.client.answers.numbers import Moment


class Noted(TypedDict):
    """What somebody changed, or tried to."""

    place: int
    at: Moment
    principal: str
    role: str
    action: str
    target: str
    outcome: str
