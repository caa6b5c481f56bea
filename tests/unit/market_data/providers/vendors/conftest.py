from collections.abc import Iterator

import pytest
import stamina


@pytest.fixture(autouse=True)
def pauses_take_no_time() -> Iterator[None]:
    """Ask again at once, as often as always."""
    with stamina.set_testing(True, attempts=3):
        yield
