"""Which errors pass by themselves."""

import asyncpg
import pytest

from shared.errors import is_transient


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (asyncpg.InterfaceError("connection is closed"), True),
        # What the driver says of a connection that was ended between two of its steps.
        (asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"), True),
        (asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"), True),
        (asyncpg.UniqueViolationError("duplicate key"), False),
        (ConnectionResetError(), True),
        (KeyError("a bug"), False),
    ],
)
def test_what_a_lost_connection_leads_to_passes_and_a_bug_does_not(error: Exception, passes: bool) -> None:
    assert is_transient(error) is passes
