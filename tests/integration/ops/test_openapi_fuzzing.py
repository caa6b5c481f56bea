"""Every route of every service, asked for whatever the document allows and does not: the answer is a documented one."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.ops.composition import build_services
from shared.contracts.services import SERVICES
from shared.service import build_app
from tests.integration.conftest import MakeServiceDatabase
from tests.support.databases import OPERATOR_TOKEN, VIEWER_TOKEN

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 8
# Without a broker no service is ready.
NOT_READY = "/health/ready"
# An example that fails is told as it is: none is made smaller, none is kept for the next time.
TRIED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class _Asked:
    """Asks the application from threads of its loop."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client, self._loop = client, asyncio.get_running_loop()

    def send(self, case: "Case[Any]") -> httpx.Response:
        request: Any = requests.Request(**case.as_transport_kwargs(base_url="http://all")).prepare()
        headers = {**request.headers, **self._client.headers}
        sent = self._client.request(request.method, request.url, headers=headers, content=request.body)
        return asyncio.run_coroutine_threadsafe(sent, self._loop).result()


# A viewer is answered as an operator is, or refused whatever is asked: what is asked wrongly is asked by one of them.
ASKING = {
    "viewer": (VIEWER_TOKEN, [GenerationMode.POSITIVE]),
    "operator": (OPERATOR_TOKEN, [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]),
}


@pytest.mark.slow
@pytest.mark.parametrize("role", ASKING)
@pytest.mark.parametrize("service", SERVICES)
async def test_every_answer_is_a_documented_one(service_database: MakeServiceDatabase, service: str, role: str) -> None:
    token, modes = ASKING[role]
    database = await service_database(service)
    built = build_services([service], database.common)
    app = build_app(built, database.common, title=service)
    headers = {"Authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://all", headers=headers) as client:
        undocumented = await asyncio.to_thread(_undocumented, app.openapi(), modes, _Asked(client))
    await built[0].engine.dispose()
    assert undocumented == []


def _undocumented(document: dict[str, Any], modes: Sequence[GenerationMode], asked: _Asked) -> list[str]:
    undocumented = []
    for found in schemathesis.openapi.from_dict(document).exclude(path=NOT_READY).get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr] # else the document is none
        for mode in modes:

            @TRIED
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: "Case[Any]") -> None:
                case.validate_response(asked.send(case), checks=CHECKS)

            try:
                ask()
            except Unsatisfiable:  # a route without parameters can't be asked wrongly
                continue
            # Whatever is wrong with one route, the others are asked, too.
            except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001
                undocumented.append(f"{operation.label} ({mode.value}): {error}")
    return undocumented
