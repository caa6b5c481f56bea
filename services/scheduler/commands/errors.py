"""Why a run is not opened; what each is over HTTP is decided in `web/problems.py`.

Refused
├── UnusableSession
└── OtherRangeUnderWay
"""

from datetime import date

from shared.contracts.run import Run


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
