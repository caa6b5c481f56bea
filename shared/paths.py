"""Where the API is. Health, metrics and documents are at the root: who looks for those doesn't ask for a version."""

from typing import Final

API: Final = "/api/v1"
