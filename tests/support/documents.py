"""The documents of the code as it is, built once: that takes as long as putting five services together."""

from functools import cache

from fastapi import FastAPI

from services.ops.documents import openapi
from services.ops.documents.asyncapi import Document, documents


@cache
def current_documents() -> dict[str, Document]:
    """Return each AsyncAPI document by its name."""
    return documents()


@cache
def current_application() -> FastAPI:
    """Return the application of all services, of which nothing is connected."""
    return openapi.application()
