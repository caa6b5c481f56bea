"""Why a run is not opened; what each is over HTTP is decided in `web/problems.py`.

Refused
├── UnusableSession
├── OtherRangeUnderWay
├── UnknownRun
├── RunEnded
├── UnknownSubjects
├── UnknownBackfill
├── BackfillEnded
├── NotPaused
└── IdempotencyKeyReused
"""

from datetime import date
from uuid import UUID

from services.scheduler.core.backfill_progress import BackfillStatus
from shared.contracts.run import Run
from shared.contracts.scheduler import RunStatus


class Refused(Exception):
    """Nothing was opened."""


class UnusableSession(Refused):
    """A date that cannot bound a run; `field` is the bound of the request."""

    def __init__(self, field: str, required: str, *, day: date) -> None:
        self.field, self.day = field, day
        super().__init__(f"{required}, was {day}")


class OtherRangeUnderWay(Refused):
    """The run that the request would join begins at another session."""

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(f"run {run.run_id} of {run.first_session} to {run.last_session} is under way")


class UnknownRun(Refused):
    """There is no run of this id."""

    def __init__(self, run_id: UUID) -> None:
        self.run_id = run_id
        super().__init__(f"no run {run_id}")


class RunEnded(Refused):
    """What has ended cannot be cancelled."""

    def __init__(self, run_id: UUID, status: RunStatus) -> None:
        self.run_id, self.status = run_id, status
        super().__init__(f"run {run_id} has ended: {status.value}")


class UnknownSubjects(Refused):
    """Symbols or portfolios that are in no book and were never computed."""

    def __init__(self, subjects: tuple[str, ...]) -> None:
        self.subjects = subjects
        super().__init__(f"nobody holds or watches {', '.join(subjects[:10])}{' ...' if len(subjects) > 10 else ''}")


class UnknownBackfill(Refused):
    """There is no backfill of this id."""

    def __init__(self, backfill_id: UUID) -> None:
        self.backfill_id = backfill_id
        super().__init__(f"no backfill {backfill_id}")


class BackfillEnded(Refused):
    """What has ended can neither be paused nor resumed nor cancelled."""

    def __init__(self, backfill_id: UUID, status: BackfillStatus) -> None:
        self.backfill_id, self.status = backfill_id, status
        super().__init__(f"backfill {backfill_id} has ended: {status.value}")


class NotPaused(Refused):
    """Only what is paused can be resumed."""

    def __init__(self, backfill_id: UUID) -> None:
        self.backfill_id = backfill_id
        super().__init__(f"backfill {backfill_id} is not paused")


class IdempotencyKeyReused(Refused):
    """The key stands for another request."""

    def __init__(self, key: str, backfill_id: UUID) -> None:
        self.key, self.backfill_id = key, backfill_id
        super().__init__(f"the key {key!r} stands for backfill {backfill_id} of another selection")
