"""What a rebuild fills and what it keeps is said of every table there is."""

import pytest

from services.ops.tables import TABLES
from shared.contracts.services import SERVICES
from shared.db.beside import Beside, unclassified
from shared.db.unit_of_work import one_transaction
from tests.integration.conftest import MakeServiceDatabase


@pytest.mark.parametrize("service", SERVICES)
async def test_every_table_of_a_service_is_told_computed_or_known_to_it_alone(
    service_database: MakeServiceDatabase, service: str
) -> None:
    """Prevents a table that a rebuild would leave empty, and results that it would forget."""
    database = await service_database(service)
    async with one_transaction(database.url(service), service=service) as connection:
        found = await Beside(connection, service, TABLES[service]).list_tables()

    assert unclassified(found, TABLES[service]) == set()
    for results in TABLES[service].results:
        assert "as_of" in results.key
