"""The AsyncAPI documents of the code as it is."""

from functools import cache

from services.ops.documents.asyncapi import Document, documents


@cache
def current_documents() -> dict[str, Document]:
    """Return each document by its name; building them takes as long as putting five services together."""
    return documents()
