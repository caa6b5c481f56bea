"""The documents of the code as it is, built once: that takes as long as putting five services together."""

from functools import cache

from fastapi import FastAPI

from services.ops.documents import openapi
from services.ops.documents.asyncapi import Document, documents
from services.ops.documents.unconnected import UNCONNECTED
from tests.support.people import SESSION_KEY


@cache
def current_documents() -> dict[str, Document]:
    """Return each AsyncAPI document by its name."""
    return documents()


@cache
def current_application() -> FastAPI:
    """Return the application of all services, of which nothing is connected and where people sign in.

    It keeps its schema, which takes longest, once somebody has asked for it.
    """
    return openapi.application(UNCONNECTED.model_copy(update={"session_key": SESSION_KEY}))
