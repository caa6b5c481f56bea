"""Runs that have ended, as their end announces them."""

from typing import Final

from shared.contracts.event import Event
from shared.contracts.run import RunKind
from shared.contracts.scheduler import BatchCompleted, RunStatus
from shared.metrics.catalogue import RUN_SECONDS, RUNS, STAGE_SECONDS
from shared.metrics.service_metrics import ServiceMetrics

_ENDS: Final = [status for status in RunStatus if status is not RunStatus.ACTIVE]


class RunEnds:
    """Counts and times what the scheduler has announced."""

    def __init__(self, metrics: ServiceMetrics) -> None:
        self._metrics = metrics
        for kind in RunKind:
            for status in _ENDS:
                metrics.add(RUNS, kind.value, status.value, amount=0)

    def __call__(self, event: Event) -> None:
        """Take note of an announced event, if it is the end of a run."""
        if not isinstance(event, BatchCompleted):
            return
        kind = event.run.kind.value
        status = RunStatus.CANCELLED if event.cancelled else event.status
        self._metrics.add(RUNS, kind, status.value)
        if event.seconds is not None:
            self._metrics.observe(RUN_SECONDS, event.seconds, kind)
        for stage in event.stages:
            if stage.seconds is not None:
                self._metrics.observe(STAGE_SECONDS, stage.seconds, kind, stage.stage)
