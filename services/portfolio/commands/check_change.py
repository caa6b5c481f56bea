"""Refuse a correction that changes nothing: it would be kept as one, and value everything again."""

from services.portfolio.commands.errors import NothingToCorrect


def check_change(subject: str, before: object, after: object) -> None:
    """Let what differs from what is stored be stored.

    Raises
    ------
    NothingToCorrect
    """
    if before == after:
        raise NothingToCorrect(subject)
