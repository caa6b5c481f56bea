"""The settings are described by hand: every one that bounds a run is, and acts where it should."""

from typing import Any

import pytest
from pydantic import SecretStr

from services.ops.composition import build_services
from shared.contracts.services import SERVICES
from shared.service import Service
from shared.settings import CommonSettings


def _services(**settings: Any) -> dict[str, Service]:
    common = CommonSettings(
        database_url=SecretStr("postgresql://x@h/d"),
        bootstrap_servers="h:1",
        viewer_token=SecretStr("v"),
        operator_token=SecretStr("o"),
        **settings,
    )
    return {service.name: service for service in build_services(SERVICES, common)}


@pytest.mark.parametrize("seconds", [1500.0, 60.0])
def test_barriers_close_by_the_deadline_of_the_symbols_and_in_front_of_their_work_before(seconds: float) -> None:
    services = _services(symbol_batch_timeout_seconds=seconds)

    deadlines = {name: [fan_in.deadline_s for fan_in in service.fan_ins] for name, service in services.items()}

    assert deadlines == {
        "scheduler": [],
        "market_data": [],
        "symbol_analytics": [0.6 * seconds],
        "portfolio": [seconds],
        "risk": [seconds],
    }
