"""Runs for tests."""

from datetime import date
from typing import Any
from uuid import uuid4

from shared.contracts.run import Run, RunKind

SESSION = date(2025, 3, 14)


def make_run(**overrides: Any) -> Run:
    """Return a run of its own over everything, for one session."""
    fields: dict[str, Any] = {
        "run_id": uuid4(),
        "kind": RunKind.ON_DEMAND,
        "first_session": SESSION,
        "last_session": SESSION,
        "requested_by": "test",
    }
    return Run(**{**fields, **overrides})
