"""The revisions of a service's tables, and which of them belong before and which after the code of a version.

A revision of the step `pre` adds what code of the version before does not mind: it runs while that code works, and
takes no lock for long. What takes away or tightens what that code needs says ``step = "post"`` and runs when none of it
is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from itertools import takewhile

from alembic.config import Config
from alembic.script import ScriptDirectory


class Step(StrEnum):
    """When a revision is applied: before code of its version begins, or after that of the version before has ended."""

    PRE = "pre"
    POST = "post"


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision and its step."""

    name: str
    step: Step


class UnfinishedUpgrade(Exception):
    """What the last upgrade has left for after it is not done."""


def config_of(service: str) -> Config:
    """Return where Alembic finds the revisions of a service."""
    config = Config()
    config.set_main_option("script_location", str(files("shared.db").joinpath("alembic")))
    config.set_main_option("version_locations", str(files(f"services.{service}").joinpath("migrations")))
    config.set_main_option("path_separator", "os")
    return config


def revisions_of(service: str) -> list[Revision]:
    """Return the revisions of a service, the oldest first."""
    scripts = ScriptDirectory.from_config(config_of(service)).walk_revisions()
    return [
        Revision(script.revision, Step(getattr(script.module, "step", Step.PRE))) for script in reversed(list(scripts))
    ]


def target(revisions: Sequence[Revision], current: str | None, step: Step | None) -> str | None:
    """Return up to which revision a step goes from where the tables are; None: nowhere.

    Raises
    ------
    UnfinishedUpgrade
        If a revision of the step `pre` stands behind one of the step `post` that has not been applied.
    """
    names = [revision.name for revision in revisions]
    pending = revisions[names.index(current) + 1 if current in names else 0 :]
    # Tables that are of newer code are not touched, nor are new ones made in steps.
    if not pending or (current is not None and current not in names):
        return None
    if step is not Step.PRE or current is None:
        return pending[-1].name
    before = list(takewhile(lambda revision: revision.step is Step.PRE, pending))
    if any(revision.step is Step.PRE for revision in pending[len(before) :]):
        open_ = pending[len(before)].name
        raise UnfinishedUpgrade(f"{open_} belongs to the upgrade before: run `sigmasight migrate --step post` first")
    return before[-1].name if before else None


def is_behind(revisions: Sequence[Revision], current: str | None) -> bool:
    """Tell whether tables lack a revision that the code needs from its beginning."""
    names = [revision.name for revision in revisions]
    if current is None:
        return True
    missing = revisions[names.index(current) + 1 :] if current in names else ()
    return any(revision.step is Step.PRE for revision in missing)
