"""Write the OpenAPI document of all services on one port: ``python -m services.ops.documents.openapi``.

It is what the gateway shows, behind which each service knows its own routes only.
"""

from pathlib import Path

from fastapi import FastAPI

from services.ops.composition import build_services
from services.ops.documents.schemas import rendered
from services.ops.documents.unconnected import UNCONNECTED
from shared.contracts.services import SERVICES
from shared.service import build_app
from shared.settings import CommonSettings

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.json"
TITLE = "SigmaSight"


def application(settings: CommonSettings = UNCONNECTED) -> FastAPI:
    """Return the application of all services, of which nothing is connected."""
    return build_app(build_services(SERVICES, settings), settings, title=TITLE)


if __name__ == "__main__":
    DOCUMENT.write_text(rendered(application().openapi()))
