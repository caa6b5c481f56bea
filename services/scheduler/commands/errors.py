"""Why a run is not opened; what each is over HTTP is decided in `web/problems.py`.

Refused
├── UnusableSession
├── OtherRunUnderWay
├── UnknownPortfolios
├── UnknownRun
├── RunEnded
├── RunGoesOn
├── NothingFailed
├── UnknownSubjects
├── UnknownBackfill
├── BackfillEnded
├── NotPaused
├── UnknownLetter
├── LetterDealtWith
├── NothingToRedrive
└── UnknownRedrive
"""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from services.scheduler.core.backfill_progress import BackfillStatus
from services.scheduler.core.letters import LetterStatus
from shared.contracts.run import Run
from shared.contracts.scheduler import RunStatus


class Refused(Exception):
    """Nothing was opened."""


class UnusableSession(Refused):
    """A date that cannot bound a run; `field` is the bound of the request."""

    def __init__(self, field: str, required: str, *, day: date) -> None:
        self.field, self.day = field, day
        super().__init__(f"{required}, was {day}")


class OtherRunUnderWay(Refused):
    """A run under way would compute some of the same cells, but is not the one that was asked for."""

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(f"run {run.run_id} of {run.first_session} to {run.last_session} is under way")


class UnknownPortfolios(Refused):
    """Portfolios that no book is known of."""

    def __init__(self, portfolio_ids: Sequence[UUID]) -> None:
        self.portfolio_ids = tuple(portfolio_ids)
        super().__init__(f"nobody knows {_listed(self.portfolio_ids)}")


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


class RunGoesOn(Refused):
    """What a run cannot do is known when it has ended."""

    def __init__(self, run_id: UUID) -> None:
        self.run_id = run_id
        super().__init__(f"run {run_id} is under way")


class NothingFailed(Refused):
    """All that the run was to compute is done."""

    def __init__(self, run_id: UUID) -> None:
        self.run_id = run_id
        super().__init__(f"all that run {run_id} was to compute is done")


class UnknownSubjects(Refused):
    """Symbols or portfolios that are in no book and were never computed."""

    def __init__(self, subjects: tuple[str, ...]) -> None:
        self.subjects = subjects
        super().__init__(f"nobody holds or watches {_listed(subjects)}")


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


class UnknownLetter(Refused):
    """There is no dead letter of this id."""

    def __init__(self, letter_id: UUID) -> None:
        self.letter_id = letter_id
        super().__init__(f"no dead letter {letter_id}")


class LetterDealtWith(Refused):
    """Somebody has dealt with the letter."""

    def __init__(self, letter_id: UUID, status: LetterStatus) -> None:
        self.letter_id, self.status = letter_id, status
        super().__init__(f"dead letter {letter_id} is {status.value}")


class NothingToRedrive(Refused):
    """No letter is left of those that were meant."""

    def __init__(self, left_out: Mapping[UUID, str]) -> None:
        self.left_out = left_out
        reasons = [f"{letter_id}: {why}" for letter_id, why in left_out.items()]
        super().__init__(f"no dead letter to redrive{f' ({_listed(reasons)})' if reasons else ''}")


class UnknownRedrive(Refused):
    """There is no redrive of this id."""

    def __init__(self, redrive_id: UUID) -> None:
        self.redrive_id = redrive_id
        super().__init__(f"no redrive {redrive_id}")


def _listed(names: Sequence[object]) -> str:
    return f"{', '.join(map(str, names[:10]))}{' ...' if len(names) > 10 else ''}"
