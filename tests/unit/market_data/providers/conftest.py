from collections.abc import Iterator

import pytest
import stamina
from aiolimiter import AsyncLimiter

from services.market_data.core.plans import Window
from services.market_data.providers import http_session


@pytest.fixture(autouse=True)
def pauses_take_no_time() -> Iterator[None]:
    """Ask again at once, as often as always."""
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture(autouse=True)
def turns_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is spread over a minute out at once: `test_http_session` is about the turns."""
    monkeypatch.setattr(http_session, "pace_of", _at_once)


def _at_once(window: Window) -> AsyncLimiter:
    return AsyncLimiter(window.requests, window.seconds)
