"""Write who may do what on the broker: ``python -m services.ops.documents.acls`` writes deploy/kafka/acls.sh."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from services.ops.documents.unconnected import unconnected_services
from shared.contracts.catalogue import all_topics
from shared.service import needs_of

SCRIPT = Path(__file__).parents[3] / "deploy" / "kafka" / "acls.sh"
# Who makes the topics.
MIGRATE: Final = "migrate"
_HEAD: Final = """\
#!/bin/sh
# Who may do what on the broker, from the catalogue of events (`make acls` writes it): each service reads what it
# listens to and writes what it announces and could not consume, `migrate` makes topics, nobody else may do anything.
# BOOTSTRAP_SERVERS says where; options of kafka-acls, such as --command-config FILE of an administrator, are passed on.
set -eu

allow() {
    "${KAFKA_ACLS:-/opt/kafka/bin/kafka-acls.sh}" --bootstrap-server "$BOOTSTRAP_SERVERS" --add --allow-principal "$@"
}
"""


def script() -> str:
    """Return the script; it may be run again at any time, and takes away nothing."""
    return "\n".join((_HEAD, *_commands()))


def _commands() -> Iterator[str]:
    yield _command(MIGRATE, ("Create", "Describe"), all_topics())
    for service in unconnected_services():
        needs = needs_of(service)
        yield _command(service.name, ("Read",), needs.reads)
        yield _command(service.name, ("Write",), needs.writes)
        allowed = f'allow User:{service.name} --operation Read --resource-pattern-type prefixed "$@"'
        yield f"{allowed} \\\n    --group {service.name}.\n"


def _command(user: str, operations: Iterable[str], topics: Iterable[str]) -> str:
    allowed = " ".join(f"--operation {operation}" for operation in operations)
    named = "".join(f" \\\n    --topic {topic}" for topic in sorted(topics))
    return f'allow User:{user} {allowed} "$@"{named}\n'


def write(path: Path = SCRIPT) -> None:
    """Write the script, which can be executed."""
    path.write_text(script())
    path.chmod(0o755)


if __name__ == "__main__":
    write()
