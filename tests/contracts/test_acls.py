"""Who may do what on Kafka: the script is current, and no topic is left without somebody who writes and reads it."""

import os
from functools import cache

from services.ops.documents.acls import SCRIPT, script
from services.ops.documents.unconnected import unconnected_services
from shared.bus.access import Needs
from shared.contracts.catalogue import EVENTS, PRODUCERS, all_topics
from shared.service import needs_of
from tests.support.compose import COMPOSE


@cache
def _needs() -> dict[str, Needs]:
    """Return what each service needs of the broker."""
    return {service.name: needs_of(service) for service in unconnected_services()}


def test_script_in_the_repository_is_current_and_can_be_run() -> None:
    assert SCRIPT.read_text() == script(), "run `make acls`"
    assert os.access(SCRIPT, os.X_OK)


def test_facts_are_written_by_who_announces_them_and_by_who_sends_again_what_was_refused() -> None:
    for topic, event in EVENTS.items():
        writers = {service for service, needs in _needs().items() if topic in needs.writes}
        assert writers == {PRODUCERS[event], "scheduler"}, topic


def test_every_topic_is_read_and_its_dead_letters_are_written_by_who_reads_it() -> None:
    for topic in all_topics():
        assert any(topic in needs.reads for needs in _needs().values()), topic
    for topic in EVENTS:
        readers = {service for service, needs in _needs().items() if topic in needs.reads}
        assert {service for service, needs in _needs().items() if f"{topic}.dlq" in needs.writes} == readers


def test_groups_of_a_service_begin_with_its_name() -> None:
    for service, needs in _needs().items():
        assert all(group.startswith(f"{service}.") for group in needs.groups)


def test_compose_runs_the_script_where_nobody_else_is() -> None:
    container = COMPOSE["services"]["kafka-acls"]
    assert container["network_mode"] == "service:kafka"
    (mount,) = container["volumes"]
    assert mount == "./deploy/kafka/acls.sh:/acls.sh:ro"
    assert container["entrypoint"] == ["sh", "/acls.sh"]
    inside = container["environment"]["BOOTSTRAP_SERVERS"]
    assert f"INSIDE://{inside}" in COMPOSE["services"]["kafka"]["environment"]["KAFKA_LISTENERS"]
