"""Dead letters as the ledger gets them."""

from collections.abc import Mapping

from services.scheduler.handlers.record_dead_letter import record_dead_letter
from shared.bus.dead_letters import Letter
from shared.service import Service


def make_letter(
    run_id: object, *, offset: int = 3, value: bytes = b"{nope", origin: Mapping[str, str] | None = None
) -> Letter:
    """Return a dead letter of a run."""
    headers = {
        "dlq-consumer": "risk.store_books",
        "dlq-topic": "portfolios.valued",
        "dlq-partition": "1",
        "dlq-offset": str(offset),
        "dlq-attempts": "3",
        "dlq-reason": "KeyError",
        "dlq-detail": "a bug",
        "ce_subject": f"{run_id}/0",
    }
    return Letter("portfolios.valued.dlq", 0, 99, "key", value, {**headers, **(origin or {})})


async def record(scheduler: Service, *letters: Letter) -> None:
    """Have the ledger take them."""
    for letter in letters:
        async with scheduler.unit_of_work() as uow:
            await record_dead_letter(letter, uow)
