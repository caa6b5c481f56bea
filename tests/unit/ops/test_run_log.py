"""The log of a run on the terminal: as it is, or as it comes, whatever happens to the platform meanwhile."""

from collections.abc import Iterator
from typing import Any

import pytest

from services.ops.client import run_log
from services.ops.client.client import ApiClient, connections_to
from services.ops.client.routes import Answer, Route
from services.ops.client.run_log import follow_log, print_line
from services.ops.errors import Refused, Unreachable

AWAY = Unreachable("http://127.0.0.1:1", "refused")


def _line(place: int, what: str = "part", **changes: Any) -> dict[str, Any]:
    line = {"place": place, "at": "2025-03-14T21:00:03.25Z", "what": what, "level": "info", "eta_s": None}
    return {**line, "message": "part 1 of 2: 5 subjects", "stage": "prices.updated", **changes}


class _Platform(ApiClient):
    """Streams what it was told to, one stream after the other; an exception breaks one off."""

    def __init__(self, *streams: list[Any]) -> None:
        super().__init__(connections_to("http://127.0.0.1:1"), {})
        self._streams = iter(streams)
        self.asked: list[tuple[str, int]] = []

    def follow(self, route: Route[Answer], *, after: int) -> Iterator[Answer]:
        self.asked.append((route.name, after))
        for told in next(self._streams):
            if isinstance(told, Exception):
                raise told
            yield told


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "_LOOK_EVERY_S", 0.0)


def test_log_is_followed_to_the_end_over_breaks_without_a_line_twice() -> None:
    platform = _Platform(
        [_line(0, "opened"), _line(5), AWAY], [AWAY], [Refused(503, "not ready")], [_line(7)], [_line(9, "ended")]
    )

    told = list(follow_log(platform, "1"))

    assert [line["place"] for line in told] == [0, 5, 7, 9]
    assert platform.asked == [("GET /runs/1/events", after) for after in (-1, 5, 5, 5, 7)]


def test_log_of_no_run_ends_at_once() -> None:
    with pytest.raises(Refused, match="404"):
        list(follow_log(_Platform([Refused(404, "no run")]), "1"))


def test_platform_that_stays_away_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "_AWAY_AT_MOST_S", -1.0)

    with pytest.raises(Unreachable):
        list(follow_log(_Platform([_line(0, "opened"), AWAY]), "1"))


@pytest.mark.parametrize(
    ("line", "eta_s", "shown"),
    [
        (_line(5), None, "21:00:03Z prices.updated: part 1 of 2: 5 subjects"),
        (_line(5), 12.4, "21:00:03Z prices.updated: part 1 of 2: 5 subjects (about 12 s left)"),
        (_line(9, "ended", stage=None, message="failed [red]"), 0.0, "21:00:03Z run: failed [red]"),
    ],
)
def test_line_is_shown_with_what_it_is_about(
    capsys: pytest.CaptureFixture[str], line: Any, eta_s: float | None, shown: str
) -> None:
    print_line(line, eta_s)

    assert capsys.readouterr().out == f"{shown}\n"
