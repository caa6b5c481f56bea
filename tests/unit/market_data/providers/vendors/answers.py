"""Answers of local servers."""

import json
from typing import Any

from werkzeug import Response


def as_json(body: Any, *, status: int = 200) -> Response:
    """Return a body in JSON, NaN included, as some vendors write it."""
    return Response(json.dumps(body), status=status, content_type="application/json")
