"""What would wake somebody, as far as one look at the metrics tells: the alerts of `deploy/prometheus` without time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from shared.metrics import catalogue
from shared.metrics.catalogue import Metric


class Sample(NamedTuple):
    """A metric as it was served."""

    name: str
    labels: dict[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Condition:
    """An alert's condition; a test holds it to the rule of its name.

    Attributes
    ----------
    name : str
        The alert's.
    metric : Metric
        Whose series are compared.
    by : str or None
        The label that names who is concerned.
    over : float
        The value above which it holds; with `below`, the one that it must not be.
    only : str or None
        The kind of runs that it is about.
    summed : bool
        Whether the series of one who is concerned are added up.
    below : bool
        Whether it holds where the value is `over` instead.
    """

    name: str
    metric: Metric
    by: str | None
    over: float
    only: str | None = None
    summed: bool = False
    below: bool = False


CONDITIONS: Final = (
    Condition("NightNotStarted", catalogue.TRIGGER_LATE, "trigger", 300),
    Condition("NightNotFinished", catalogue.RUN_OLDEST, "kind", 3600, only="nightly"),
    Condition("BooksStale", catalogue.BOOKS_BEHIND, "service", 1),
    Condition("SchedulePaused", catalogue.SCHEDULE_PAUSED, None, 0),
    Condition("DatabaseDown", catalogue.DATABASE, "service", 0, below=True),
    Condition("OutboxStuck", catalogue.OUTBOX_AGE, "service", 60),
    Condition("ConsumerBehind", catalogue.CONSUMER_LAG, "consumer", 100, summed=True),
    Condition("DeadLetters", catalogue.DEAD_LETTERS, None, 0),
    Condition("VendorPaused", catalogue.VENDOR_PAUSED, "provider", 0),
    Condition("BudgetLow", catalogue.VENDOR_USED, "provider", 0.9),
    Condition("PricesHeld", catalogue.PRICES_HELD, None, 0),
)


class Stand(NamedTuple):
    """A condition as it stands: its value, of whom, and whether it holds; None: nothing was served."""

    name: str
    value: float | None
    of: str | None
    holds: bool


def stand_of(condition: Condition, samples: Iterable[Sample]) -> Stand:
    """Return how a condition stands, with the value that is nearest to it or furthest beyond."""
    worst: Callable[[Sequence[float]], float] = min if condition.below else max
    together: dict[str, list[float]] = {}
    for sample in samples:
        if sample.name == condition.metric.name and condition.only in {None, sample.labels.get("kind")}:
            together.setdefault(sample.labels.get(condition.by or "", ""), []).append(sample.value)
    if not together:
        return Stand(condition.name, None, None, holds=False)
    values = {of: sum(each) if condition.summed else worst(each) for of, each in together.items()}
    value = worst(list(values.values()))
    of = next(name for name, each in values.items() if each == value)
    holds = value == condition.over if condition.below else value > condition.over
    return Stand(condition.name, value, of or None, holds)
