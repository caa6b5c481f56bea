"""The base of every event: a frozen fact whose topic lives on its class and whose id is a pure function."""

from collections.abc import Iterator
from datetime import date
from typing import ClassVar, Self
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import Field

from shared.contracts.run import Contract, Part, Run
from shared.unavailable import Reason, Unavailable

EVENT_NAMESPACE = uuid5(NAMESPACE_URL, "urn:sigmasight:event")


class Failure(Contract):
    """A symbol or a portfolio that a stage could not serve, and why."""

    subject: str
    reason: Reason | str = Field(description="a `Reason`, or the class of the error that stopped the cell")
    detail: str


class Measure(Contract):
    """A value or the reason why there is none."""

    value: float | None = None
    reason: Reason | None = None
    detail: str | None = None

    @classmethod
    def of(cls, found: float | Unavailable) -> Self:
        """Return what was found as it is announced and shown."""
        if isinstance(found, Unavailable):
            return cls(reason=found.reason, detail=found.detail)
        return cls(value=found)


class Event(Contract):
    """A fact in the past tense.

    Attributes
    ----------
    subjects : int
        How many symbols or portfolios this part speaks of; what the run ledger counts.
    failures : tuple of Failure
        The cells of this part that could not be served.
    unchanged : int
        How many cells of this part had the inputs that they had before, so that nothing was written.
    """

    topic: ClassVar[str]
    version: ClassVar[int] = 1
    keyed_by_run: ClassVar[bool] = False

    run: Run
    part: Part
    subjects: int = Field(default=0, ge=0)
    failures: tuple[Failure, ...] = ()
    unchanged: int = Field(default=0, ge=0)

    @property
    def event_id(self) -> UUID:
        """The same statement has the same id, however often it is made."""
        return uuid5(EVENT_NAMESPACE, f"{self.topic}|{self.run.run_id}|{self.part.index}/{self.part.total}")

    @property
    def key(self) -> str:
        """What keeps its order: the run, or the shard across runs."""
        return str(self.run.run_id) if self.keyed_by_run else f"shard-{self.part.index}"

    def days(self) -> Iterator[date]:
        """Yield the last day of the run, and those that this part speaks of."""
        yield self.run.last_session

    def subject_names(self) -> tuple[str, ...]:
        """Return the symbols or portfolios that this part speaks of, where it names them."""
        return ()

    @classmethod
    def event_type(cls) -> str:
        """Return the CloudEvents type, for example ``prices.updated.v1``."""
        return f"{cls.topic}.v{cls.version}"
