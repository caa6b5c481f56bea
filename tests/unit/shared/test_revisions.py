import pytest

from shared.contracts.services import SERVICES
from shared.db.revisions import Revision, Step, UnfinishedUpgrade, is_behind, revisions_of, target

PRE, POST = Step.PRE, Step.POST


def revisions(*steps: Step) -> list[Revision]:
    return [Revision(f"r{number}", step) for number, step in enumerate(steps, start=1)]


@pytest.mark.parametrize(
    ("steps", "current", "step", "upto"),
    [
        ((PRE, PRE, POST), None, None, "r3"),
        ((PRE, PRE, POST), "r1", None, "r3"),
        ((PRE, PRE, POST), "r1", PRE, "r2"),
        ((PRE, PRE, POST), "r2", PRE, None),
        ((PRE, PRE, POST), "r2", POST, "r3"),
        ((PRE, PRE, POST), "r3", POST, None),
        # Where there are no tables there is no code of the version before.
        ((PRE, PRE, POST), None, PRE, "r3"),
        ((PRE, POST, PRE), "r2", PRE, "r3"),
        # Tables of newer code are left alone by older code.
        ((PRE, PRE), "r9", None, None),
        ((PRE, PRE), "r9", PRE, None),
    ],
)
def test_step_goes_as_far_as_it_may(
    steps: tuple[Step, ...], current: str | None, step: Step | None, upto: str | None
) -> None:
    assert target(revisions(*steps), current, step) == upto


def test_upgrade_does_not_begin_before_the_last_one_is_finished() -> None:
    with pytest.raises(
        UnfinishedUpgrade, match="r2 belongs to the upgrade before: run `sigmasight migrate --step post`"
    ):
        target(revisions(PRE, POST, PRE), "r1", PRE)


@pytest.mark.parametrize(
    ("steps", "current", "behind"),
    [
        ((PRE, PRE), None, True),
        ((PRE, PRE), "r1", True),
        ((PRE, PRE), "r2", False),
        ((PRE, POST), "r1", False),
        ((PRE, PRE), "r9", False),
    ],
)
def test_code_begins_on_tables_that_have_what_comes_before_it(
    steps: tuple[Step, ...], current: str | None, behind: bool
) -> None:
    assert is_behind(revisions(*steps), current) == behind


@pytest.mark.parametrize("service", SERVICES)
def test_revisions_of_a_service_are_one_line_whose_last_ones_may_come_after(service: str) -> None:
    found = revisions_of(service)
    assert len({revision.name for revision in found}) == len(found)
    assert found[0].name == f"{service}_0001"
